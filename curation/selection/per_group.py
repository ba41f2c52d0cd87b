"""Quotas, proofs and measures of groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from curation.intervals.judgements import Judgements, precision_of
from curation.intervals.learn_then_test import (
    NOT_BY_AUDITS,
    audits_needed,
    best_provable,
    check_target,
    largest_proved,
    unproved,
    unproved_facts,
)
from curation.intervals.thresholds import Thresholds, thresholds
from curation.selection.groups import Partition
from curation.selection.selection import Request
from labeling.errors import QualityError
from labeling.keys.arrays import Floats, Ints, Mask


def apportion(size: Ints, n: int) -> Ints:
    """Apportion `n`, at most the sum of the sizes, in proportion to them (largest remainders).

    Examples
    --------
    >>> apportion(np.array([10, 10, 1]), 7).tolist()
    [4, 3, 0]
    """
    whole, left = np.divmod(size * n, max(int(size.sum()), 1))
    first = np.argsort(-left, kind="stable")[: n - int(whole.sum())]
    whole[first] += 1
    quota: Ints = whole
    return quota


def prove_groups(
    cuts: Sequence[Thresholds], target: float, confidence: float = 0.95
) -> list[int | None]:
    """Return for each group the row of its largest set whose precision is proved, or None.

    With probability `confidence` over the draw of the audits, the precision of *all* the sets is
    at least `target`: the allowed error is split evenly over the groups (Bonferroni).

    Raises
    ------
    ConfigError
        For a target or confidence that is not in (0, 1).
    """
    check_target(target, confidence)
    error = (1 - confidence) / max(len(cuts), 1)
    return [largest_proved(each, target, error) for each in cuts]


def prove_in_groups(
    request: Request, groups: Partition, score: Floats, inside: Mask, target: float
) -> Floats:
    """Return the smallest score that each group keeps; infinite where nothing can be proved.

    Parameters
    ----------
    score
        ``float64[n]``: the order in which candidates are kept.
    inside
        ``bool[n]``: candidates that may be kept.
    target
        Precision to hold.

    Raises
    ------
    ConfigError
        As `prove_groups`.
    QualityError
        If nothing can be proved of any group.
    """
    members = [inside & (groups.code == i) for i in range(len(groups.names))]
    cuts = [thresholds(request.judged, score, member) for member in members]
    rows = prove_groups(cuts, target, request.confidence)
    if all(row is None for row in rows):
        # Of the most probable: the order for another target has the floor at another place.
        cuts = [thresholds(request.judged, request.p, member) for member in members]
        if len(cuts) == 1:
            raise unproved(cuts[0], target, request.confidence)
        raise _unproved(cuts, groups, len(request.judged.row), target, request.confidence)
    return np.array(
        [np.inf if i is None else each.threshold[i] for each, i in zip(cuts, rows, strict=True)]
    )


def _unproved(
    cuts: Sequence[Thresholds], groups: Partition, n_audits: int, target: float, confidence: float
) -> QualityError:
    each = 1 - (1 - confidence) / len(cuts)
    best = [best_provable(of_group, each) for of_group in cuts]
    first = int(np.argmax(best))
    shown = f"{best[first]:.3f} ({groups.names[first]})" if best[first] else "none"
    at_once = f"{confidence} in all {len(cuts)} groups at once"
    n_needed = _audits_needed(cuts, n_audits, target, each)
    return QualityError(
        "the precision asked for cannot be proved in any group",
        facts=unproved_facts(target, shown, at_once, n_audits, n_needed),
        help="audit more pairs, ask for less, or select without groups"
        if n_needed
        else f"{NOT_BY_AUDITS}; or select without groups",
    )


def _audits_needed(
    cuts: Sequence[Thresholds], n_audits: int, target: float, confidence: float
) -> int | None:
    """Return about how many audits in all would prove the target in the nearest group."""
    needed = []
    for of_group in cuts:
        n = audits_needed(of_group, target, confidence)
        if n is not None:
            n_of_group = of_group.estimates.n_audits.max(initial=0)
            needed.append(int(float(f"{n * n_audits / n_of_group:.2g}")))
    return min(needed, default=None)


def describe_groups(
    kept: Mask, threshold: Floats, groups: Partition, judged: Judgements, confidence: float
) -> list[dict[str, Any]]:
    """Return for each group the number kept, and its precision.

    Parameters
    ----------
    kept
        ``bool[n]``: the candidates that are kept.
    threshold
        As `curation.selection.selection.Selection` of each group; infinite if missing.
    groups
        The group of each candidate.
    judged, confidence
        Judgements to estimate from, and the confidence of each interval by itself.

    Returns
    -------
    list
        Of ``group``, ``n_candidates``, ``n_audits``, ``n_kept``, ``precision``, ``low``, ``high``
        and ``threshold``. Precision and threshold may be None.
    """
    rows = []
    for i, name in enumerate(groups.names):
        inside = groups.code == i
        interval = precision_of(judged, kept & inside, confidence)
        rows.append(
            {
                "group": name,
                "n_candidates": int(inside.sum()),
                "n_audits": int(inside[judged.row].sum()),
                "n_kept": int(np.sum(kept & inside)),
                "precision": interval.estimate if interval.n_audits else None,
                "low": interval.low,
                "high": interval.high,
                "threshold": float(threshold[i]) if np.isfinite(threshold[i]) else None,
            }
        )
    return rows
