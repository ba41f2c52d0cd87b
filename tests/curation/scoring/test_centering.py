from __future__ import annotations

import numpy as np
import pytest

from curation.scoring.calibration import Calibration, Isotonic, shifted
from curation.scoring.centering import N_COMMON, centered, common_rows


def test_all_models_get_the_mean_of_their_means():
    rng = np.random.default_rng(0)
    p = [rng.beta(2, 2, 500), rng.beta(5, 2, 500), rng.beta(2, 9, 500)]
    knots = np.array([0.0, 0.3, 0.6, 1.0])
    maps = [Calibration(), Calibration(slope=0.5, intercept=1.0), Isotonic(knots, knots**2)]
    level = np.mean([m.apply(x).mean() for m, x in zip(maps, p, strict=True)])
    means = [m.apply(x).mean() for m, x in zip(centered(maps, p), p, strict=True)]
    assert means == pytest.approx([level] * 3)
    far_apart = [Calibration(intercept=-20.0), Calibration(intercept=20.0)]
    assert centered(far_apart, p[:2]) == far_apart, "no common level"


def test_a_shift_keeps_the_order_and_the_ends():
    steep = shifted(Isotonic(np.array([0.0, 0.4, 0.8, 1.0]), np.array([0.0, 0.1, 0.7, 1.0])), 2.0)
    assert (steep.value[0], steep.value[-1]) == (0, 1)
    assert np.all(np.diff(steep.apply(np.linspace(0, 1, 101))) > 0)


def test_models_are_compared_on_candidates_without_a_verdict():
    rows = common_rows(3 * N_COMMON, np.arange(0, 3 * N_COMMON, 2))
    assert N_COMMON <= len(rows) < 2 * N_COMMON
    assert np.all(rows % 2 == 1)
    assert common_rows(4, np.arange(4)).tolist() == [0, 1, 2, 3]
