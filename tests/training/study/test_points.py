from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import InputError
from training.study.points import points, seed_bands

performance = st.lists(st.floats(0, 1), min_size=1, max_size=5)
measured = st.dictionaries(st.integers(1, 10**6), performance, min_size=2, max_size=6)


@given(measured)
def test_the_order_of_sizes_and_seeds_does_not_matter(values: dict[int, list[float]]) -> None:
    turned = {n: values[n][::-1] for n in reversed(values)}
    assert repr(seed_bands(points(values))) == repr(seed_bands(points(turned)))


@pytest.mark.parametrize(
    "values", [{}, {10: [0.5]}, {10: [0.5], 20: []}, {10: [0.5], 20: [float("nan")]}]
)
def test_values_that_cannot_give_a_trend_are_refused(values: dict[int, list[float]]) -> None:
    with pytest.raises(InputError, match="two numbers of images"):
        points(values)


def test_bands_of_three_seeds_cover_the_mean_at_their_confidence() -> None:
    generator = np.random.default_rng(0)
    truth = np.linspace(0.2, 0.6, 5)
    covered = []
    for _ in range(400):
        drawn = truth[:, None] + generator.normal(0, 0.03, (5, 3))
        bands = seed_bands(points(dict(zip(range(1, 6), drawn, strict=True))))
        covered += [b.low <= y <= b.high for b, y in zip(bands, truth, strict=True)]
    assert 0.93 < np.mean(covered) < 0.97


def test_one_seed_has_no_band() -> None:
    [first, _] = seed_bands(points({10: [0.5], 20: [0.6]}))
    assert (first.estimate, np.isnan(first.low)) == (0.5, True)
