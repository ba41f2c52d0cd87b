from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from curation.audits.audits import CELL, QUESTIONS, bands, sample, stratum_columns
from curation.audits.two_phase import (
    FOR_PRECISION,
    FOR_SHARE,
    N_OUTSIDE,
    draw_again,
    make_cells,
    share_above,
)
from curation.intervals.precision import precision_interval
from curation.pairs.pair_keys import find_pairs
from labeling.keys.ids import digest

N = 4000
PAIRS = pa.table({"image_id": [digest(str(i)) for i in range(N)], "label_id": ["thing"] * N})
RNG = np.random.default_rng(0)
Z = RNG.normal(-0.2, 1.6, N)
CORRECT = RNG.random(N) < expit(2.2 * Z)
P = expit(2.2 * Z + RNG.normal(0, 1.0, N))
COLD = Z + RNG.normal(0, 2, N)
BAND = bands(PAIRS, COLD)
KIND = RNG.integers(0, 3, N).astype(np.uint64)


def cells_after(n_first, share=1 / 3, seed=0, design=FOR_SHARE):
    first = find_pairs(sample(PAIRS, COLD, n_first, seed), PAIRS)
    asked = np.zeros(N, bool)
    asked[first] = True
    return make_cells(PAIRS, P, share, BAND, asked, design)


def rates_of(cells, asked):
    size = np.bincount(cells.cell)
    n_asked = np.bincount(cells.cell[asked], minlength=len(size))
    return np.divide(n_asked, size, out=np.full(len(size), np.nan), where=size > 0)


def test_bands_of_scores_are_even_inside_and_outside_of_what_may_be_kept():
    band = cells_after(200, share=0.25).band
    assert np.bincount(band).tolist() == [800] * N_OUTSIDE + [400] + [200] * 6
    for i in range(1, band.max() + 1):
        assert P[band == i].min() >= P[band == i - 1].max()


def test_cells_distinguish_pairs_that_the_first_draw_preferred():
    cells = cells_after(300)
    often = cells.cell % cells.n_classes == 1
    assert np.array_equal(np.unique(BAND[often]), np.arange(5, 10))
    assert np.array_equal(np.unique(BAND[~often]), np.arange(5))


def test_pairs_that_may_be_kept_are_drawn_more_often():
    cells = cells_after(100)
    drawn = find_pairs(draw_again(PAIRS, cells, 500, 0, kind=KIND), PAIRS)
    new = drawn[~cells.asked[drawn]]
    free = np.bincount(cells.band[~cells.asked])
    rate = np.bincount(cells.band[new], minlength=len(free)) / free
    wanted = FOR_SHARE.wanted
    np.testing.assert_allclose(rate / rate.sum(), wanted / wanted.sum(), atol=0.02)


def test_pairs_for_a_proof_are_equally_likely_in_both_draws_together():
    cells = cells_after(150, share=0.3, design=FOR_PRECISION)
    inside = np.argsort(-P)[: round(0.3 * FOR_PRECISION.inner * N)]
    drawn = find_pairs(draw_again(PAIRS, cells, 450, 0, kind=KIND), PAIRS)
    new = drawn[150:]
    assert np.isin(new, inside).all()
    rate = rates_of(cells, drawn)[np.unique(cells.cell[inside])]
    np.testing.assert_allclose(rate, rate.mean(), atol=0.01)


def test_a_third_draw_levels_the_rates_of_the_second():
    second = cells_after(150, share=0.2, design=FOR_PRECISION)
    drawn = find_pairs(draw_again(PAIRS, second, 300, 0, kind=KIND), PAIRS)
    asked = np.isin(np.arange(N), drawn)
    better = P + np.random.default_rng(1).normal(0, 0.05, N)
    third = make_cells(PAIRS, better, 0.35, second.cell, asked, FOR_PRECISION)
    for cell in np.unique(third.cell):
        rates = rates_of(second, drawn)[np.unique(second.cell[third.cell == cell])]
        assert rates.max() <= 1.5 * rates.min() or rates.max() < 0.01
    row = find_pairs(draw_again(PAIRS, third, 900, 0, kind=KIND), PAIRS)
    assert np.isin(drawn, row).all()
    inside = np.argsort(-better)[: round(0.35 * FOR_PRECISION.inner * N)]
    rate = rates_of(third, row)[np.unique(third.cell[inside])]
    np.testing.assert_allclose(rate, rate.mean(), atol=0.04)  # cells of 20 pairs round by 0.025


def test_pairs_beyond_those_that_may_be_kept_are_drawn_when_all_others_are():
    cells = cells_after(150, share=0.05, design=FOR_PRECISION)
    inside = np.argsort(-P)[: round(0.05 * FOR_PRECISION.inner * N)]
    drawn = find_pairs(draw_again(PAIRS, cells, 1000, 0, kind=KIND), PAIRS)
    assert np.isin(inside, drawn).all() and len(np.unique(drawn)) == 1000


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 400), st.integers(0, N + 10), st.integers(0, N + 10))
def test_a_larger_draw_holds_the_smaller_one_and_what_was_asked_before(n_first, n, m):
    cells = cells_after(n_first)
    small, large = (
        find_pairs(draw_again(PAIRS, cells, size, 3, kind=KIND), PAIRS) for size in sorted((n, m))
    )
    assert np.array_equal(large[: len(small)], small)
    assert len(np.unique(large)) == len(large) == min(max(n, m, n_first), N)
    assert np.array_equal(np.sort(large[:n_first]), np.flatnonzero(cells.asked))


def test_inclusion_is_the_drawn_share_of_a_cell():
    cells = cells_after(200)
    drawn = draw_again(PAIRS, cells, 600, 1, kind=KIND)
    assert drawn.column_names == list(QUESTIONS)
    row = find_pairs(drawn, PAIRS)
    p_inclusion = drawn["p_inclusion"].to_numpy()
    np.testing.assert_allclose(p_inclusion, rates_of(cells, row)[cells.cell[row]])
    assert np.sum(1 / p_inclusion) == pytest.approx(N)


def test_intervals_of_both_draws_together_hold_the_truth():
    order = np.lexsort((np.arange(N), -P))
    kept = np.zeros(N, bool)
    kept[order[: N // 3]] = True
    truth, hit, n_inside, n_single = CORRECT[kept].mean(), 0, 0, 0
    for seed in range(60):
        cells = cells_after(150, seed=seed)
        row = find_pairs(draw_again(PAIRS, cells, 450, seed, kind=KIND), PAIRS)
        inside = kept[row]
        interval = precision_interval(
            CORRECT[row][inside],
            stratum_columns(CELL, cells.cell, row)["p_inclusion"].to_numpy()[inside],
            stratum=cells.cell[row][inside].astype(np.int64),
            n_kept=np.bincount(cells.cell[kept], minlength=cells.cell.max() + 1),
        )
        hit += interval.low <= truth <= interval.high
        single = find_pairs(sample(PAIRS, COLD, 450, seed), PAIRS)
        n_inside, n_single = n_inside + inside.sum(), n_single + kept[single].sum()
    assert hit >= 54
    assert n_inside > 1.4 * n_single


def test_the_share_where_the_mean_probability_falls_below_a_precision():
    assert share_above(np.array([0.9, 0.9, 0.3]), 0.95) == pytest.approx(1 / 3)
    assert share_above(np.array([0.3, 0.9, 0.9]), 0.9) == pytest.approx(2 / 3)
    assert share_above(np.array([0.9, 0.9]), 0.5) == 1
