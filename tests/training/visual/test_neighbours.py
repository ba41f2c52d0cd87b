from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from training.visual.neighbours import COPY, N_NEIGHBOURS, TEMPERATURE, agreement


def _by_hand(
    features: np.ndarray, targets: np.ndarray, asked: int, among: np.ndarray, label: int
) -> float:
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosine = units[among] @ units[asked]
    cosine = np.where(cosine >= COPY, -1, cosine)
    nearest = np.argsort(-cosine)[:N_NEIGHBOURS]
    weight = np.exp(cosine[nearest] / TEMPERATURE)
    return float(weight @ targets[among[nearest], label] / weight.sum())


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_the_nearest_images_vote_by_their_angle(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n + 5, 8)).astype(np.float32)
    targets = (rng.random((n + 5, 3)) * (rng.random((n + 5, 3)) < 0.4)).astype(np.float32)
    asked, among = np.arange(5), np.arange(5, n + 5)
    image, label = np.repeat(np.arange(5), 3), np.tile(np.arange(3), 5)
    shares = agreement(torch.from_numpy(features), csr_array(targets), asked, among, image, label)
    expected = [_by_hand(features, targets, i, among, j) for i, j in zip(image, label, strict=True)]
    assert np.allclose(shares, expected, atol=1e-4)


def test_a_copy_does_not_vote() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 16)).astype(np.float32)
    features[1] = features[0] + 0.001
    targets = np.zeros((40, 1), np.float32)
    targets[1] = 1
    pairs = np.zeros(1, np.int64), np.zeros(1, np.int64)
    among = np.arange(1, 40)
    (share,) = agreement(
        torch.from_numpy(features), csr_array(targets), np.arange(1), among, *pairs
    )
    assert share == 0


def test_nobody_votes_where_there_are_no_other_images() -> None:
    features, nothing = torch.ones(1, 4), np.zeros(0, np.int64)
    pairs = np.zeros(1, np.int64), np.zeros(1, np.int64)
    targets = csr_array(np.ones((1, 1), np.float32))
    assert agreement(features, targets, np.zeros(1, np.int64), nothing, *pairs).tolist() == [0]
