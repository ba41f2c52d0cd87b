from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression

from training.visual.heads import PENALTIES, fit_head, standardise

N, WIDTH = 400, 12


def _images(seed: int = 0) -> tuple[torch.Tensor, np.ndarray]:
    """Return features, and whether each image shows each of three labels."""
    rng = np.random.default_rng(seed)
    features = standardise(rng.normal(size=(N, WIDTH)).astype(np.float32))
    slope = rng.normal(size=(WIDTH, 3))
    shown = features @ slope / 2 - 1 + rng.logistic(size=(N, 3)) > 0
    return torch.from_numpy(features), shown


def _parts(n: int = 4) -> list[np.ndarray]:
    return [np.arange(N)[k::n] for k in range(n)]


def test_a_head_is_the_ridge_regression_of_each_label() -> None:
    features, shown = _images()
    head, penalty = fit_head(features, csr_array(shown.astype(np.float32)), _parts())
    assert penalty in PENALTIES
    for label in range(3):
        model = LogisticRegression(C=1 / (2 * penalty * N), tol=1e-8).fit(
            features.numpy(), shown[:, label]
        )
        expected = model.decision_function(features.numpy())
        logits = head.logits(features)[:, label].numpy()
        assert np.abs(logits - expected).max() < 0.02


def test_a_probability_is_learnt_like_so_many_images() -> None:
    features, shown = _images()
    half = csr_array(np.where(shown, 0.5, 0.0).astype(np.float32))
    head, penalty = fit_head(features, half, _parts())
    twice = np.concatenate([features.numpy()] * 2)
    label = np.concatenate([shown[:, 0], np.zeros(N, bool)])
    model = LogisticRegression(C=1 / (2 * penalty * 2 * N), tol=1e-8).fit(twice, label)
    expected = model.decision_function(features.numpy())
    assert np.abs(head.logits(features)[:, 0].numpy() - expected).max() < 0.02


def test_labels_without_a_signal_are_shrunk() -> None:
    features, shown = _images()
    noise = np.random.default_rng(1).permutation(shown, axis=0)
    assert fit_head(features, csr_array(noise.astype(np.float32)), _parts())[1] == max(PENALTIES)
    assert fit_head(features, csr_array(shown.astype(np.float32)), _parts())[1] < max(PENALTIES)


def test_a_label_that_no_image_shows_is_unlikely_everywhere() -> None:
    features, shown = _images()
    shown[:, 2] = False
    head, _ = fit_head(features, csr_array(shown.astype(np.float32)), _parts())
    logits = head.logits(features)
    assert torch.isfinite(logits).all() and (logits[:, 2] < -3).all()


def test_features_become_rows_of_one_length() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(5, 3, size=(50, WIDTH)).astype(np.float32)
    features[:, 3] = 7
    lengths = np.linalg.norm(standardise(features), axis=1)
    assert np.allclose(lengths, np.sqrt(WIDTH), rtol=1e-3)
