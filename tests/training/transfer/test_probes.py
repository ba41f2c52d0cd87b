from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from training.model.model_file import load_model
from training.transfer.probes import features_of, fit_logistic, linear_probe, nearest


def clusters(seed: int, n: int, spread: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw n points around three centres that do not depend on the seed."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, n)
    centres = np.random.default_rng(9).normal(size=(3, 6))
    return torch.tensor(centres[classes] + spread * rng.normal(size=(n, 6))), torch.tensor(classes)


@given(st.integers(0, 10**6))
@settings(max_examples=10)
def test_neighbours_vote_as_those_of_scikit_learn(seed: int) -> None:
    (train, classes), (test, _) = clusters(seed, 60, 1.5), clusters(seed + 1, 20, 1.5)

    def weight(distance: np.ndarray) -> np.ndarray:
        return np.exp((1 - distance) / 0.07)

    peer = KNeighborsClassifier(20, metric="cosine", weights=weight).fit(train, classes)
    assert nearest(train, classes, test, 3).tolist() == peer.predict(test).tolist()


def test_fewer_images_than_neighbours_all_vote() -> None:
    train, classes = clusters(0, 5, 0.1)
    assert nearest(train, classes, train, 3).tolist() == classes.tolist()


@pytest.mark.parametrize("penalty", [1e-3, 1e-1])
def test_logistic_regression_is_that_of_scikit_learn(penalty: float) -> None:
    x, classes = clusters(0, 90, 1.5)
    theta = fit_logistic(x, classes, penalty, torch.zeros(7, 3, dtype=torch.float64))
    peer = LogisticRegression(C=1 / (penalty * len(x)), tol=1e-8, max_iter=1000).fit(x, classes)
    assert np.allclose(theta[:-1].T, peer.coef_, atol=2e-3)
    probabilities = (x @ theta[:-1] + theta[-1]).softmax(1)
    assert np.allclose(probabilities, peer.predict_proba(x), atol=1e-3)


def test_the_probe_separates_clusters_whatever_the_scale_of_the_features() -> None:
    (train, classes), (test, truth) = clusters(0, 150, 0.5), clusters(1, 60, 0.5)
    scale = torch.tensor([1, 1e-4, 1e5, 1, 0, 1])
    found, _ = linear_probe(train * scale, classes, test * scale, 3)
    assert (found == truth).double().mean() > 0.9
    unscaled, _ = linear_probe(train[:, [0, 1, 2, 3, 5]], classes, test[:, [0, 1, 2, 3, 5]], 3)
    assert found.equal(unscaled)


def test_noise_chooses_a_larger_penalty_than_what_can_be_told_apart() -> None:
    x, classes = clusters(0, 90, 0.3)
    order = torch.randperm(90, generator=torch.Generator().manual_seed(0))
    assert linear_probe(x, classes[order], x, 3)[1] >= 0.1
    assert linear_probe(x, classes, x, 3)[1] <= 0.01


def test_features_are_those_of_the_network_in_evaluation_mode(model_dir) -> None:
    network, card = load_model(model_dir)
    network.train()
    pixels = torch.randint(0, 256, (5, 24, 24, 3), dtype=torch.uint8)
    found = features_of(network, card, pixels)
    assert found.shape == (5, 64)
    assert torch.allclose(features_of(network, card, pixels, batch_size=2), found, atol=1e-5)
    assert network.bn1.num_batches_tracked == 0
