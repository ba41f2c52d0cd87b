"""Draw further audits where scores say that the threshold will fall.

The first audits are drawn by the cold score (`curation.audits.audits.sample`). Once a run is scored
the rest can go where it bears on what is kept: a sample in two phases (Neyman 1938, "Contribution
to the theory of sampling human populations"). The strata are cells of the score's bands and of how
often the first phase drew: within a cell all pairs were as likely as one another in both phases, so
its share of audited pairs is their inclusion probability. Scores are cross-fitted: the cell of a
pair does not depend on its own verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.audits.audits import QUESTIONS, shares_drawn, spread
from curation.pairs.pair_keys import pair_hash
from labeling.keys.arrays import Mask
from labeling.schemas import Batch

N_INSIDE, N_OUTSIDE = 6, 3
"""Bands of the score: of the pairs that may be kept, and of those that will hardly be."""

INNER, OUTER = 1.2, 1.6
"""Times as many pairs as will be kept that may be, and that may be once more is learnt.

Between the two lies a band of its own.
"""

WANTED = np.array([1.0] * N_OUTSIDE + [8.0] + [30.0, 48.0, 40.0, 32.0, 24.0, 16.0])
"""How likely a pair of each band is drawn, in proportion; the lowest band first.

Of what will be kept the least probable are drawn most often, for their verdicts vary most (Neyman
1934, "On the two different aspects of the representative method").
"""

N_CELLS = 2 * len(WANTED)


@dataclass(frozen=True, eq=False)
class Cells:
    """Strata of a second phase, in the order of the candidates.

    Attributes
    ----------
    cell
        ``int8[n]``: twice the band of the score, 0 for the lowest; one more where the first phase
        drew often.
    asked
        ``bool[n]``: was the pair judged in the first phase?
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
    """Cut candidates into cells.

    Parameters
    ----------
    pairs
        Table with ``image_id`` and ``label_id``, the candidates.
    p_correct
        ``float[n]``: their scores; equal ones are cut by a hash of the pair.
    share
        In (0, 1]: the share of the candidates that will be kept, about.
    first
        ``int8[n]``: strata that the first phase drew by.
    asked
        ``bool[n]``: the pairs that were judged in it, at least one.

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
    often = rate > np.sqrt(rate[rate > 0].min() * rate.max())
    return Cells((2 * band + often[first]).astype(np.int8), asked)


def share_above(p_correct: npt.NDArray[np.floating], precision: float) -> float:
    """Return the largest share of the best whose mean probability is a precision; 1 for all.

    Examples
    --------
    >>> share_above(np.array([0.2, 0.9, 0.7, 0.6]), 0.8)
    0.5
    """
    best = np.sort(np.asarray(p_correct, np.float64))[::-1]
    held = np.flatnonzero(np.cumsum(best) / np.arange(1, len(best) + 1) >= precision)
    return float(held[-1] + 1) / len(best) if len(held) else 1 / max(len(best), 1)


def draw_again(
    pairs: Batch, cells: Cells, n: int, seed: int, *, kind: npt.NDArray[np.uint64]
) -> pa.Table:
    """Draw pairs that the first phase did not ask for, by the bands of the score.

    Bands are drawn from as `WANTED`; within a band every pair is as likely as another. A larger `n`
    keeps the pairs of a smaller one and adds to them, and any beginning is spread over the bands,
    and within them over the kinds of pairs.

    Parameters
    ----------
    n
        Number of pairs in all, with those asked for before; all where there are fewer.

    Returns
    -------
    pa.Table
        The columns `curation.audits.audits.QUESTIONS`: first the pairs asked for before.
    """
    free = np.flatnonzero(~cells.asked)
    band, draw = cells.cell[free] // 2, pair_hash(pairs, seed)[free]
    size = np.bincount(band, minlength=N_CELLS // 2)
    order = np.lexsort((draw, spread(band, kind[free], draw, seed), band))
    place = np.empty(len(free), np.int64)
    place[order] = np.arange(len(free)) - (np.cumsum(size) - size)[band[order]]
    turn = (place + 0.5) / (WANTED * size)[band]
    second = free[np.lexsort((draw, turn))[: max(n - int(cells.asked.sum()), 0)]]
    rows = np.concatenate([np.flatnonzero(cells.asked), second])
    columns = {
        "image_id": pairs.column("image_id").take(pa.array(rows)),
        "label_id": pairs.column("label_id").take(pa.array(rows)),
        "seq": pa.array(np.arange(len(rows))),
        "stratum": cell_names(cells.cell[rows]),
        "p_inclusion": pa.array(shares_drawn(cells.cell, rows)),
    }
    return pa.table(columns).select(list(QUESTIONS))


def cell_names(cell: npt.NDArray[np.int8]) -> pa.Array:
    """Return the name of each cell, as audits carry it.

    Examples
    --------
    >>> cell_names(np.array([0, 19], np.int8)).to_pylist()
    ['cell-0', 'cell-19']
    """
    return pa.array([f"cell-{i}" for i in range(N_CELLS)]).take(pa.array(cell))
