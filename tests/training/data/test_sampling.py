from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.sampling import Order, rows_of, square_root_draws
from training.data.targets import Targets


def targets_of(labels_of: list[list[int]], n_labels: int) -> Targets:
    offsets = np.cumsum([0, *map(len, labels_of)])
    codes = np.array([code for labels in labels_of for code in labels], np.int64)
    ones = np.ones(len(codes), np.float32)
    return Targets(n_labels, offsets, codes, ones, ones)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_every_image_comes_once_in_each_round(n_images: int, batch_size: int, seed: int) -> None:
    steps = range(-(-3 * n_images // batch_size))
    order = Order(n_images, seed)
    rows = np.concatenate([rows_of(step, order, batch_size) for step in steps])
    for number in range(3):
        once = rows[number * n_images : (number + 1) * n_images]
        assert sorted(once.tolist()) == list(range(n_images))


@given(
    hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(0.01, 100)), st.integers(0, 99)
)
def test_a_round_holds_each_image_as_often_as_it_is_drawn(draws, seed: int) -> None:
    draws = draws * (len(draws) / draws.sum())
    rows = Order(len(draws), seed, draws).of_round(3)
    times = np.bincount(rows, minlength=len(draws))
    assert len(rows) == len(draws)
    assert (np.abs(times - draws) < 1 + 1e-6).all()


def test_over_many_rounds_draws_are_met_on_average() -> None:
    order = Order(3, 0, np.array([0.3, 0.3, 2.4]))
    times = sum(np.bincount(order.of_round(number), minlength=3) for number in range(400))
    assert times / 400 == pytest.approx([0.3, 0.3, 2.4], abs=0.08)


def test_images_of_rare_labels_are_drawn_by_the_square_root() -> None:
    labels_of = [[0]] * 16 + [[0, 1]] * 4 + [[]]
    draws = square_root_draws(targets_of(labels_of, 2))
    assert draws.sum() == pytest.approx(21)
    # Label 0 is on 20 images, label 1 on 4 of them: 5 times as rare.
    assert draws[16] / draws[0] == pytest.approx(5**0.5)
    assert draws[20] == draws[0]


def test_labels_that_no_image_shows_change_nothing() -> None:
    labels_of = [[0], [0], [1]]
    assert square_root_draws(targets_of(labels_of, 2)).tolist() == pytest.approx(
        square_root_draws(targets_of(labels_of, 5)).tolist()
    )
