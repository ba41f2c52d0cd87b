from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.study.paired_differences import differences


def test_equal_series_are_seldom_distinguished() -> None:
    """All five intervals cover 0 together in at least 95 of 100 cases."""
    generator = np.random.default_rng(0)
    wrong = 0
    for _ in range(500):
        first, second = generator.normal(0.5, 0.02, (2, 5, 3))
        wrong += any(d.low > 0 or d.high < 0 for d in differences(first, second))
    assert wrong / 500 < 0.07


def test_what_the_seeds_share_does_not_hide_a_difference() -> None:
    generator = np.random.default_rng(0)
    shared = generator.normal(0, 0.2, (4, 3))
    first = shared + 0.05 + generator.normal(0, 0.005, (4, 3))
    assert all(d.low > 0 for d in differences(first, shared))
    assert all(d.high < 0 for d in differences(shared, first))


@given(st.integers(1, 5), st.integers(2, 4))
def test_the_order_of_seeds_does_not_matter(n_sizes: int, n_seeds: int) -> None:
    generator = np.random.default_rng(n_sizes)
    first, second = generator.random((2, n_sizes, n_seeds))
    order = generator.permutation(n_seeds)
    for difference, difference_of_order in zip(
        differences(first, second), differences(first[:, order], second[:, order]), strict=True
    ):
        np.testing.assert_allclose(
            (difference.low, difference.high), (difference_of_order.low, difference_of_order.high)
        )


def test_one_seed_distinguishes_nothing() -> None:
    [difference] = differences(np.array([[0.9]]), np.array([[0.1]]))
    assert not difference.low > 0
