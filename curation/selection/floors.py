"""Floors: the best of each label are kept, so that rare labels are not lost to frequent ones.

With a floor of f the sets to choose from are "at least as probable as t, or among the f best of
its label": nested as those without a floor, so the same proofs hold for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from curation.intervals.judgements import Judgements, cut
from curation.intervals.learn_then_test import check_promise, largest_proved, unproved
from curation.pairs.pair_keys import pair_hash
from curation.selection.selection import Beyond, Selection, keep_rows, n_to_keep, rank_within
from labeling.keys.arrays import Floats32, Ints
from labeling.schemas import SCORED, check

ABOVE_ALL = 2.0
"""Score of the candidates that a floor keeps: above any probability."""


@dataclass(frozen=True, eq=False)
class Floored:
    """A selection with a floor.

    Attributes
    ----------
    selection
        What is kept. Its threshold is that of the candidates beside the floor.
    floor
        How many of the best of each label are kept, or all it has: what was asked for, or fewer.
    n_by_floor
        Candidates kept that are less probable than the threshold.
    """

    selection: Selection
    floor: int
    n_by_floor: int


def share_with_floor(scored: pa.Table, beyond: Beyond, floor: int, share: float = 1 / 3) -> Floored:
    """Keep as many candidates as `select_share`, the best of each label first.

    Where the floors do not fit into the share, the largest floor that does is held.

    Parameters
    ----------
    scored
        Table of `labeling.schemas.SCORED`.
    beyond
        See `curation.selection.selection.beyond_limits`: limits come before floors.
    floor
        How many of the best of each label to keep, 1 or more; of equally probable ones those with
        the smallest hash of the pair.
    share
        In (0, 1], of all candidates.

    Raises
    ------
    InputError
        As `select_share`.
    """
    n_kept = min(n_to_keep(scored, share), int(np.sum(beyond == 0)))
    p, rank = np.asarray(scored["p_correct"]), rank_within(scored, "label_id", beyond)
    held = _largest_that_fits(rank, floor, n_kept)
    score = _scores(p, rank, held)
    order = np.lexsort((pair_hash(scored), -score))
    kept = order[beyond[order] == 0][:n_kept]
    threshold = score[kept].min(initial=ABOVE_ALL)
    return _floored(scored, kept, beyond, held, float(threshold))


def proved_with_floor(
    scored: pa.Table,
    beyond: Beyond,
    judged: Judgements,
    floor: int,
    target: float,
    confidence: float = 0.95,
) -> Floored:
    """Keep as many as can be proved to be precise, with the best of each label as far as possible.

    Floors of `floor`, a half of it, a quarter and so on to 1 and none are tried, each with its
    share of the error that may be made: half of it for the first, the others alike. Of those with
    a set that is proved the largest is taken, and of that its largest set. With probability
    `confidence` over the draw of the audits, its precision is at least `target`.

    Raises
    ------
    ConfigError
        For a target or confidence that is not in (0, 1).
    InputError
        For a table of another schema (a probability that is NaN, too).
    QualityError
        If nothing can be proved even without a floor.
    """
    check(scored, SCORED, where="scored")
    check_promise(target, confidence)
    p, rank = np.asarray(scored["p_correct"]), rank_within(scored, "label_id", beyond)
    for held, error in _ladder(floor, 1 - confidence):
        score = _scores(p, rank, held)
        cuts = cut(judged, score, beyond == 0)
        row = largest_proved(cuts, target, error)
        if row is not None:
            threshold = float(cuts.threshold[row])
            kept = np.flatnonzero((beyond == 0) & (score >= threshold))
            return _floored(scored, kept, beyond, held, threshold)
    raise unproved(cuts, target, confidence, error)


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
    """Return the largest floor, up to the one asked for, that keeps no more than `n_kept`."""
    n_within = np.cumsum(np.bincount(rank[rank >= 0]))[:floor]
    fit = int(np.searchsorted(n_within, n_kept, side="right"))
    return floor if fit == len(n_within) else fit


def _floored(scored: pa.Table, kept: Ints, beyond: Beyond, floor: int, threshold: float) -> Floored:
    n_by_floor = int(np.sum(np.asarray(scored["p_correct"])[kept] < threshold))
    beside = threshold if threshold < ABOVE_ALL else None
    return Floored(keep_rows(scored, kept, beyond, beside), floor, n_by_floor)
