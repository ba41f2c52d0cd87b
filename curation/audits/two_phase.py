"""A second draw of audits, near the threshold that the scores suggest.

The first audits are drawn by the cold score (`curation.audits.audits.sample`). Once a run is
scored, further audits can be drawn from the pairs that may be kept: a sample in two phases (Neyman
1938, "Contribution to the theory of sampling human populations"). The strata are cells: bands of
the score, each divided by the rate of the first draw. Within a cell all pairs are equally likely in
both draws, so the cell's share of audited pairs is their inclusion probability. Scores are
cross-fitted, so that the cell of a pair does not depend on its own verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.audits.audits import CELL, draw_order, questions
from curation.pairs.pair_keys import pair_hash
from labeling.keys.arrays import Mask
from labeling.keys.hashing import Hashes
from labeling.schemas import Batch

N_INSIDE, N_OUTSIDE = 6, 3
"""Number of bands of pairs that may be kept, and of pairs that are unlikely to be kept."""

INNER, OUTER = 1.2, 1.6
"""Pairs that may be kept, and those that may be kept after further audits, as multiples of `share`.

The pairs between the two are a band of their own.
"""

WANTED = np.array([1.0] * N_OUTSIDE + [8.0] + [30.0, 48.0, 40.0, 32.0, 24.0, 16.0])
"""Rate at which pairs of each band are drawn, in proportion; the lowest band first.

Of the pairs that may be kept the least probable are drawn most often, because their verdicts vary
most (Neyman 1934, "On the two different aspects of the representative method").
"""


@dataclass(frozen=True, eq=False)
class Cells:
    """Strata of the second draw, in the order of the candidates.

    Attributes
    ----------
    cell
        ``int8[n]``: twice the band of the score, 0 for the lowest; plus one if the first draw took
        many pairs of its stratum.
    asked
        ``bool[n]``: whether the pair was judged after the first draw.
    """

    cell: npt.NDArray[np.int8]
    asked: Mask


def make_cells(
    pairs: Batch,
    p_correct: npt.NDArray[np.floating],
    share: float,
    first: npt.NDArray[np.int8],
    asked: Mask,
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
        ``int8[n]``: strata of the first draw.
    asked
        ``bool[n]``: the pairs that were judged after it, at least one.

    Examples
    --------
    >>> pairs = pa.table({"image_id": ["0" * 32] * 20, "label_id": [f"l{i}" for i in range(20)]})
    >>> p = np.arange(20) / 20
    >>> cells = make_cells(pairs, p, 1 / 2, np.zeros(20, np.int8), p > 0.9)
    >>> (cells.cell // 2).tolist()
    [0, 1, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9]
    """
    n = len(p_correct)
    rank = np.empty(n, np.int64)
    rank[np.lexsort((pair_hash(pairs), -np.asarray(p_correct)))] = np.arange(n)
    inner, outer = (min(max(round(times * share * n), 1), n) for times in (INNER, OUTER))
    edges = np.concatenate(
        [
            np.arange(1, N_INSIDE + 1) * inner / N_INSIDE,
            [outer],
            outer + np.arange(1, N_OUTSIDE) * (n - outer) / N_OUTSIDE,
        ]
    )
    band = len(WANTED) - 1 - np.searchsorted(edges, rank, side="right")
    size = np.bincount(first)
    rate = np.bincount(first[asked], minlength=len(size)) / np.maximum(size, 1)
    # The first draw has two rates; their geometric mean separates them.
    often = rate > np.sqrt(rate[rate > 0].min() * rate.max())
    return Cells((2 * band + often[first]).astype(np.int8), asked)


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
    """Draw further pairs by the bands of the score, at the rates of `WANTED`.

    Within a band each pair is equally likely. A larger `n` keeps the pairs of a smaller one and
    adds to them. The first pairs of the list, however many, are spread over bands and kinds.

    Parameters
    ----------
    pairs
        Table with ``image_id`` and ``label_id``, the candidates.
    cells
        Their strata.
    n
        Number of pairs including those of the first draw; all pairs if there are fewer.
    seed
        Seed of the draw.
    kind
        ``uint64[n_pairs]``: as for `curation.audits.audits.sample`.

    Returns
    -------
    pa.Table
        The columns `curation.audits.audits.QUESTIONS`: the pairs of the first draw come first.
    """
    free = np.flatnonzero(~cells.asked)
    band, draw = cells.cell[free] // 2, pair_hash(pairs, seed)[free]
    weight = WANTED * np.bincount(band, minlength=len(WANTED)).astype(np.float64)
    order = draw_order(band, weight, kind[free], draw, seed)
    second = free[order[: max(n - int(cells.asked.sum()), 0)]]
    return questions(pairs, np.concatenate([np.flatnonzero(cells.asked), second]), CELL, cells.cell)
