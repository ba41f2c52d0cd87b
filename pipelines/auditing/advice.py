"""The worth of further audits, as far as the scores show it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from curation.audits.forecast import expected_share
from curation.audits.two_phase import share_above
from curation.intervals.error_rates import ErrorRates
from curation.runs.stage import Stage, current
from labeling.schemas import SCORED
from pipelines.auditing.strata import cells_of
from pipelines.run.config import Config

STEP, N_STEPS = 100, 3
"""Further pairs, and how many times as many, whose worth is printed."""


def plan_lines(config: Config, run_dir: Path, candidates: Stage, n: int) -> Iterator[str]:
    """Yield what a draw of `n` pairs in all may prove; nothing if no precision is asked for."""
    target, confidence = config.select.precision, config.select.confidence
    if target is None:
        return
    rate = config.audit.error_rate or 0.0
    called_right = ErrorRates(rate, rate).called_right(target)
    if not cells_of(run_dir, candidates):
        fewest = int(np.ceil(np.log(1 - confidence) / np.log(called_right)))
        yield f"  a proof of {target} takes {fewest:,} pairs or more: {fewest:,} if all are right"
        if n < min(config.audit.n, candidates.counts["candidates"]):
            yield (
                f"  these {n:,} of {config.audit.n:,} show where the threshold will fall: after"
                " their import the same command draws further ones there"
            )
        return
    scored = current(run_dir, "scored")
    if scored is None:
        return
    p_correct = scored.table(SCORED, ["p_correct"])["p_correct"].to_numpy()
    numbers = [n + STEP * i for i in range(N_STEPS + 1)]
    proved = [
        f"{expected_share(p_correct, called_right, each, confidence):.1%} with {each:,}"
        for each in numbers
    ]
    yield (
        f"  shares of which {target} may be proved, by the scores: {', '.join(proved)} audits;"
        f" {share_above(p_correct, called_right):.1%} if every pair were judged"
    )
