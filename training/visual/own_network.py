"""A network of the bundled kind, trained on the probabilities of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_array

from labeling.keys.arrays import Floats32, Ints
from training.data.loader import normalise, pixels_in_order
from training.data.shard_index import Shards
from training.data.targets import Targets
from training.fit.checkpoints import Checkpoints
from training.fit.config import TrainConfig
from training.fit.devices import chosen_device, memory_format
from training.fit.train import train
from training.model.model_file import load_model

BATCH_SIZE = 256


class Judged(NamedTuple):
    """Logit of each asked pair, ``float32[m]``, and features of all images, ``float32[n, d]``."""

    logits: Floats32
    features: Floats32


def train_on(
    shards: Shards,
    targets: csr_array,
    inside: Ints,
    label_ids: list[str],
    config: TrainConfig,
    folder: Path,
    progress: Callable[[int, int, float], None],
    checkpoints: Checkpoints,
) -> None:
    """Train a network on some of the images, and write it into a folder.

    Parameters
    ----------
    targets
        ``float32[n, n_labels]``: probability that the image shows the label; labels that are not
        stored are negatives.
    inside
        Images to train on.
    """
    of_inside = targets[inside]
    entries = Targets(
        targets.shape[1],
        of_inside.indptr.astype(np.int64),
        of_inside.indices.astype(np.int64),
        of_inside.data.astype(np.float32),
        np.ones(of_inside.nnz, np.float32),
    )
    train(
        shards.take(inside),
        label_ids,
        config,
        folder,
        progress,
        targets=entries,
        checkpoints=checkpoints,
    )


def judge(
    folder: Path,
    shards: Shards,
    image: Ints,
    label: Ints,
    see: Callable[[Ints, Floats32], object],
) -> Judged:
    """Return what a network makes of the images.

    Parameters
    ----------
    folder
        Its folder.
    image, label
        ``int64[m]``: image and logit of each asked pair, in the order of the images.
    see
        Called with the numbers and all logits of some images.
    """
    network, card = load_model(folder)
    device = chosen_device()
    layout = memory_format(device, card.architecture.width)
    network.to(device=device, memory_format=layout)  # type: ignore[call-overload]
    logits, features, start = [], [], 0
    with torch.inference_mode():
        for pixels in pixels_in_order(shards, card.image_size, BATCH_SIZE):
            images = normalise(pixels.to(device), card.mean, card.std)
            pooled = network.features(images.contiguous(memory_format=layout))
            features.append(pooled.float().cpu().numpy())
            first, last = np.searchsorted(image, (start, start + len(pooled)))
            of_images = network.fc(pooled).float().cpu().numpy()
            logits.append(of_images[image[first:last] - start, label[first:last]])
            see(np.arange(start, start + len(pooled)), of_images)
            start += len(pooled)
    return Judged(np.concatenate(logits), np.concatenate(features))
