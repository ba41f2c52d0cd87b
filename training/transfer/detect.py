"""Transfer to detection: boxes around objects, held against the truth by COCO's mAP."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from labeling.errors import InputError
from training.evaluation.coco_map import coco_measures
from training.evaluation.measures import banded, sizes
from training.fit.devices import chosen_device, seeded
from training.fit.schedule import decayed
from training.model.model_file import ModelCard, load_model
from training.model.resnet import ResNet
from training.transfer.annotations import Object, Picture, read_pictures
from training.transfer.fcos import Detector, Found, detection_loss, found_in
from training.transfer.fitting import Budget, fit
from training.transfer.images import (
    UNREADABLE,
    decode_whole,
    network_input,
    refuse_too_many,
    stacked,
)
from training.transfer.sources import held_out
from training.transfer.starts import METHODS, backbone_for, set_mode

BUDGET = Budget(steps=400, batch_size=8, learning_rate=2e-3, weight_decay=1e-4)

ENLARGED = 4
"""Images of detection are this many times as large as those of the model's training."""


@dataclass(frozen=True, eq=False)
class Boxed:
    """Images and the boxes in them.

    Parameters
    ----------
    pixels
        ``uint8[n, s, s, 3]``: each image scaled to fit, in the upper left of its square.
    scale
        For each image, how many pixels of the square one pixel of the file is.
    boxes, classes, ignored
        For each image ``float32[m, 4]`` in pixels of the square, ``int64[m]`` and ``bool[m]``.
    """

    pixels: Tensor
    scale: list[float]
    boxes: list[Tensor]
    classes: list[Tensor]
    ignored: list[Tensor]


@dataclass(frozen=True, eq=False)
class BoxTask:
    """A task of detection: names of the classes, images to learn from and to measure on."""

    names: tuple[str, ...]
    train: Boxed
    test: Boxed
    put_aside: Counter[str]


def evaluate_boxes(
    model_dir: Path,
    task_path: Path,
    methods: Sequence[str] = METHODS,
    budget: Budget = BUDGET,
    seeds: Sequence[int] = (0,),
    image_size: int | None = None,
) -> Iterator[tuple[str, float]]:
    """Yield the name and value of each measure of a model on a task of detection.

    ``METHOD_map``, ``METHOD_ap50`` and so on: see `coco_measures`. With several seeds these
    are means, and ``_low`` and ``_high`` are the lowest and highest. ``n_...``: classes, images,
    and what was put aside, by reason.

    Parameters
    ----------
    model_dir
        The folder that `training.fit.train.train` wrote.
    task_path
        See `annotations.read_pictures`.
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
    task = read_box_task(task_path, image_size or ENLARGED * card.image_size, seeds[0])
    for method in methods:
        runs = [
            dict(measure(train_detector(network, card, task, method, budget, seed), card, task))
            for seed in seeds
        ]
        yield from banded(method, runs)
    yield from sizes(task.names, len(task.train.pixels), len(task.test.pixels), task.put_aside)


def read_box_task(path: Path, image_size: int, seed: int = 0) -> BoxTask:
    """Read a task of detection; one that comes in one part is split by the seed.

    Raises
    ------
    InputError
        If there is no such task, or a part has no image or no box that can be used.
    """
    put_aside: Counter[str] = Counter()
    pictures = read_pictures(path, put_aside)
    if "" in pictures:
        test = held_out(len(pictures[""]), seed)
        pictures = {
            part: [p for p, is_test in zip(pictures[""], test, strict=True) if is_test == wanted]
            for part, wanted in (("train", False), ("test", True))
        }
    names = {o.name for p in pictures["train"] for o in p.objects if not o.ignored}
    ordered = tuple(sorted(names))
    train, test_part = (
        _boxed(pictures[part], ordered, image_size, path, part, put_aside)
        for part in ("train", "test")
    )
    for part, boxed in (("train", train), ("measure", test_part)):
        if all(ignored.all() for ignored in boxed.ignored):
            raise InputError(
                f"a task has no box to {part} on that can be used",
                facts={"task": path, **put_aside},
                help="docs/how-to/transfer.md says how a task is laid out",
            )
    return BoxTask(ordered, train, test_part, +put_aside)


def train_detector(
    network: ResNet, card: ModelCard, task: BoxTask, method: str, budget: Budget, seed: int
) -> Detector:
    """Return a detector trained on the task; the network is left as it is.

    Images are mirrored at random.

    Parameters
    ----------
    method
        What of the network is used: one of `starts.METHODS`.
    seed
        Of fresh weights, the order and the mirroring.
    """
    device = chosen_device()
    with seeded(seed, device):
        detector = Detector(backbone_for(method, network, card), len(task.names))
        detector.to(device)
        set_mode(detector, detector.backbone, method)
        optimizer = torch.optim.AdamW(decayed(detector, budget.weight_decay))

        def loss_of(rows: Tensor, generator: torch.Generator) -> Tensor:
            pixels, boxes = _mirrored(task.train, rows, generator)
            x = network_input(pixels, card, device)
            kept = [~task.train.ignored[row] for row in rows.tolist()]
            return detection_loss(
                detector(x),
                [own[k].to(device) for own, k in zip(boxes, kept, strict=True)],
                [task.train.classes[r][k].to(device) for r, k in zip(rows, kept, strict=True)],
            )

        fit(detector, len(task.train.pixels), optimizer, budget, loss_of, seed)
    return detector


def detect(detector: Detector, card: ModelCard, images: Boxed) -> list[Found]:
    """Return what a detector finds in each image, in pixels of its file."""
    device = next(detector.parameters()).device
    side = images.pixels.shape[1]
    found: list[Found] = []
    with torch.inference_mode():
        for pixels in torch.split(images.pixels, 16):
            points = detector(network_input(pixels, card, device))
            found += [found_in(points, i, side) for i in range(len(pixels))]
    return [
        dataclasses.replace(own, boxes=own.boxes / scale)
        for own, scale in zip(found, images.scale, strict=True)
    ]


def measure(detector: Detector, card: ModelCard, task: BoxTask) -> Iterator[tuple[str, float]]:
    """Yield COCO's measures of a detector on the held-out images."""
    test = task.test
    truth = [
        (boxes / scale, classes, ignored)
        for boxes, scale, classes, ignored in zip(
            test.boxes, test.scale, test.classes, test.ignored, strict=True
        )
    ]
    yield from coco_measures(truth, detect(detector, card, test), len(task.names))


def _mirrored(
    images: Boxed, rows: Tensor, generator: torch.Generator
) -> tuple[Tensor, list[Tensor]]:
    """Return images and their boxes, with half of the images mirrored."""
    mirror = torch.randint(0, 2, (len(rows),), generator=generator, dtype=torch.bool)
    pixels = images.pixels[rows]
    pixels = torch.where(mirror[:, None, None, None], pixels.flip(2), pixels)
    side = pixels.shape[2]
    boxes = [images.boxes[row] for row in rows.tolist()]
    turned = [torch.stack([side - b[:, 2], b[:, 1], side - b[:, 0], b[:, 3]], 1) for b in boxes]
    return pixels, [t if m else b for b, t, m in zip(boxes, turned, mirror.tolist(), strict=True)]


def _boxed(
    pictures: Sequence[Picture],
    names: Sequence[str],
    image_size: int,
    path: Path,
    part: str,
    put_aside: Counter[str],
) -> Boxed:
    squares, scale, kept = [], [], []
    refuse_too_many(len(pictures), image_size, path)
    for picture in pictures:
        try:
            square, own_size = decode_whole(picture.path, image_size)
        except UNREADABLE:
            put_aside["image unreadable"] += 1
            continue
        squares.append(square)
        scale.append(image_size / max(own_size))
        kept.append(list(_usable(picture.objects, names, own_size, put_aside)))
    code_of = {name: code for code, name in enumerate(names)}
    return Boxed(
        pixels=stacked(squares, path, part),
        scale=scale,
        boxes=[
            torch.tensor([o.box for o in own], dtype=torch.float32).reshape(-1, 4) * s
            for own, s in zip(kept, scale, strict=True)
        ],
        classes=[torch.tensor([code_of[o.name] for o in own], dtype=torch.int64) for own in kept],
        ignored=[torch.tensor([o.ignored for o in own], dtype=torch.bool) for own in kept],
    )


def _usable(
    objects: Sequence[Object],
    names: Sequence[str],
    own_size: tuple[int, int],
    put_aside: Counter[str],
) -> Iterator[Object]:
    """Yield objects with their boxes cut at the image's edges; count those that have no rest."""
    for entry in objects:
        ends = np.array(entry.box)
        inside = np.clip(ends, 0, [*own_size, *own_size])
        if entry.name not in names:
            put_aside["class not in the training images"] += 1
        elif not (ends[2:] > ends[:2]).all():
            put_aside["box without area"] += 1
        elif not (inside[2:] > inside[:2]).all():
            put_aside["box outside the image"] += 1
        else:
            left, top, right, bottom = inside.tolist()
            yield dataclasses.replace(entry, box=(left, top, right, bottom))
