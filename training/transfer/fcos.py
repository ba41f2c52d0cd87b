"""A detector without anchors: FCOS (Tian et al. 2019, "Fully convolutional one-stage detection").

Every point of a pyramid predicts its class and the distances to the four sides of its box. A point
learns from the smallest box of its level's range whose middle is near (the later paper's centre
sampling).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.model.resnet import ResNet
from training.transfer.boxes import area, generalised_iou, suppress
from training.transfer.pyramid import Pyramid, channels, maps, strides

REACH = 1.5
"""Largest distance from the middle of a box at which a point learns from it, in strides."""

RANGE = 8
"""The longest distance to a side that a level predicts, in strides; the last level has no limit."""

PRIOR = 0.01
MIN_SCORE, MAX_CANDIDATES, MAX_OVERLAP, MAX_DETECTIONS = 0.05, 1000, 0.6, 100


@dataclass(frozen=True, eq=False)
class Detections:
    """The objects that a detector found in one image, by falling score.

    Parameters
    ----------
    boxes
        ``float32[n, 4]``: left, top, right, bottom, in pixels of the input.
    scores
        ``float32[n]``, in (0, 1).
    classes
        ``int64[n]``.
    """

    boxes: Tensor
    scores: Tensor
    classes: Tensor


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions at the L points of the pyramid, in the same order for every image.

    Parameters
    ----------
    locations
        ``float32[L, 2]``: x and y in pixels of the input.
    stride
        ``float32[L]``: pixels from one point of its level to the next.
    logits
        ``float32[n, L, n_classes]``.
    boxes
        ``float32[n, L, 4]``, in pixels of the input.
    centred
        ``float32[n, L]``: logit of `centredness`.
    """

    locations: Tensor
    stride: Tensor
    logits: Tensor
    boxes: Tensor
    centred: Tensor


class Detector(nn.Module):
    """A backbone with pyramid and head; the last layer of the backbone is not used."""

    def __init__(self, backbone: ResNet, n_classes: int) -> None:
        super().__init__()
        width = max(16, backbone.conv1.out_channels * 4)
        self.backbone = backbone
        self.strides = (*strides(backbone), 2 * strides(backbone)[-1])
        self.pyramid = Pyramid(channels(backbone), width)
        self.class_tower, self.box_tower = _tower(width), _tower(width)
        self.classes = nn.Conv2d(width, n_classes, 3, padding=1)
        self.sides = nn.Conv2d(width, 4, 3, padding=1)
        self.centred = nn.Conv2d(width, 1, 3, padding=1)
        self.scales = nn.Parameter(torch.ones(len(self.strides)))
        nn.init.normal_(self.classes.weight, std=0.01)
        nn.init.normal_(self.sides.weight, std=0.01)
        nn.init.constant_(self.classes.bias, -math.log((1 - PRIOR) / PRIOR))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Predictions:
        """Return the predictions for normalised images, ``float32[n, 3, s, s]``."""
        levels = [
            self._level(level, i) for i, level in enumerate(self.pyramid(maps(self.backbone, x)))
        ]
        locations, stride = (torch.cat([level[k] for level in levels]) for k in (0, 1))
        logits, boxes, centred = (torch.cat([level[k] for level in levels], 1) for k in (2, 3, 4))
        return Predictions(locations, stride, logits, boxes, centred)

    def _level(self, level: Tensor, i: int) -> tuple[Tensor, ...]:
        stride = self.strides[i]
        locations = _grid(level.shape[-2], level.shape[-1], stride, level.device)
        by_class, by_box = self.class_tower(level), self.box_tower(level)
        sides = stride * (self.scales[i] * self.sides(by_box)).clamp(max=8).exp()
        distance = sides.flatten(2).transpose(1, 2)
        boxes = torch.cat([locations - distance[..., :2], locations + distance[..., 2:]], -1)
        logits = self.classes(by_class).flatten(2).transpose(1, 2)
        each = torch.full((len(locations),), float(stride), device=level.device)
        return locations, each, logits, boxes, self.centred(by_box).flatten(1)


def assign(points: Predictions, boxes: Tensor) -> Tensor:
    """Return the number of the box that each point learns from: ``int64[L]``, -1 for background.

    Parameters
    ----------
    points
        Only the locations and strides are used.
    boxes
        ``float32[m, 4]`` of one image.
    """
    if not len(boxes):
        return torch.full((len(points.locations),), -1, device=points.locations.device)
    locations, stride = points.locations[:, None], points.stride[:, None]
    farthest = _sides(locations, boxes[None]).amax(-1)
    low = torch.where(stride == stride.min(), 0, stride * RANGE / 2)
    high = torch.where(stride == stride.max(), math.inf, stride * RANGE)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    near = ((locations - middle).abs().amax(-1) < REACH * stride) & (
        _sides(locations, boxes[None]).amin(-1) > 0
    )
    cost = torch.where(near & (farthest > low) & (farthest <= high), area(boxes), math.inf)
    least, box = cost.min(1)
    return torch.where(least.isfinite(), box, -1)


def detection_loss(
    points: Predictions, boxes: Sequence[Tensor], classes: Sequence[Tensor]
) -> Tensor:
    """Return the loss of a batch: focal loss of classes, boxes by overlap, and centredness.

    Parameters
    ----------
    points
        Predictions for n images.
    boxes, classes
        For each image, ``float32[m, 4]`` and ``int64[m]``.
    """
    owner = torch.stack([assign(points, b) for b in boxes])
    image, point = torch.nonzero(owner >= 0, as_tuple=True)
    before = torch.tensor([0, *map(len, boxes)], device=owner.device).cumsum(0)
    row = before[image] + owner[image, point]
    target = torch.zeros_like(points.logits)
    target[image, point, torch.cat(list(classes))[row]] = 1
    loss = focal(points.logits, target) / max(1, len(image))
    if not len(image):
        return loss
    wanted = torch.cat(list(boxes))[row]
    near = centredness(points.locations[point], wanted)
    apart = 1 - generalised_iou(points.boxes[image, point], wanted)
    by_centre = F.binary_cross_entropy_with_logits(points.centred[image, point], near)
    return loss + (apart * near).sum() / near.sum() + by_centre


def focal(logits: Tensor, target: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Return the focal loss, summed (Lin et al. 2017, "Focal loss for dense object detection")."""
    p = logits.sigmoid()
    miss = torch.where(target > 0, 1 - p, p)
    weight = torch.where(target > 0, alpha, 1 - alpha)
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (weight * miss**gamma * entropy).sum()


def centredness(locations: Tensor, boxes: Tensor) -> Tensor:
    """Return the centredness of location i in box i: ``float[n]``, 1 in the middle and 0 at a side.

    The paper's center-ness, equation 3.

    Examples
    --------
    >>> centredness(torch.tensor([[5.0, 5], [2, 5]]), torch.tensor([[0.0, 0, 10, 10]] * 2))
    tensor([1.0000, 0.5000])
    """
    left, top, right, bottom = _sides(locations, boxes).clamp(min=0).unbind(-1)
    across = left.minimum(right) / left.maximum(right)
    along = top.minimum(bottom) / top.maximum(bottom)
    return (across * along).sqrt()


def detections(points: Predictions, image: int, side: int) -> Detections:
    """Return the objects of one image of `side` pixels, without overlapping duplicates."""
    centred = points.centred[image].sigmoid()[:, None]
    scores = (points.logits[image].sigmoid() * centred).sqrt().flatten()
    best = scores.argsort(descending=True, stable=True)[:MAX_CANDIDATES]
    best = best[scores[best] > MIN_SCORE]
    n_classes = points.logits.shape[-1]
    boxes = points.boxes[image][best // n_classes].clamp(0, side)
    kept = suppress(boxes, scores[best], best % n_classes, MAX_OVERLAP)[:MAX_DETECTIONS]
    return Detections(boxes[kept], scores[best][kept], (best % n_classes)[kept])


def _sides(locations: Tensor, boxes: Tensor) -> Tensor:
    """Return the distances of locations to the left, top, right and bottom of boxes."""
    return torch.cat([locations - boxes[..., :2], boxes[..., 2:] - locations], -1)


def _grid(n_rows: int, n_cols: int, stride: int, device: torch.device) -> Tensor:
    """Return x and y of the points of a level, in pixels: ``float32[n_rows * n_cols, 2]``."""
    y, x = torch.meshgrid(
        torch.arange(n_rows, device=device), torch.arange(n_cols, device=device), indexing="ij"
    )
    return (torch.stack([x, y], -1).flatten(0, 1) + 0.5) * stride


def _tower(width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(2):
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(8, width), nn.ReLU()]
    return nn.Sequential(*layers)
