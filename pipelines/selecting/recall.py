"""What `winnow select` can say of recall: at most so much, by what the sources name together."""

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
from pipelines.selecting.scores import candidate_paths, read_parts

VOTES = ["evidence", "silent"]


def measure_recall(
    candidates: Stage, judged: Judgements, kept: Mask, confidence: float
) -> dict[str, float]:
    """Return what audits tell of the pool's recall, and of the share of its right pairs kept.

    Parameters
    ----------
    kept
        ``bool[n]``: the candidates that are kept.

    Returns
    -------
    dict
        ``kept_share_of_right``, if an audited pair is right; ``pool_missed``, ``pool_missed_low``
        and ``pool_recall_at_most`` of `curation.agreement.capture_recapture.Missed`, where it can
        say anything. They are rounded, so that they do not hang on how a machine adds up.
    """
    weight = judged.correct / judged.p_inclusion
    if not weight.any():
        return {}
    facts = {"kept_share_of_right": weight @ kept[judged.row] / weight.sum()}
    patterns, voted, silent = _votes(candidates, judged.row)
    member, stratum = occasions(patterns), np.zeros(len(voted), np.int64)
    if judged.stratum is not None:
        stratum = judged.stratum[judged.row].astype(np.int64)
    found = count_missed(
        voted @ member.T,
        (voted | silent) @ member.T,
        judged.correct,
        judged.p_inclusion,
        stratum,
        len(kept),
        confidence,
    )
    if found is not None:
        facts |= {
            "pool_missed": found.n_missed,
            "pool_missed_low": found.n_missed_low,
            "pool_recall_at_most": found.recall_at_most,
        }
    shown: dict[str, float] = rounded(facts)
    return shown


def _votes(candidates: Stage, row: npt.NDArray[np.int64]) -> tuple[Patterns, Mask, Mask]:
    """Return the patterns of all candidates, and who speaks and is silent in some rows."""
    paths = candidate_paths(candidates)
    named = {source for part in read_parts(paths, VOTES) for source in sources_of(part)}
    parts: list[Patterns] = []
    of_row, n_patterns = [], 0
    for part in read_parts(paths, VOTES):
        found, pattern = count_patterns(*vote_masks(part, tuple(sorted(named))))
        parts.append(found)
        of_row.append(pattern + n_patterns)
        n_patterns += len(found.count)
    every, place = merge_patterns(parts)
    asked = place[np.concatenate(of_row)[row]]
    return every, every.voted[asked], every.silent[asked]
