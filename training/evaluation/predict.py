"""Predictions of a model for the images of shards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from training.data.loader import normalise, pixels_in_order
from training.data.shard_index import open_shards
from training.fit.devices import chosen_device, memory_format
from training.model.model_file import load_model


def predict(
    model_dir: Path, shard_paths: Sequence[Path], batch_size: int = 256
) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Return the image ids of some shards, and the probability of each label for each image.

    The probabilities of a model that was trained to choose one label (softmax) sum to 1.

    Parameters
    ----------
    model_dir
        Folder that `training.fit.train.train` wrote.
    shard_paths
        WebDataset tars.
    batch_size
        Images computed at a time.

    Returns
    -------
    keys
        The n image ids, in the order of the shards.
    probabilities
        ``float32[n, n_labels]``, in [0, 1]; labels in the order of the model's card.

    Raises
    ------
    InputError
        If the model or the shards cannot be used.
    IntegrityError
        If the model's weights are cut or changed.
    """
    network, card = load_model(model_dir)
    device = chosen_device()
    layout = memory_format(device, card.architecture.width)
    network.to(device=device, memory_format=layout)  # type: ignore[call-overload]
    shards = open_shards(shard_paths)

    def logits_of(pixels: torch.Tensor) -> torch.Tensor:
        images = normalise(pixels.to(device), card.mean, card.std)
        logits: torch.Tensor = network(images.contiguous(memory_format=layout))
        return logits.cpu()

    with torch.inference_mode():
        batches = pixels_in_order(shards, card.image_size, batch_size)
        logits = torch.cat([logits_of(pixels) for pixels in batches])
    chooses_one = card.training.get("loss") == "softmax"
    probabilities = logits.softmax(1) if chooses_one else logits.sigmoid()
    return shards.keys, probabilities.numpy()
