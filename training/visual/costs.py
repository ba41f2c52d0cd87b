"""Seconds that networks will take, from a batch of blank images that is timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from training.data.loader import Batch
from training.fit.config import TrainConfig
from training.fit.devices import chosen_device, seeded
from training.fit.learner import Learner
from training.model.resnet import ResNet
from training.visual.heads import MAX_STEPS, PENALTIES, blank_step
from training.visual.pretrained import Embedder, blank_batch

N_OF_HEAD, N_OF_TRAINING = 512, 16
"""Images of the timed step of a head, and of a training on the CPU."""


def seconds_to_embed(embedder: Embedder, n_images: int) -> float:
    """Estimate the seconds of a network for its features of some images."""
    features, n = blank_batch(embedder)
    return _timed(features) * n_images / n


def seconds_to_fit(embedder: Embedder, n_images: int, n_labels: int, n_folds: int) -> float:
    """Estimate the seconds that the heads of all folds take at most: often they take less."""
    features, _ = blank_batch(embedder)
    step = blank_step(N_OF_HEAD, features().shape[1], n_labels, chosen_device())
    # Each penalty is tried on a part of the other folds, and one is fitted to all of these.
    n_steps = MAX_STEPS * (len(PENALTIES) + 1) * (n_folds - 1)
    return _timed(step) * n_steps * n_images / N_OF_HEAD


def seconds_to_train(config: TrainConfig, n_images: int, n_labels: int, n_networks: int) -> float:
    """Estimate the seconds that networks take to be trained, and to judge the images."""
    device = chosen_device()
    n = config.micro_batch or config.batch_size
    n = min(n, N_OF_TRAINING) if device.type == "cpu" else n
    nothing, floats = torch.zeros(0, dtype=torch.int64), torch.zeros(0)
    pixels = torch.zeros((n, config.image_size, config.image_size, 3), dtype=torch.uint8)
    batch = Batch([""] * n, pixels, nothing, nothing, floats, floats)
    with seeded(0, device, config.threads):
        learner = Learner(ResNet(config.architecture, n_labels), config, n_labels, device)
        seconds = _timed(lambda: learner.step(1, [batch])) / n
    # A step computes each layer about three times: forward, and twice for its gradients.
    return n_networks * seconds * (config.steps * config.batch_size + n_images / 3)


def _timed(work: Callable[[], Tensor]) -> float:
    """Return the seconds of some work: the median of three, after one to fill caches."""
    seconds = []
    for _ in range(4):
        started = time.perf_counter()
        work().sum().item()  # waits for a GPU
        seconds.append(time.perf_counter() - started)
    return median(seconds[1:])
