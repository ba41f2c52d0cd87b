"""The best candidates, for one number to keep or for many at the cost of one sort."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from curation.selection.floors import FIRST, in_floor, layer_of_floor
from curation.selection.groups import Partition
from curation.selection.per_group import apportion
from curation.selection.selection import Request
from labeling.keys.arrays import Ints32, Mask


@dataclass(frozen=True, eq=False)
class Best:
    """The candidates that are kept of a number, as what changes from one number to the next.

    They are those that have entered so far and those beside them. What is counted of many numbers
    is then counted of each candidate that enters once, and of the few beside them.

    Attributes
    ----------
    kept
        ``bool[n]``: all of them. The next number changes it.
    entered
        Rows of those that stay for all further numbers, and are new among these.
    beside
        Rows of the others.
    """

    kept: Mask
    entered: Ints32
    beside: Ints32


def best_of_groups(request: Request, groups: Partition, numbers: Iterable[int]) -> Iterator[Best]:
    """Yield for each number, in rising order, the candidates that are kept.

    Kept is the same share of what the limits leave of each group, and exactly the number in all,
    in the order of `curation.selection.floors.order_of_keeping`. Ties go to the smaller hash of the
    pair, so the order of the rows does not matter. The limit of a label is not applied.
    """
    ranked = _ranked(request, groups)
    size = np.array([len(rows) for rows, _ in ranked])
    n_allowed = int(size.sum())
    kept, n_first = np.zeros(len(request.p), bool), np.zeros(len(ranked), np.int64)
    beside = np.zeros(0, np.int32)
    for number in numbers:
        n_kept = min(number, n_allowed)
        kept[beside] = False
        earlier = n_first
        n_first = (FIRST * np.round(n_kept / max(n_allowed, 1) * size)).astype(np.int64)
        entered = [
            rows[start:end] for (rows, _), start, end in zip(ranked, earlier, n_first, strict=True)
        ]
        kept[np.concatenate(entered)] = True
        quota = apportion(size, n_kept)
        others = [
            _beside(kept, *of_group, int(first), int(n))
            for of_group, first, n in zip(ranked, n_first, quota - n_first, strict=True)
        ]
        beside = np.concatenate(others)
        kept[beside] = True
        yield Best(kept, np.concatenate(entered), beside)


def _ranked(request: Request, groups: Partition) -> list[tuple[Ints32, Ints32]]:
    """Return the rows of each group, the most probable first, and those of its floor in order."""
    order = request.order
    of_floor = np.flatnonzero(in_floor(request)) if request.floor else np.zeros(0, np.int64)
    by_layer = np.lexsort((request.draw[of_floor], -layer_of_floor(request, of_floor)))
    best = of_floor[by_layer].astype(np.int32)
    if len(groups.names) == 1:
        return [(order, best)]
    members = range(len(groups.names))
    return [(order[groups.code[order] == i], best[groups.code[best] == i]) for i in members]


def _beside(kept: Mask, rows: Ints32, best: Ints32, n_first: int, n: int) -> Ints32:
    """Return `n` rows of a group after its first ones: its floor, then the other rows."""
    floor = best[~kept[best]][:n]
    # As many more of the next rows as the floor may have taken of them.
    following = rows[n_first : n_first + n + len(floor)]
    following = following[~kept[following] & ~np.isin(following, floor)]
    return np.concatenate([floor, following[: n - len(floor)]])
