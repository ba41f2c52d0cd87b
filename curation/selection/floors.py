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
    first = np.zeros(len(p), bool)
    if request.precision is not None:
        first = expected_best(request, groups, p, request.precision, FIRST)
    layer = 3 - (request.rank_in_label + 1 - p) / request.floor
    score: Floats = np.select([first, in_floor(request)], [3 + p, layer], p)
    return score


def in_floor(request: Request) -> Mask:
    """Return the best of each label, down to the floor and to `LEAST`."""
    rank = request.rank_in_label
    best: Mask = (rank >= 0) & (rank < request.floor) & (request.p >= LEAST)
    return best


def expected_best(
    request: Request, groups: Partition, score: Floats, target: float, part: float = 1
) -> Mask:
    """Return the best of each group that would have a precision if probabilities were exact.

    Parameters
    ----------
    score
        ``float64[n]``: the order in which candidates are kept.
    target
        Precision, in (0, 1).
    part
        Part of their number to return, the best first; ties with the last are not broken.
    """
    least = np.full(len(groups.names), np.inf)
    for i in range(len(least)):
        inside = (request.excluded == 0) & (groups.code == i)
        n_best = int(part * round(share_above(request.p[inside], target) * inside.sum()))
        # If no candidate is expected to be precise enough, none has to come after another.
        least[i] = np.sort(score[inside])[-n_best] if n_best else -np.inf
    best: Mask = (request.excluded == 0) & (score >= least[groups.code])
    return best


def floor_held(request: Request, dropped: Mask) -> int:
    """Return the number of the best of each label, at most the floor, that are all kept."""
    missed = request.rank_in_label[dropped & (request.p >= LEAST)]
    return int(missed.min(initial=request.floor))
