"""Bounds of recall, by capture and recapture of labels by independent groups of sources."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from curation.agreement.capture_recapture import count_missed, occasions
from curation.agreement.label_model import Patterns, count_patterns, merge_patterns
from curation.intervals.judgements import Judgements
from curation.report.facts import rounded
from curation.runs.stage import Stage
from curation.scoring.features import sources_of, vote_masks
from labeling.keys.arrays import Mask
from pipelines.selecting.scores import parts_of

VOTES = ["evidence", "silent"]


def measure_recall(
    candidates: Stage, judged: Judgements, kept: Mask, confidence: float
) -> dict[str, float]:
    """Return bounds of the pool's recall by audits, and the share of its right pairs kept.

    Parameters
    ----------
    kept
        ``bool[n]``: the candidates that are kept.

    Returns
    -------
    dict
        ``kept_share_of_right``, if an audited pair is right; ``pool_missed``, ``pool_missed_low``
        and ``pool_recall_at_most`` of `curation.agreement.capture_recapture.Missed`, if they can be
        estimated. They are rounded, so that they do not depend on the order of a machine's sums.
    """
    weight = judged.correct / judged.p_inclusion
    if not weight.any():
        return {}
    facts = {"kept_share_of_right": weight @ kept[judged.row] / weight.sum()}
    _, patterns, voted, silent = read_votes(candidates, judged.row)
    member, stratum = occasions(patterns), np.zeros(len(voted), np.int64)
    if judged.stratum is not None:
        stratum = judged.stratum[judged.row].astype(np.int64)
    missed = count_missed(
        voted @ member.T,
        (voted | silent) @ member.T,
        judged.correct,
        judged.p_inclusion,
        stratum,
        len(kept),
        confidence,
    )
    if missed is not None:
        facts |= {
            "pool_missed": missed.n_missed,
            "pool_missed_low": missed.n_missed_low,
            "pool_recall_at_most": missed.recall_at_most,
        }
    shown: dict[str, float] = rounded(facts)
    return shown


def read_votes(
    candidates: Stage, row: npt.NDArray[np.int64]
) -> tuple[list[str], Patterns, Mask, Mask]:
    """Return the sources, the patterns of all candidates, and votes and silences of some rows."""
    parts = parts_of(candidates)
    sources = sorted({source for part in parts(VOTES) for source in sources_of(part)})
    patterns: list[Patterns] = []
    of_row, n_patterns = [], 0
    for part in parts(VOTES):
        of_part, pattern = count_patterns(*vote_masks(part, tuple(sources)))
        patterns.append(of_part)
        of_row.append(pattern + n_patterns)
        n_patterns += len(of_part.count)
    merged, number = merge_patterns(patterns)
    asked = number[np.concatenate(of_row)[row]]
    return sources, merged, merged.voted[asked], merged.silent[asked]
