"""Floors: the best of each label are kept, so that rare labels are not lost to frequent ones.

With a floor of f the sets to choose from are "at least as probable as t, or among the f best of
its label". They are nested like those without a floor, so the same proofs hold for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from curation.intervals.learn_then_test import check_target, largest_proved, unproved
from curation.intervals.thresholds import thresholds
from curation.pairs.pair_keys import pair_hash
from curation.selection.selection import Request, Selection, keep_rows, n_to_keep, rank_within
from labeling.checks import check
from labeling.keys.arrays import Floats32, Ints
from labeling.schemas import SCORED

ABOVE_ALL = 2.0
"""Score of the candidates that a floor keeps: above any probability."""


def select_with_floor(request: Request, floor: int) -> Selection:
    """Keep a share or hold a precision, with the best of each label where possible.

    A share keeps as many candidates as `curation.selection.selection.select_share`. If the floors
    exceed the share, the largest floor that fits is used.

    For a precision the floors `floor`, a half of it, a quarter and so on to 1 and none are tried.
    The first may use half of the allowed error, the others share the rest equally. The largest
    floor with a proved set is used, with its largest set: with probability ``confidence`` over the
    draw of the audits, the precision of that set is at least the target.

    Parameters
    ----------
    request
        Its limits come before the floor.
    floor
        Number of the best of each label to keep, 1 or more; ties go to the smaller hash of the
        pair.

    Returns
    -------
    Selection
        Its threshold is that of the other candidates. Facts: ``floor_held``, the floor used, and
        ``n_by_floor``, the number of candidates kept below the threshold.

    Raises
    ------
    ConfigError
        For a precision or confidence that is not in (0, 1).
    InputError
        For a share out of range, or a table of another schema (also for a probability of NaN).
    QualityError
        If nothing can be proved even without a floor.
    """
    if request.precision is None:
        return _keep_share(request, floor)
    return _hold_precision(request, floor, request.precision)


def _keep_share(request: Request, floor: int) -> Selection:
    scored, allowed = request.scored, request.excluded == 0
    n_kept = min(n_to_keep(scored, request.keep), int(allowed.sum()))
    rank = rank_within(scored, "label_id", request.excluded)
    held = _largest_that_fits(rank, floor, n_kept)
    score = _scores(request.p, rank, held)
    order = np.lexsort((pair_hash(scored), -score))
    kept = order[allowed[order]][:n_kept]
    return _selection(request, kept, held, float(score[kept].min(initial=ABOVE_ALL)))


def _hold_precision(request: Request, floor: int, target: float) -> Selection:
    check(request.scored, SCORED, where="scored")
    check_target(target, request.confidence)
    allowed = request.excluded == 0
    rank = rank_within(request.scored, "label_id", request.excluded)
    for held, error in _ladder(floor, 1 - request.confidence):
        score = _scores(request.p, rank, held)
        cuts = thresholds(request.judged, score, allowed)
        row = largest_proved(cuts, target, error)
        if row is not None:
            threshold = float(cuts.threshold[row])
            kept = np.flatnonzero(allowed & (score >= threshold))
            return _selection(request, kept, held, threshold)
    raise unproved(cuts, target, request.confidence, error)


def _ladder(floor: int, error: float) -> Iterator[tuple[int, float]]:
    """Yield floors to try, and the error that each may make.

    Examples
    --------
    >>> [(held, round(error, 3)) for held, error in _ladder(5, 0.06)]
    [(5, 0.03), (2, 0.01), (1, 0.01), (0, 0.01)]
    """
    lower = [floor >> i for i in range(1, floor.bit_length() + 1)]
    yield floor, error / 2
    for held in lower:
        yield held, error / 2 / len(lower)


def _scores(p: Floats32, rank: Ints, floor: int) -> Floats32:
    return np.where((rank >= 0) & (rank < floor), np.float32(ABOVE_ALL), p)


def _largest_that_fits(rank: Ints, floor: int, n_kept: int) -> int:
    """Return the largest floor, at most `floor`, that keeps no more than `n_kept`."""
    n_within = np.cumsum(np.bincount(rank[rank >= 0]))[:floor]
    fit = int(np.searchsorted(n_within, n_kept, side="right"))
    return floor if fit == len(n_within) else fit


def _selection(request: Request, kept: Ints, floor: int, threshold: float) -> Selection:
    shown = threshold if threshold < ABOVE_ALL else None
    selection = keep_rows(request.scored, kept, request.excluded, shown)
    n_by_floor = int(np.sum(request.p[kept] < threshold))
    return replace(selection, facts={"floor_held": floor, "n_by_floor": n_by_floor})
