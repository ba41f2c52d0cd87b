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
from curation.selection.selection import (
    Excluded,
    Request,
    Selection,
    check_scored,
    keep_rows,
    n_to_keep,
)
from curation.selection.shares import Best, best_of_groups
from curation.selection.thinning import thinned
from labeling.keys.arrays import Floats, Ints32, Mask
from labeling.schemas import SELECT_REASONS

N_AT_ONCE = 65_536
"""Rows in which the end of the kept ones is looked for together."""


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
    check_scored(request.scored)
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


def choose_shares(request: Request, shares: Iterable[float]) -> Iterator[tuple[Best, float | None]]:
    """Yield for each share in (0, 1], in rising order, what `choose` would keep, and its threshold.

    A precision that the request holds is not used. The threshold is that of all candidates, None if
    groups have their own.
    """
    numbers, n_first = (round(share * len(request.p)) for share in shares), 0
    for best in best_of_groups(request, _groups(request), numbers):
        # The limit of a label moves the threshold only by those that it leaves out.
        kept = best if request.per_label is None else _thinned(request, best)
        n_first += len(best.entered)
        yield kept, None if request.by else _threshold(request, best, kept, n_first)


def _thinned(request: Request, best: Best) -> Best:
    """Return the best without those that a limit of each label leaves out: none of them stays."""
    kept = best.kept & ~_left_out(request, best.kept)
    return Best(kept, best.entered[:0], np.flatnonzero(kept).astype(np.int32))


def _threshold(request: Request, best: Best, kept: Best, n_first: int) -> float | None:
    """Return the threshold of one group, as `_thresholds`; None if nothing is kept above it.

    The first `n_first` of the order are among the best.
    """
    p, order = request.p, request.order
    n_before = _n_kept_before(best.kept, order, n_first)
    if n_before < len(order):
        dropped = p[order[n_before]]
        # A tie with the best that is dropped may be kept, for its hash or for the floor.
        if np.any(p[kept.beside] == dropped):
            return float(dropped)
    above = order[:n_before]
    above = above if kept is best else above[kept.kept[above]]
    return float(p[above[-1]]) if len(above) else None


def _n_kept_before(kept: Mask, order: Ints32, start: int) -> int:
    """Return the number of rows of an order before the first that is not kept, from `start` on."""
    for begin in range(start, len(order), N_AT_ONCE):
        part = kept[order[begin : begin + N_AT_ONCE]]
        if not part.all():
            return begin + int(np.argmin(part))
    return len(order)


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
        number = n_to_keep(request.scored, request.keep)
        kept = next(best_of_groups(request, groups, [number])).kept
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
