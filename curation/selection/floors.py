"""Floors: the best of each label are kept, so that rare labels are not lost to frequent ones.

Only candidates of at least the probability `LEAST` count.

A floor changes the order in which candidates are kept, and nothing else. The sets to choose from
stay nested and depend on no verdict, so the same estimates and proofs hold for them.
"""

from __future__ import annotations

import numpy as np

from curation.audits.two_phase import share_above
from curation.selection.groups import Partition
from curation.selection.selection import Request, n_to_keep
from labeling.keys.arrays import Floats, Ints, Mask

LEAST = 0.2
"""Probability that a floor asks for: less probable pairs cost precision, and a network trained on
them was no better (`docs/results/worth.md`)."""

FEW = 20
"""Images below which a label is hardly learned."""

FIRST = 0.9
"""Part of the candidates to keep, or expected to hold a precision, that comes before any floor.

The rest pays for the floor. Where labels are many and candidates few, a floor would else be the
whole selection. Where the floor came before a proof, a few wrong pairs of rare labels ended it at
once, and several tries shared the error: 7 to 25 % less was kept in simulations, now at most 3 %
(`tests/benchmarks/guarantee.py --floor`).
"""


def order_of_keeping(request: Request, groups: Partition) -> Floats:
    """Return a score, ``float64[n]``: the higher it is, the earlier a candidate is kept.

    The most probable of each group come first: nine tenths of the share to keep or, if a precision
    is held, of as many as would have it if the probabilities were exact. Then come the best of each
    label, the second best of each and so on down to the floor, then all others by their
    probability.
    """
    p = request.p.astype(np.float64)
    if not request.floor:
        return p
    first = expected_best(request, groups, p, FIRST)
    rows = np.flatnonzero(in_floor(request))
    score = p.copy()
    score[rows] = layer_of_floor(request, rows)
    score[first] = 3 + p[first]
    return score


def layer_of_floor(request: Request, rows: Ints) -> Floats:
    """Return the score of candidates of a floor, in [2, 3]: the best of each label come first."""
    p, rank = request.p[rows].astype(np.float64), request.rank_in_label[rows]
    layer: Floats = 3 - (rank + 1 - p) / max(request.floor, 1)
    return layer


def in_floor(request: Request) -> Mask:
    """Return the best of each label, down to the floor and to `LEAST`."""
    rank = request.rank_in_label
    best: Mask = (rank >= 0) & (rank < request.floor) & (request.p >= LEAST)
    return best


def expected_best(request: Request, groups: Partition, score: Floats, part: float = 1) -> Mask:
    """Return the candidates of each group that are expected to be kept.

    These are the share to keep or, if a precision is held, as many as would have it if the
    probabilities were exact.

    Parameters
    ----------
    score
        ``float64[n]``: the order in which candidates are kept; ties go to the smaller hash.
    part
        Part of their number to return, the best first.
    """
    allowed = request.excluded == 0
    share = min(n_to_keep(request.scored, request.keep) / max(int(allowed.sum()), 1), 1.0)
    best = np.zeros(len(score), bool)
    for i in range(len(groups.names)):
        inside = np.flatnonzero(allowed & (groups.code == i))
        if request.precision is not None:
            share = share_above(request.p[inside], request.precision)
            # `share_above` returns one candidate if none is precise enough: then no floor is paid.
            share = share if round(share * len(inside)) > 1 else 1
        order = np.lexsort((request.draw[inside], -score[inside]))
        best[inside[order[: int(part * round(share * len(inside)))]]] = True
    return best


def floor_held(request: Request, dropped: Mask) -> int:
    """Return the number of the best of each label, at most the floor, that are all kept."""
    missed = request.rank_in_label[dropped & (request.p >= LEAST)]
    return int(missed.min(initial=request.floor))
