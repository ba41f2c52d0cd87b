"""Further draws of audits, near the threshold that the scores suggest.

The first audits are drawn by the cold score (`curation.audits.audits.sample`). Once a run is
scored, further audits can be drawn from the pairs that may be kept: a sample in two phases (Neyman
1938, "Contribution to the theory of sampling human populations"), or in more. The strata are cells:
bands of the score, each divided by the rates of the earlier draws. Within a cell all pairs are
equally likely in all draws, so the cell's share of audited pairs is their inclusion probability.
Scores are cross-fitted, so that the cell of a pair does not depend on its own verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.audits.audits import CELL, draw_order, questions
from curation.pairs.pair_keys import pair_hash
from labeling.keys.arrays import Floats, Ints, Mask
from labeling.keys.hashing import Hashes
from labeling.schemas import Batch

N_OUTSIDE, OUTER = 3, 1.6
"""Number of bands of pairs that are unlikely to be kept, and where they begin.

That is a multiple of the share that will be kept. The pairs between them and those that may be kept
are a band of their own.
"""


@dataclass(frozen=True)
class Design:
    """Bands of pairs that may be kept, and the rates at which they are drawn.

    Attributes
    ----------
    inner
        Pairs that may be kept, as a multiple of the share that will be kept.
    inside
        Rate of each of their bands, the lowest first.
    between, outside
        Rates of the band between, and of the bands outside.
    is_flat
        Whether rates are those of all draws together, so that those of earlier draws are levelled
        out; else of this draw alone.
    """

    inner: float
    inside: tuple[float, ...]
    between: float
    outside: float
    is_flat: bool

    @property
    def wanted(self) -> Floats:
        """Rate at which pairs of each band are drawn, in proportion; the lowest band first."""
        return np.array([*[self.outside] * N_OUTSIDE, self.between, *self.inside])


FOR_SHARE = Design(1.2, (30.0, 48.0, 40.0, 32.0, 24.0, 16.0), 8.0, 1.0, is_flat=False)
"""For the interval of a share.

Of the pairs that may be kept the least probable are drawn most often, because their verdicts vary
most (Neyman 1934, "On the two different aspects of the representative method").
"""

N_CLASSES = 8
"""Rates of earlier draws that cells distinguish, at most."""

SAME_RATE = 1.2
"""Ratio of rates up to which they are taken as equal."""

LAST = 1e-200
"""Rate of pairs that are drawn when all others have been."""

FOR_PRECISION = Design(1.15, (1.0, 1.0, 1.0), LAST, LAST, is_flat=True)
"""For a proof: equally likely pairs make the binomial tests of all sets exact.

Unequal rates favour one threshold, but a proof needs evidence at all that come before it. In
simulations a margin of 1.15 proves more than 1 or 1.3 (`tests/benchmarks/guarantee.py`).
"""


@dataclass(frozen=True, eq=False)
class Cells:
    """Strata of a further draw, in the order of the candidates.

    Attributes
    ----------
    cell
        ``int8[n]``: the band of the score, 0 for the lowest, times `n_classes`; plus the
        class of the rate at which earlier draws took pairs of its stratum, 0 for the lowest.
    asked
        ``bool[n]``: whether the pair was judged after the earlier draws.
    design
        Bands and rates.
    n_classes
        Number of classes of rates, at most.
    """

    cell: npt.NDArray[np.int8]
    asked: Mask
    design: Design
    n_classes: int = N_CLASSES

    @property
    def band(self) -> npt.NDArray[np.int8]:
        """The band of each pair, ``int8[n]``."""
        return (self.cell // self.n_classes).astype(np.int8)


def make_cells(
    pairs: Batch,
    p_correct: npt.NDArray[np.floating],
    share: float,
    first: npt.NDArray[np.int8],
    asked: Mask,
    design: Design = FOR_SHARE,
) -> Cells:
    """Return the cells of the candidates.

    Parameters
    ----------
    pairs
        Table with ``image_id`` and ``label_id``, the candidates.
    p_correct
        ``float[n]``: their scores; equal ones are ordered by a hash of the pair.
    share
        In (0, 1]: the approximate share of the candidates that will be kept.
    first
        ``int8[n]``: strata of the earlier draws.
    asked
        ``bool[n]``: the pairs that were judged after them, at least one.
    design
        Bands and rates.

    Examples
    --------
    >>> pairs = pa.table({"image_id": ["0" * 32] * 20, "label_id": [f"l{i}" for i in range(20)]})
    >>> p = np.arange(20) / 20
    >>> cells = make_cells(pairs, p, 1 / 2, np.zeros(20, np.int8), p > 0.9)
    >>> cells.band.tolist()
    [0, 1, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9]
    """
    n = len(p_correct)
    rank = np.empty(n, np.int64)
    rank[np.lexsort((pair_hash(pairs), -np.asarray(p_correct)))] = np.arange(n)
    inner, outer = (min(max(round(times * share * n), 1), n) for times in (design.inner, OUTER))
    n_inside = len(design.inside)
    edges = np.concatenate(
        [
            np.arange(1, n_inside + 1) * inner / n_inside,
            [outer],
            outer + np.arange(1, N_OUTSIDE) * (n - outer) / N_OUTSIDE,
        ]
    )
    band = len(edges) - np.searchsorted(edges, rank, side="right")
    return Cells((N_CLASSES * band + _classes(first, asked)).astype(np.int8), asked, design)


def _classes(first: npt.NDArray[np.int8], asked: Mask) -> Ints:
    """Return ``int64[n]``: the class of the rate at which pairs of each stratum were drawn.

    Examples
    --------
    >>> asked = np.array([1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], bool)
    >>> _classes(np.repeat(np.arange(4), 4), asked)[::4].tolist()
    [0, 1, 0, 0]
    """
    size = np.bincount(first)
    rate = np.bincount(first[asked], minlength=len(size)) / np.maximum(size, 1)
    rate = np.maximum(rate, rate[rate > 0].min())
    distinct = np.sort(rate)
    # The widest gaps separate the classes; rates that differ less are equal except for rounding.
    gap = distinct[1:] / distinct[:-1]
    widest = np.sort(np.argsort(-gap, kind="stable")[: N_CLASSES - 1])
    edges = distinct[:-1][widest[gap[widest] > SAME_RATE]]
    classes: Ints = np.searchsorted(edges, rate, side="left")[first]
    return classes


def share_above(p_correct: npt.NDArray[np.floating], precision: float) -> float:
    """Return the largest share of the most probable whose mean probability reaches a precision.

    Examples
    --------
    >>> share_above(np.array([0.2, 0.9, 0.7, 0.6]), 0.8)
    0.5
    """
    best = np.sort(np.asarray(p_correct, np.float64))[::-1]
    held = np.flatnonzero(np.cumsum(best) / np.arange(1, len(best) + 1) >= precision)
    return float(held[-1] + 1) / len(best) if len(held) else 1 / max(len(best), 1)


def draw_again(pairs: Batch, cells: Cells, n: int, seed: int, *, kind: Hashes) -> pa.Table:
    """Draw further pairs by the bands of the score, at the rates of the design.

    Within a cell each pair is equally likely. A larger `n` keeps the pairs of a smaller one and
    adds to them. The first pairs of the list, however many, are spread over bands and kinds.

    Parameters
    ----------
    pairs
        Table with ``image_id`` and ``label_id``, the candidates.
    cells
        Their strata.
    n
        Number of pairs including those of the earlier draws; all pairs if there are fewer.
    seed
        Seed of the draw.
    kind
        ``uint64[n_pairs]``: as for `curation.audits.audits.sample`.

    Returns
    -------
    pa.Table
        The columns `curation.audits.audits.QUESTIONS`: the pairs of the earlier draws come first.
    """
    free, n_more = np.flatnonzero(~cells.asked), max(n - int(cells.asked.sum()), 0)
    draw = pair_hash(pairs, seed)[free]
    wanted = cells.design.wanted
    if cells.design.is_flat:
        n_cells = len(wanted) * cells.n_classes
        n_asked = np.bincount(cells.cell[cells.asked], minlength=n_cells)
        size = np.bincount(cells.cell, minlength=n_cells)
        weight = np.repeat(wanted, cells.n_classes) * size
        order = draw_order(cells.cell[free], weight, kind[free], draw, seed, n_more, n_asked)
    else:
        band = cells.band[free]
        weight = wanted * np.bincount(band, minlength=len(wanted))
        order = draw_order(band, weight, kind[free], draw, seed, n_more)
    rows = np.concatenate([np.flatnonzero(cells.asked), free[order]])
    return questions(pairs, rows, CELL, cells.cell)
