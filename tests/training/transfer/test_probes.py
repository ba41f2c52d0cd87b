from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.transfer.probes import linear_probe, nearest


def clusters(seed: int, n: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw n points around three centres that do not depend on the seed."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, n)
    centres = np.random.default_rng(9).normal(size=(3, 6))
    return centres[classes] + spread * rng.normal(size=(n, 6)), classes


@given(st.integers(0, 10**6))
@settings(max_examples=10)
def test_the_twenty_nearest_vote_by_their_cosine(seed: int) -> None:
    (train, classes), (test, _) = clusters(seed, 60, 1.5), clusters(seed + 1, 20, 1.5)
    unit, other = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (train, test))
    cosine = other @ unit.T
    for row, guess in enumerate(nearest(train, classes, test)):
        near = np.argsort(-cosine[row])[:20]
        votes = np.bincount(classes[near], np.exp(cosine[row, near] / 0.07), minlength=3)
        assert guess == votes.argmax()


def test_fewer_images_than_neighbours_all_vote() -> None:
    train, classes = clusters(0, 5, 0.1)
    assert nearest(train, classes, train).tolist() == classes.tolist()


def test_the_probe_separates_clusters_whatever_the_scale_of_the_features() -> None:
    (train, classes), (test, truth) = clusters(0, 150, 0.5), clusters(1, 60, 0.5)
    scale = np.array([1, 1e-4, 1e5, 1, 0, 1])
    predicted, _ = linear_probe(train * scale, classes, test * scale)
    assert (predicted == truth).mean() > 0.9
    unscaled, _ = linear_probe(train[:, [0, 1, 2, 3, 5]], classes, test[:, [0, 1, 2, 3, 5]])
    assert np.array_equal(predicted, unscaled)


def test_noise_chooses_a_larger_penalty_than_separate_clusters() -> None:
    x, classes = clusters(0, 90, 0.3)
    shuffled = np.random.default_rng(1).permutation(classes)
    assert linear_probe(x, shuffled, x)[1] >= 0.1
    assert linear_probe(x, classes, x)[1] <= 0.01


@pytest.mark.parametrize("classes", [[0, 1], [0, 0, 0, 0, 1], [0] * 9 + [1] * 9 + [2]])
def test_a_class_of_one_image_is_probed_too(classes: list[int]) -> None:
    x = np.eye(3)[classes] + 0.01 * np.random.default_rng(0).normal(size=(len(classes), 3))
    predicted, _ = linear_probe(x, np.array(classes), x)
    assert predicted.tolist() == classes


def test_the_seed_decides_the_folds() -> None:
    x, classes = clusters(0, 60, 1.5)
    first, again = (linear_probe(x, classes, x, seed=3) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert first[1] == again[1]
