"""The choice of candidates: groups, then the order in which each group keeps them, then how many.

Without groups all candidates are one. Every group keeps the same share, or each as many as are
proved to be precise. The order is that of the probability, with the best of each label brought
forward by `curation.selection.floors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.selection.floors import expected_best, floor_held, order_of_keeping
from curation.selection.groups import (
    Partition,
    by_label,
    by_level,
    by_sources,
    find_groups,
    one_group,
)
from curation.selection.per_group import describe_groups, prove_in_groups
from curation.selection.selection import Excluded, Request, Selection, keep_rows, n_to_keep
from curation.selection.shares import best_of_groups
from curation.selection.thinning import thinned
from labeling.checks import check
from labeling.keys.arrays import Floats, Mask
from labeling.schemas import SCORED, SELECT_REASONS


def choose(request: Request) -> Selection:
    """Keep a share of the candidates, or as many as are proved to be precise.

    Returns
    -------
    Selection
        Facts: with groups ``by``; with a floor ``floor_held``, the number of the best of each label
        that are all kept, and ``n_by_floor``, the number of candidates kept although a more
        probable one of the group is not.

    Raises
    ------
    ConfigError
        For a precision or confidence that is not in (0, 1).
    InputError
        For a share out of range, or a table of another schema (also for a probability of NaN).
    QualityError
        If the precision cannot be proved in any group.
    """
    check(request.scored, SCORED, where="scored")
    return choose_in_groups(request, _groups(request))


def choose_in_groups(request: Request, groups: Partition) -> Selection:
    """Keep candidates as `choose`, in groups that are given."""
    kept, excluded = _kept(request, groups)
    dropped = ~kept & (excluded == 0)
    threshold = _thresholds(request, groups, kept, dropped)
    facts: dict[str, Any] = {}
    if request.floor:
        n_by_floor = int(np.sum(kept & (request.p < threshold[groups.code])))
        facts = {"floor_held": floor_held(request, dropped), "n_by_floor": n_by_floor}
    rows = np.flatnonzero(kept)
    if request.by is None:
        only = float(threshold[0]) if np.isfinite(threshold[0]) else None
        return replace(keep_rows(request.scored, rows, excluded, only), facts=facts)
    selection = keep_rows(request.scored, rows, excluded)
    described = describe_groups(kept, threshold, groups, request.judged, request.confidence)
    return replace(selection, facts=facts | {"by": request.by}, groups=described)


def choose_shares(request: Request, shares: Iterable[float]) -> Iterator[tuple[Mask, float | None]]:
    """Yield for each share in (0, 1] what `choose` would keep, and its threshold.

    A precision that the request holds is not used.

    Returns
    -------
    kept, threshold
        ``bool[n]``; and the threshold of all candidates, None if groups have their own.
    """
    groups, allowed = _groups(request), request.excluded == 0
    numbers = (round(share * len(allowed)) for share in shares)
    for best in best_of_groups(request, groups, numbers):
        kept = best & ~_left_out(request, best)
        dropped = allowed & ~best
        yield kept, None if request.by else _threshold(request.p[kept], request.p[dropped])


def _threshold(kept: npt.NDArray[np.floating], dropped: npt.NDArray[np.floating]) -> float | None:
    """Return the threshold of one group, as `_thresholds`; None if nothing is kept above it."""
    least = kept[kept >= dropped.max(initial=-np.inf)].min(initial=np.inf)
    return float(least) if np.isfinite(least) else None


def _groups(request: Request) -> Partition:
    if request.by is None:
        return one_group(len(request.p))
    return find_groups(_partitions(request, request.by), request.judged.row)


def _partitions(request: Request, by: str) -> list[Partition]:
    if by == "source-pattern":
        return by_sources(request.evidence())
    taxonomy = request.taxonomy()
    label = taxonomy.codes(request.scored["label_id"])
    return by_level(label, taxonomy) if by == "level" else by_label(label, taxonomy)


def _kept(request: Request, groups: Partition) -> tuple[Mask, Excluded]:
    """Return the candidates to keep, and why others may not be."""
    excluded = request.excluded
    if request.precision is None:
        kept = next(best_of_groups(request, groups, [n_to_keep(request.scored, request.keep)]))
        left_out = _left_out(request, kept)
    else:
        score = order_of_keeping(request, groups)
        left_out = _left_out(request, expected_best(request, groups, score))
        kept, excluded = _proved(request, groups, score, request.precision, left_out)
    over = np.int8(SELECT_REASONS.index("over_per_label"))
    return kept & ~left_out, np.where(kept & left_out, over, excluded)


def _left_out(request: Request, expected: Mask) -> Mask:
    """Return the candidates that a limit of each label leaves out, if there is one."""
    if request.per_label is None:
        return np.zeros(len(expected), bool)
    return thinned(request, expected, request.per_label)


def _proved(
    request: Request, groups: Partition, score: Floats, target: float, left_out: Mask
) -> tuple[Mask, Excluded]:
    """Keep of each group as many as are proved, ties together, in all groups at once.

    Those left out are not among the proved ones, but returned where these reach down to them. A
    group of which nothing can be proved keeps nothing.
    """
    allowed = request.excluded == 0
    inside = allowed & ~left_out
    least = prove_in_groups(request, groups, score, inside, target)[groups.code]
    unproved = allowed & np.isinf(least)
    reason = np.int8(SELECT_REASONS.index("unproved_group"))
    return allowed & (score >= least), np.where(unproved, reason, request.excluded)


def _thresholds(request: Request, groups: Partition, kept: Mask, dropped: Mask) -> Floats:
    """Return the smallest probability of each group down to which nothing is dropped.

    It is infinite where nothing is kept. What is kept below it owes that to the floor.
    """
    best_dropped = np.full(len(groups.names), -np.inf)
    np.maximum.at(best_dropped, groups.code[dropped], request.p[dropped])
    above = kept & (request.p >= best_dropped[groups.code])
    threshold = np.full(len(groups.names), np.inf)
    np.minimum.at(threshold, groups.code[above], request.p[above])
    return threshold
