"""Transfer to segmentation: the class of every pixel, by a fully convolutional head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.evaluation.measures import banded, sizes
from training.fit.devices import chosen_device, seeded
from training.fit.schedule import decayed
from training.model.model_file import ModelCard, load_model
from training.model.resnet import ResNet
from training.transfer.fitting import Budget, fit
from training.transfer.images import network_input
from training.transfer.masks import IGNORED, MaskTask, read_mask_task
from training.transfer.pyramid import channels, maps
from training.transfer.starts import METHODS, backbone_for, set_mode

BUDGET = Budget(steps=400, batch_size=8, learning_rate=2e-3, weight_decay=1e-4)

ENLARGED = 2
"""Images of segmentation are this many times as large as those of the model's training."""


class Segmenter(nn.Module):
    """A fully convolutional network (Long et al. 2015): C3 to C5 classified, added, enlarged.

    Each map is normalised and classified by a 1x1 convolution; coarser ones are enlarged to the
    finest and added to it, as in FCN-8s.
    """

    def __init__(self, backbone: ResNet, n_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(n), nn.Conv2d(n, n_classes, 1)) for n in channels(backbone)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits ``float32[n, n_classes, s, s]`` of normalised images."""
        each = [head(m) for head, m in zip(self.heads, maps(self.backbone, x), strict=True)]
        total = each[0]
        for coarse in each[1:]:
            total = total + _enlarged(coarse, total.shape[-2:])
        return _enlarged(total, x.shape[-2:])


def evaluate_masks(
    model_dir: Path,
    task_path: Path,
    methods: Sequence[str] = METHODS,
    budget: Budget = BUDGET,
    seeds: Sequence[int] = (0,),
    image_size: int | None = None,
) -> Iterator[tuple[str, float]]:
    """Yield the name and value of each measure of a model on a task of segmentation.

    ``METHOD_miou``: see `mean_iou`; ``METHOD_pixel_accuracy``: share of the pixels put into their
    class. With several seeds these are means, and ``_low`` and ``_high`` are the lowest and
    highest. ``n_...``: classes, images, and what was put aside, by reason.

    Parameters
    ----------
    model_dir
        The folder that `training.fit.train.train` wrote.
    task_path
        See `masks.read_mask_task`.
    methods
        Some of `starts.METHODS`.
    budget, seeds
        How long each method is trained, and the seed of each of its trainings; one at least.
    image_size
        Longer side of the images; `ENLARGED` times that of the model's training if not given.

    Raises
    ------
    InputError
        If the model or the task cannot be used.
    """
    network, card = load_model(model_dir)
    task = read_mask_task(task_path, image_size or ENLARGED * card.image_size, seeds[0])
    for method in methods:
        runs = [
            measure(train_segmenter(network, card, task, method, budget, seed), card, task)
            for seed in seeds
        ]
        yield from banded(method, runs)
    yield from sizes(task.names, len(task.train.pixels), len(task.test.pixels), task.put_aside)


def train_segmenter(
    network: ResNet, card: ModelCard, task: MaskTask, method: str, budget: Budget, seed: int
) -> Segmenter:
    """Return a segmenter trained on the task; the network is left as it is.

    Images are mirrored at random. The loss is cross-entropy over the pixels that count.

    Parameters
    ----------
    method
        What of the network is used: one of `starts.METHODS`.
    seed
        Of fresh weights, the order and the mirroring.
    """
    device = chosen_device()
    with seeded(seed, device):
        segmenter = Segmenter(backbone_for(method, network, card), len(task.names)).to(device)
        set_mode(segmenter, segmenter.backbone, method)
        optimizer = torch.optim.AdamW(decayed(segmenter, budget.weight_decay))

        def loss_of(rows: Tensor, generator: torch.Generator) -> Tensor:
            mirror = torch.randint(0, 2, (len(rows),), generator=generator, dtype=torch.bool)
            pixels, masks = task.train.pixels[rows], task.train.masks[rows]
            pixels = torch.where(mirror[:, None, None, None], pixels.flip(2), pixels)
            masks = torch.where(mirror[:, None, None], masks.flip(2), masks)
            logits = segmenter(network_input(pixels, card, device))
            target = masks.long().to(device)
            total = F.cross_entropy(logits, target, ignore_index=IGNORED, reduction="sum")
            return total / (masks != IGNORED).sum().clamp(min=1)

        fit(segmenter, len(task.train.pixels), optimizer, budget, loss_of, seed)
    return segmenter


def measure(segmenter: Segmenter, card: ModelCard, task: MaskTask) -> dict[str, float]:
    """Return the measures of a segmenter on the held-out images."""
    device = next(segmenter.parameters()).device
    table = torch.zeros(len(task.names), len(task.names), dtype=torch.int64)
    with torch.inference_mode():
        for rows in torch.split(torch.arange(len(task.test.pixels)), 16):
            pixels, masks = task.test.pixels[rows], task.test.masks[rows]
            guess = segmenter(network_input(pixels, card, device)).argmax(1).cpu()
            table += confusion(guess, masks, len(task.names))
    return {
        "miou": mean_iou(table),
        "pixel_accuracy": (table.diagonal().sum() / table.sum()).item(),
    }


def confusion(guess: Tensor, truth: Tensor, n_classes: int) -> Tensor:
    """Return how many pixels of each class (row) were put into each (column).

    Parameters
    ----------
    guess, truth
        Classes of the same pixels; where `truth` is `IGNORED` they do not count.

    Returns
    -------
    Tensor
        ``int64[n_classes, n_classes]``.
    """
    kept = truth != IGNORED
    pairs = truth[kept].long() * n_classes + guess[kept].long()
    return torch.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def mean_iou(table: Tensor) -> float:
    """Return the mean intersection over union of the classes that are shown or guessed.

    Examples
    --------
    >>> mean_iou(torch.tensor([[3, 1, 0], [0, 1, 0], [0, 0, 0]]))
    0.625
    """
    common = table.diagonal().double()
    union = table.sum(0) + table.sum(1) - common
    return (common[union > 0] / union[union > 0]).mean().item()


def _enlarged(x: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)
