from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.study.points import Points, points
from training.study.scaling_laws import find_trend, law_bands

SIZES = np.array([200.0, 400, 800, 1600, 3200])
COVERAGE = (0.90, 0.985)
"""Coverages accepted as "about .95": the bootstrap of three seeds is not exact."""


def log_law(a: float, b: float) -> np.ndarray:
    return a + b * np.log10(SIZES)


def power_law(c: float, a: float, b: float) -> np.ndarray:
    return c - a * SIZES**-b


def drawn(truth: np.ndarray, sd: float, seed: int, n_seeds: int = 3) -> Points:
    noise = np.random.default_rng(seed).normal(0, sd, (len(truth), n_seeds))
    return points(dict(zip(SIZES.astype(int).tolist(), truth[:, None] + noise, strict=True)))


@settings(max_examples=25)
@given(st.floats(-1, 1), st.floats(-1, 1))
def test_the_logarithmic_law_is_recovered(a: float, b: float) -> None:
    trend = find_trend(drawn(log_law(a, b), 0, 0, n_seeds=1))
    fit = trend.fits["log"]
    assert (fit.intercept[0], fit.slope[0]) == pytest.approx((a, b), abs=1e-9)
    assert trend.doubling.estimate == pytest.approx(b * np.log10(2), abs=1e-9)


@settings(max_examples=25)
@given(st.floats(0.2, 1), st.floats(0.5, 2), st.floats(0.1, 1.5))
def test_the_power_law_is_recovered(c: float, a: float, b: float) -> None:
    truth = power_law(c, a, b)
    fit = find_trend(drawn(truth, 0, 0, n_seeds=1)).fits["power"]
    assert fit.exponent[0] == pytest.approx(b, rel=0.031)
    spread = truth[-1] - truth[0]
    assert fit.at(SIZES)[0] == pytest.approx(truth, abs=0.005 * spread + 1e-12)


def test_bands_cover_the_slope_of_three_seeds_at_their_confidence() -> None:
    truth = log_law(-0.2, 0.2)
    covered = []
    for seed in range(150):
        slope = find_trend(drawn(truth, 0.02, seed)).doubling
        covered.append(slope.low <= 0.2 * np.log10(2) <= slope.high)
    assert COVERAGE[0] < np.mean(covered) < COVERAGE[1]


def test_bands_of_a_law_cover_it_at_their_confidence() -> None:
    between = np.array([200.0, 566, 1131, 3200])
    truth = 0.8 - 3 * SIZES**-0.4
    expected = 0.8 - 3 * between**-0.4
    covered = [
        [
            band.low <= y <= band.high
            for band, y in zip(
                law_bands("power", drawn(truth, 0.02, seed), between), expected, strict=True
            )
        ]
        for seed in range(100)
    ]
    assert COVERAGE[0] < np.mean(covered) < COVERAGE[1]


def test_a_law_is_preferred_only_if_the_data_decide() -> None:
    curved = power_law(0.6, 8, 0.6)
    assert find_trend(drawn(curved, 0.003, 0)).preferred == "power"
    assert find_trend(drawn(curved, 0.1, 0)).preferred is None
    preferred = [find_trend(drawn(log_law(0, 0.1), 0.01, seed)).preferred for seed in range(40)]
    assert preferred.count("power") <= 2


def test_a_law_that_holds_is_seldom_doubted_and_another_often() -> None:
    doubts = [
        find_trend(drawn(log_law(0, 0.1), 0.01, seed)).p_values["log"] < 0.05 for seed in range(100)
    ]
    assert 0 < np.mean(doubts) < 0.12
    step = np.array([0.2, 0.2, 0.2, 0.5, 0.5])
    assert all(p < 0.001 for p in find_trend(drawn(step, 0.01, 0)).p_values.values())


def test_the_power_law_needs_four_sizes() -> None:
    trend = find_trend(points({n: [0.1 * n, 0.1 * n + 0.01] for n in (1, 2, 4)}))
    assert (list(trend.fits), trend.shares, trend.preferred) == (["log"], {}, None)


def test_one_seed_gives_a_slope_without_an_interval() -> None:
    trend = find_trend(drawn(log_law(0, 0.1), 0.01, 0, n_seeds=1))
    assert np.isfinite(trend.doubling.estimate)
    assert np.isnan(trend.doubling.low)
    assert (trend.shares, trend.preferred) == ({}, None)


def test_rows_in_any_order_give_the_same_trend() -> None:
    values = {100: [0.1, 0.3, 0.2], 200: [0.5, 0.3, 0.4], 400: [0.4, 0.6, 0.5]}
    again = {n: values_of_size[::-1] for n, values_of_size in reversed(values.items())}
    assert find_trend(points(values)).doubling == find_trend(points(again)).doubling


def test_bands_beyond_the_sizes_tried_are_refused() -> None:
    with pytest.raises(ValueError, match="beyond"):
        law_bands("log", drawn(log_law(0, 0.1), 0.01, 0), np.array([200.0, 3201]))
