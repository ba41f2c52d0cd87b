"""The best candidates, for one number to keep or for many at the cost of one sort."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from curation.pairs.pair_keys import pair_hash
from curation.selection.floors import FIRST, in_floor, layer_of_floor
from curation.selection.groups import Partition
from curation.selection.per_group import apportion
from curation.selection.selection import Request
from labeling.keys.arrays import Ints, Mask


def best_of_groups(request: Request, groups: Partition, numbers: Iterable[int]) -> Iterator[Mask]:
    """Yield for each number the candidates that are kept, ``bool[n]``.

    Kept is the same share of what the limits leave of each group, and exactly the number in all,
    in the order of `curation.selection.floors.order_of_keeping`. Ties go to the smaller hash of the
    pair, so the order of the rows does not matter. The limit of a label is not applied.
    """
    ranked = _ranked(request, groups)
    size = np.array([len(rows) for rows, _ in ranked])
    n_allowed = int(size.sum())
    for number in numbers:
        n_kept = min(number, n_allowed)
        kept = np.zeros(len(request.p), bool)
        for (rows, best), quota in zip(ranked, apportion(size, n_kept), strict=True):
            n_first = int(FIRST * round(n_kept / max(n_allowed, 1) * len(rows)))
            _keep(kept, rows, best, n_first, int(quota))
        yield kept


def _ranked(request: Request, groups: Partition) -> list[tuple[Ints, Ints]]:
    """Return the rows of each group, the most probable first, and those of its floor in order."""
    draw = pair_hash(request.scored)
    allowed = np.flatnonzero(request.excluded == 0)
    order = allowed[np.lexsort((draw[allowed], -request.p[allowed]))]
    best = np.flatnonzero(in_floor(request)) if request.floor else allowed[:0]
    best = best[np.lexsort((draw[best], -layer_of_floor(request)[best]))]
    members = range(len(groups.names))
    return [(order[groups.code[order] == i], best[groups.code[best] == i]) for i in members]


def _keep(kept: Mask, rows: Ints, best: Ints, n_first: int, quota: int) -> None:
    """Keep the first rows of a group, then its floor, then the other rows, `quota` in all."""
    for wanted, n in ((rows, n_first), (best, quota), (rows, quota)):
        n_left = n - int(np.count_nonzero(kept[rows]))
        kept[wanted[~kept[wanted]][:n_left]] = True
