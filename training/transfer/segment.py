"""Transfer to segmentation: the class of every pixel, by a fully convolutional head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.model.resnet import ResNet
from training.transfer.augmentation import coin_flips, mirrored
from training.transfer.pyramid import channels, maps
from training.transfer.readers.masks import IGNORED, Masked, read_mask_task
from training.transfer.task import TransferTask

BATCH_SIZE = 16


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
        finest, *coarser = (
            head(m) for head, m in zip(self.heads, maps(self.backbone, x), strict=True)
        )
        for logits in coarser:
            finest = finest + _enlarged(logits, finest.shape[-2:])
        return _enlarged(finest, x.shape[-2:])


class Segmentation(TransferTask[Masked]):
    """A task of segmentation.

    ``miou`` is `mean_iou`, ``pixel_accuracy`` the share of the pixels put into their class.
    """

    main = "miou"
    enlarged = 2

    read = staticmethod(read_mask_task)

    @staticmethod
    def recognises(path: Path) -> bool:
        """Return whether a folder has PNG masks; outlines of COCO look like boxes."""
        return (path / "masks").is_dir() or (path / "SegmentationClass").is_dir()

    def first_network(self, method: str) -> Segmenter:
        """Return a segmenter with a fresh head."""
        return Segmenter(self.backbone(method), len(self.data.names))

    def loss(self, network: nn.Module, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Return the mean cross entropy of the pixels; half of the images are mirrored."""
        chosen = coin_flips(len(rows), generator)
        masks = mirrored(self.data.train.masks[rows], chosen)
        logits = network(self.network_input(mirrored(self.data.train.pixels[rows], chosen)))
        target = masks.long().to(logits.device)
        total = F.cross_entropy(logits, target, ignore_index=IGNORED, reduction="sum")
        return total / (masks != IGNORED).sum().clamp(min=1)

    def measures(self, network: nn.Module) -> dict[str, float]:
        """Return the measures of a segmenter on the test images."""
        test, n_classes = self.data.test, len(self.data.names)
        table = torch.zeros(n_classes, n_classes, dtype=torch.int64)
        with torch.inference_mode():
            for rows in torch.split(torch.arange(len(test.pixels)), BATCH_SIZE):
                logits = network(self.network_input(test.pixels[rows]))
                table += confusion(logits.argmax(1).cpu(), test.masks[rows], n_classes)
        return {
            "miou": mean_iou(table),
            "pixel_accuracy": (table.diagonal().sum() / table.sum()).item(),
        }


def confusion(guess: Tensor, truth: Tensor, n_classes: int) -> Tensor:
    """Return the number of pixels of each class (row) that were put into each class (column).

    Parameters
    ----------
    guess, truth
        Classes of the same pixels; pixels whose truth is `IGNORED` are not counted.
    n_classes
        Number of classes.

    Returns
    -------
    Tensor
        ``int64[n_classes, n_classes]``.
    """
    kept = truth != IGNORED
    cells = truth[kept].long() * n_classes + guess[kept].long()
    return torch.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)


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
