"""Floors: the best of each label are kept, so that rare labels are not lost to frequent ones.

Only candidates of at least the probability `LEAST` count.

A floor changes the order in which candidates are kept, and nothing else. The sets to choose from
stay nested and depend on no verdict, so the same estimates and proofs hold for them.
"""

from __future__ import annotations

import numpy as np

from curation.audits.two_phase import share_above
from curation.selection.groups import Partition
from curation.selection.selection import Request
from labeling.keys.arrays import Floats, Mask

LEAST = 0.2
"""Probability that a floor asks for: less probable pairs cost precision, and a network trained on
them was no better (`docs/results/worth.md`)."""

FIRST = 0.9
"""Part of the candidates expected to hold a precision that comes before any floor.

The remaining part pays for the floor. Where the floor came first, a few wrong pairs of rare labels
ended the proof at once, and several tries shared the error: 7 to 25 % less was kept in simulations,
now at most 3 % (`tests/benchmarks/guarantee.py --floor`).
"""


def order_of_keeping(request: Request, groups: Partition) -> Floats:
    """Return a score, ``float64[n]``: the higher it is, the earlier a candidate is kept.

    If a share is kept, the best of each label come first, then the second best of each and so on
    down to the floor, then all others by their probability. If a precision is held, the most
    probable of each group come before these: nine tenths of as many as would have the precision if
    the probabilities were exact.
    """
    p = request.p.astype(np.float64)
    if not request.floor:
        return p
    rank, first = request.rank_in_label, _first(request, groups, p)
    by_floor = (rank >= 0) & (rank < request.floor) & (p >= LEAST) & ~first
    layer = 3 - (rank + 1 - p) / request.floor
    score: Floats = np.select([first, by_floor], [3 + p, layer], p)
    return score


def _first(request: Request, groups: Partition, p: Floats) -> Mask:
    """Return the candidates that come before any floor."""
    least = np.full(len(groups.names), np.inf)
    if request.precision is not None:
        for i in range(len(least)):
            inside = p[(request.excluded == 0) & (groups.code == i)]
            n_first = int(FIRST * round(share_above(inside, request.precision) * len(inside)))
            # Without any candidate to come first no floor can be paid for.
            least[i] = np.sort(inside)[-n_first] if n_first else 0
    first: Mask = p >= least[groups.code]
    return first


def floor_held(request: Request, dropped: Mask) -> int:
    """Return the number of the best of each label, at most the floor, that are all kept."""
    missed = request.rank_in_label[dropped & (request.p >= LEAST)]
    return int(missed.min(initial=request.floor))
