"""`winnow audit sample --until-width`: audits in batches, until the precision is known well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.audits.audits import is_drawn_here
from curation.intervals.confidence_sequence import confidence_of_look, n_of_next_look
from curation.intervals.error_rates import ErrorRates
from curation.intervals.judgements import Judgements
from curation.report.facts import auditor_errors
from curation.runs.stage import Stage, open_stage
from curation.selection.selection import Selection
from labeling.errors import InputError, QualityError
from labeling.schemas import AUDITS, SCORED
from pipelines.auditing.auditor_errors import facts_of_errors, rates_of
from pipelines.auditing.looks import Look, number_of, read_looks, write_looks
from pipelines.auditing.sample import (
    answer_by_truth,
    answered,
    count_pairs,
    current_audits,
    draw_audits,
)
from pipelines.run.config import Config
from pipelines.run.progress import notify
from pipelines.selecting.scores import score
from pipelines.selecting.select import judge, measure, select_from


def audit_until(config: Config, run_dir: Path, width: float) -> tuple[Look | None, int]:
    """Look at the precision so far, and draw the next batch if its interval is too wide.

    If the settings name a truth it answers each batch, until the interval is narrow enough or all
    candidates are judged.

    Parameters
    ----------
    width
        Width of the interval of the kept share's precision that ends the audit.

    Returns
    -------
    look, n_pairs
        The last look, and how many pairs of the sheet wait for a verdict; 0 at the end.

    Raises
    ------
    InputError
        If the judgements of the run were drawn elsewhere.
    QualityError
        If auditors err so often that no number of audits gives the width.
    """
    candidates = open_stage(run_dir, "candidates")
    config = for_share(config)
    by_truth = config.audit.truth is not None
    n_judged = count_pairs(current_audits(run_dir, candidates))
    if not by_truth and not n_judged:
        return None, draw_audits(config, run_dir)[1]
    # A smaller draw by the truth would replace judgements that an earlier look has counted.
    config = _with_n(config, max(config.audit.n, n_judged))
    while True:
        if by_truth:
            answer_by_truth(config, run_dir)
        look = look_at(config, run_dir, width)
        n_answered = count_pairs(answered(current_audits(run_dir, candidates)))
        if look.width <= width or n_answered >= candidates.counts["candidates"]:
            return look, 0
        config = _with_n(config, look.n_next)
        if not by_truth:
            return look, draw_audits(config, run_dir)[1]


def for_share(config: Config) -> Config:
    """Return the settings for a share, also where they ask for a precision."""
    share = config.select.model_copy(update={"precision": None})
    return config.model_copy(update={"select": share})


def _with_n(config: Config, n: int) -> Config:
    return config.model_copy(update={"audit": config.audit.model_copy(update={"n": n})})


def _share(
    config: Config, run_dir: Path, audits: Stage, verdicts: pa.Table
) -> tuple[Judgements, Selection]:
    """Return the judged candidates, and the share of the candidates that would be kept."""
    if not is_drawn_here(verdicts):
        raise InputError(
            "the judgements of this run were drawn elsewhere",
            help="draw the next batch there; `winnow select` measures the precision of the share",
        )
    candidates = open_stage(run_dir, "candidates")
    scored = score(config, run_dir, candidates, audits).packed(SCORED)
    judged = judge(run_dir, candidates, verdicts, scored)
    return judged, select_from(config.select, candidates, scored, judged)[1]


def look_at(config: Config, run_dir: Path, width: float) -> Look:
    """Return the precision by the current audits; the same audits again are not a new look."""
    audits, looks = open_stage(run_dir, "audits"), read_looks(run_dir)
    verdicts = audits.table(AUDITS)
    judged, selection = _share(config, run_dir, audits, verdicts)
    number = number_of(run_dir, audits)
    confidences = [confidence_of_look(k, config.select.confidence) for k in (number, number + 1)]
    rates = [rates_of(config, audits, c) for c in confidences]
    now, next_time = (
        measure(replace(judged, errors=errors), selection, confidence)
        for errors, confidence in zip(rates, confidences, strict=True)
    )
    narrowest = _narrowest(now["precision"], rates[1], width)
    n_pairs = count_pairs(verdicts)
    width_next_time = next_time["precision_high"] - next_time["precision_low"]
    look = Look(
        audits.content,
        number,
        len(judged.known.row),
        now["precision"],
        now["precision_low"],
        now["precision_high"],
        n_of_next_look(n_pairs, width_next_time - narrowest, width - narrowest),
    )
    others = [other for other in looks if other.audits != audits.content]
    write_looks(run_dir, sorted([*others, look], key=lambda each: each.number))
    notify(
        f"look {look.number}: precision {look.precision:.3f} ({look.low:.3f} to {look.high:.3f}, "
        f"{look.width:.3f} wide) from {look.n_audits:,} audits"
    )
    for sentence in auditor_errors(facts_of_errors(rates[0], verdicts)):
        notify(f"  {sentence}")
    return look


def _narrowest(precision: float, errors: ErrorRates, width: float) -> float:
    """Return the width that no number of audits can go below, for auditors may err."""
    share = np.nan_to_num([precision])  # not a number without audits of the kept
    (low,), (high,) = errors.widened(share, share)
    if high - low >= width:
        raise QualityError(
            "no number of audits gives an interval of this width, for auditors err",
            facts={"width": width, "narrowest": f"{high - low:.3f}"},
            help="ask for a wider interval, or lower audit.error_rate if they err less",
        )
    return float(high - low)
