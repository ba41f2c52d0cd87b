from __future__ import annotations

import time

import pytest
import torch

from training.data.loader import MEAN, STD
from training.fit.config import TrainConfig
from training.model.architecture import Architecture
from training.model.resnet import ResNet
from training.visual.costs import seconds_to_embed, seconds_to_fit, seconds_to_train
from training.visual.pretrained import BATCH_SIZE_CPU, Embedder

NETWORK = ResNet(Architecture(18, 16, "small"), 2)


def embedder_of(seconds: float) -> Embedder:
    """Return a network that takes a known time for each batch."""

    def features(images: torch.Tensor) -> torch.Tensor:
        time.sleep(seconds)
        return images.mean((2, 3))

    return Embedder("slow", "0" * 64, features, NETWORK, 16, MEAN, STD)


@pytest.mark.skipif(torch.cuda.is_available(), reason="batches have another size on a GPU")
def test_the_time_of_a_batch_is_that_of_all_batches() -> None:
    seconds = seconds_to_embed(embedder_of(0.05), 100 * BATCH_SIZE_CPU)
    assert 5 <= seconds < 50


def test_more_images_and_folds_take_longer_by_an_estimate() -> None:
    embedder = embedder_of(0)
    assert seconds_to_fit(embedder, 10**6, 50, 5) > seconds_to_fit(embedder, 1000, 50, 5) > 0
    config = TrainConfig(width=8, stem="small", image_size=16, steps=100, batch_size=16)
    before = torch.random.get_rng_state()
    few, many = (seconds_to_train(config, n, 10, 5) for n in (100, 10**6))
    assert many > few > 0
    assert torch.equal(torch.random.get_rng_state(), before)
