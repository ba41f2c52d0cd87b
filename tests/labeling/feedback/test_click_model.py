from __future__ import annotations

import numpy as np
import pytest

from labeling.feedback import click_model

EXAMINED = 1 / np.arange(1, 11) ** 0.8


def log(seed: int, n_pairs: int = 400, n: int = 60, ctr: float = 0.5) -> list[np.ndarray]:
    """Return cells of pairs that are mostly ranked by attractiveness."""
    rng = np.random.default_rng(seed)
    wanted = rng.beta(1, 2, n_pairs) * ctr
    order = np.argsort(-(wanted + rng.normal(0, 0.15 * ctr, (n, n_pairs))), axis=1)
    shown_at = np.argsort(order, axis=1) * 10 // n_pairs + 1
    cells = np.zeros((n_pairs, 11), int)
    for row in shown_at:
        cells[np.arange(n_pairs), row] += 20
    clicks = rng.binomial(cells[:, 1:], wanted[:, None] * EXAMINED)
    pair, position = np.nonzero(cells)
    return [pair, position, cells[pair, position], clicks[pair, position - 1], wanted]


@pytest.mark.parametrize("seed", range(8))
def test_positions_of_a_simulated_log_are_found_though_the_ranking_is_good(seed: int) -> None:
    pair, position, shown, clicked, _ = log(seed)
    fitted = click_model.fit(pair, position, shown.astype(float), clicked.astype(float))
    assert np.abs(fitted.examination[1:11] / EXAMINED - 1).max() < 0.15
    plain = np.bincount(position, clicked, 11)[1:] / np.bincount(position, shown, 11)[1:]
    assert np.abs(plain / plain[0] / EXAMINED - 1).max() > 0.4


def test_rare_clicks_are_enough() -> None:
    pair, position, shown, clicked, _ = log(3, n=200, ctr=0.05)
    fitted = click_model.fit(pair, position, shown.astype(float), clicked.astype(float))
    assert np.abs(fitted.examination[1:11] / EXAMINED - 1).max() < 0.25


def test_expected_clicks_add_up_to_the_clicks() -> None:
    pair, position, shown, clicked, _ = log(5)
    fitted = click_model.fit(pair, position, shown.astype(float), clicked.astype(float))
    assert abs(shown @ fitted.rates[position] / clicked.sum() - 1) < 0.01


def test_an_empty_log_and_unknown_positions_are_harmless() -> None:
    none = np.empty(0, int)
    fitted = click_model.fit(none, none, np.empty(0), np.empty(0))
    assert np.isfinite(fitted.rates).all() and (fitted.rates > 0).all()
    same = click_model.fit(np.zeros(1, int), np.zeros(1, int), np.ones(1), np.ones(1))
    assert np.array_equal(same.rates, fitted.rates)
