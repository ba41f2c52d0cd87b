from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.audits.audits import N_BANDS, QUESTIONS, answer, bands, sample
from labeling.checks import check
from labeling.errors import InputError
from labeling.keys.ids import digest
from labeling.schemas import AUDITS, TRUTH

N = 2000
PAIRS = pa.table(
    {
        "image_id": [digest(str(i // 2)) for i in range(N)],
        "label_id": [f"label-{i % 2}" for i in range(N)],
    }
)
COLD = np.random.default_rng(0).random(N)


def keys(table):
    return list(zip(table["image_id"].to_pylist(), table["label_id"].to_pylist(), strict=True))


def test_bands_are_tenths_in_the_order_of_the_score():
    band = bands(PAIRS, COLD)
    assert np.bincount(band).tolist() == [N // N_BANDS] * N_BANDS
    assert all(COLD[band == b].max() < COLD[band == b + 1].min() for b in range(N_BANDS - 1))


def test_bands_of_equal_scores_do_not_depend_on_the_order_of_rows():
    order = np.random.default_rng(1).permutation(N)
    band = bands(PAIRS, np.zeros(N))
    assert np.array_equal(bands(PAIRS.take(order), np.zeros(N)), band[order])
    assert np.bincount(band).tolist() == [N // N_BANDS] * N_BANDS


def test_inclusion_probabilities_are_drawn_over_size():
    drawn = sample(PAIRS, COLD, 300, seed=1)
    assert drawn.column_names == list(QUESTIONS)
    assert drawn["seq"].to_pylist() == list(range(300))
    assert len(set(keys(drawn))) == 300
    band, size = bands(PAIRS, COLD), N // N_BANDS
    row_of = {pair: row for row, pair in enumerate(keys(PAIRS))}
    drawn_band = band[[row_of[pair] for pair in keys(drawn)]]
    n_drawn = np.bincount(drawn_band, minlength=N_BANDS)
    assert n_drawn.tolist() == [20] * 5 + [40] * 5
    assert np.allclose(drawn["p_inclusion"], n_drawn[drawn_band] / size)
    assert drawn["stratum"].to_pylist() == [f"band-{b}" for b in drawn_band]


@given(st.integers(0, N + 50), st.integers(0, N + 50), st.integers(0, 3))
def test_a_larger_sample_holds_the_smaller_one(n, m, seed):
    small, large = sorted((n, m))
    drawn = keys(sample(PAIRS, COLD, large, seed))
    assert drawn[: min(small, N)] == keys(sample(PAIRS, COLD, small, seed))


def test_more_than_there_is_audits_everything():
    drawn = sample(PAIRS, COLD, 10 * N, seed=0)
    assert drawn.num_rows == N
    assert set(drawn["p_inclusion"].to_pylist()) == {1.0}


def test_the_draw_depends_on_the_seed_and_not_on_the_order_of_rows():
    drawn = keys(sample(PAIRS, COLD, 200, seed=0))
    order = np.random.default_rng(2).permutation(N)
    assert keys(sample(PAIRS.take(order), COLD[order], 200, seed=0)) == drawn
    assert len(set(keys(sample(PAIRS, COLD, 200, seed=1))) & set(drawn)) < 60


def test_every_pair_of_a_band_is_drawn_equally_often():
    hits = np.zeros(N)
    row_of = {pair: row for row, pair in enumerate(keys(PAIRS))}
    for seed in range(200):
        hits[[row_of[pair] for pair in keys(sample(PAIRS, COLD, 300, seed))]] += 1
    upper = bands(PAIRS, COLD) >= N_BANDS // 2
    for chosen, p in ((upper, 0.2), (~upper, 0.1)):
        assert abs(hits[chosen].mean() - 200 * p) < 1e-9
        # The variance over pairs is the binomial one.
        assert abs(hits[chosen].var() / (200 * p * (1 - p)) - 1) < 0.15


def test_no_candidates_and_no_audits():
    assert sample(PAIRS.slice(0, 0), np.zeros(0), 5, seed=0).num_rows == 0
    assert sample(PAIRS, COLD, 0, seed=0).num_rows == 0
    with pytest.raises(InputError, match="negative"):
        sample(PAIRS, COLD, -1, seed=0)


def test_truth_answers_yes_where_it_holds_the_pair():
    truth = PAIRS.slice(0, 700).cast(TRUTH.arrow)
    audits = answer(sample(PAIRS, COLD, 300, seed=1), truth)
    check(audits, AUDITS)
    right = set(keys(truth))
    expected = ["yes" if pair in right else "no" for pair in keys(audits)]
    assert audits["verdict"].to_pylist() == expected
    assert set(audits["auditor"].to_pylist()) == {"truth"}


def test_any_beginning_is_spread_over_kinds_in_proportion():
    rng = np.random.default_rng(3)
    kind = rng.choice(4, N, p=[0.5, 0.3, 0.15, 0.05]).astype(np.uint64)
    row_of = {pair: row for row, pair in enumerate(keys(PAIRS))}
    drawn = np.array([row_of[p] for p in keys(sample(PAIRS, COLD, 600, 1, kind=kind))])
    band = bands(PAIRS, COLD)
    for m in (60, 150, 600):
        for b in range(N_BANDS):
            asked = kind[drawn[:m]][band[drawn[:m]] == b].astype(int)
            expected = np.bincount(kind[band == b].astype(int)) / np.sum(band == b) * len(asked)
            assert np.abs(np.bincount(asked, minlength=4) - expected).max() < 2.5
    plain = np.array([row_of[p] for p in keys(sample(PAIRS, COLD, 600, 1))])
    assert sorted(plain) != sorted(drawn)


def test_pairs_of_rare_and_common_kinds_are_drawn_equally_often():
    rng = np.random.default_rng(4)
    kind = np.where(rng.random(N) < 0.02, rng.integers(1, 40, N), 0).astype(np.uint64)
    row_of = {pair: row for row, pair in enumerate(keys(PAIRS))}
    hits = np.zeros(N)
    for seed in range(300):
        hits[[row_of[p] for p in keys(sample(PAIRS, COLD, 300, seed, kind=kind))]] += 1
    upper = bands(PAIRS, COLD) >= N_BANDS // 2
    for chosen, p in ((upper, 0.2), (~upper, 0.1)):
        rare = hits[chosen & (kind > 0)]
        error = np.sqrt(300 * p * (1 - p) / len(rare))
        assert abs(rare.mean() - 300 * p) < 4 * error


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 3))
def test_a_larger_sample_over_kinds_holds_the_smaller_one(n, m, seed):
    kind = np.arange(N).astype(np.uint64) % np.uint64(7)
    small, large = (keys(sample(PAIRS, COLD, k, seed, kind=kind)) for k in sorted((n, m)))
    assert large[: len(small)] == small


@pytest.mark.parametrize(("keep", "n_wanted"), [(1.0, 10), (0.5, 6), (1 / 3, 5), (0.05, 2)])
def test_more_pairs_are_drawn_near_the_threshold(keep, n_wanted):
    drawn = sample(PAIRS, COLD, 200, seed=0, keep=keep)
    p = dict(zip(drawn["stratum"].to_pylist(), drawn["p_inclusion"].to_pylist(), strict=True))
    wanted = [p[f"band-{b}"] for b in range(N_BANDS - n_wanted, N_BANDS)]
    others = [p[f"band-{b}"] for b in range(N_BANDS - n_wanted)]
    assert max(wanted) - min(wanted) < 0.006
    assert not others or 1.7 < np.mean(wanted) / np.mean(others) < 2.3
