"""Tasks of detection: images and the boxes in them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from labeling.errors import InputError
from training.transfer.readers.annotated import AnnotatedImage, AnnotatedObject
from training.transfer.readers.annotations import read_annotations
from training.transfer.readers.images import (
    LAYOUT,
    UNREADABLE,
    Images,
    TaskData,
    decode_whole,
    refuse_too_many,
    stacked,
)
from training.transfer.readers.splits import split


@dataclass(frozen=True, eq=False)
class Boxed(Images):
    """Images and the boxes in them.

    Parameters
    ----------
    pixels
        ``uint8[n, s, s, 3]``: each image scaled to fit, in the upper left of its square.
    scale
        For each image, the pixels of the square that one pixel of the file becomes.
    boxes, classes, ignored
        For each image ``float32[m, 4]`` in pixels of the square, ``int64[m]`` and ``bool[m]``.
    areas
        For each image ``float32[m]``: the objects' areas in pixels of the file, as annotated.
    """

    scale: list[float]
    boxes: list[Tensor]
    classes: list[Tensor]
    ignored: list[Tensor]
    areas: list[Tensor]


def read_box_task(path: Path, image_size: int, seed: int = 0) -> TaskData[Boxed]:
    """Read a task of detection; a task in one part is split by the seed.

    Parameters
    ----------
    path
        See `training.transfer.readers.annotations.read_annotations`.
    image_size
        Longer side of the images.

    Raises
    ------
    InputError
        If there is no such task, or a part has no image or no box that can be used.
    """
    rejects: Counter[str] = Counter()
    train_images, test_images = split(read_annotations(path, rejects), seed)
    names = sorted({o.name for image in train_images for o in image.objects if not o.ignored})
    code_of = {name: code for code, name in enumerate(names)}

    def boxed(images: Sequence[AnnotatedImage], part: str) -> Boxed:
        refuse_too_many(len(images), image_size, path)
        return _boxed(images, code_of, image_size, path, part, rejects)

    data = TaskData(
        tuple(names), boxed(train_images, "train"), boxed(test_images, "measure"), +rejects
    )
    for part, images in (("train", data.train), ("measure", data.test)):
        if all(ignored.all() for ignored in images.ignored):
            raise InputError(
                f"a task has no box to {part} on that can be used",
                facts={"task": path, **+rejects},
                help=LAYOUT,
            )
    return data


def _boxed(
    images: Sequence[AnnotatedImage],
    code_of: Mapping[str, int],
    image_size: int,
    path: Path,
    part: str,
    rejects: Counter[str],
) -> Boxed:
    squares, scale, objects = [], [], []
    for image in images:
        try:
            square, size = decode_whole(image.path, image_size)
        except UNREADABLE:
            rejects["image unreadable"] += 1
            continue
        squares.append(square)
        scale.append(image_size / max(size))
        objects.append(list(_usable(image.objects, code_of, size, rejects)))
    return Boxed(
        pixels=stacked(squares, path, part, rejects),
        scale=scale,
        boxes=[
            torch.tensor([o.box for o in of_image], dtype=torch.float32).reshape(-1, 4) * s
            for of_image, s in zip(objects, scale, strict=True)
        ],
        classes=[torch.tensor([code_of[o.name] for o in of_image]).long() for of_image in objects],
        ignored=[
            torch.tensor([o.ignored for o in of_image], dtype=torch.bool) for of_image in objects
        ],
        areas=[torch.tensor(list(map(_area, of_image))).float() for of_image in objects],
    )


def _area(entry: AnnotatedObject) -> float:
    left, top, right, bottom = entry.box
    return (right - left) * (bottom - top) if entry.area is None else entry.area


def _usable(
    objects: Sequence[AnnotatedObject],
    code_of: Mapping[str, int],
    size: tuple[int, int],
    rejects: Counter[str],
) -> Iterator[AnnotatedObject]:
    """Yield objects with their boxes cut at the image's edges; count boxes that cannot be used."""
    for entry in objects:
        ends = np.array(entry.box)
        inside = np.clip(ends, 0, [*size, *size])
        if entry.name not in code_of:
            rejects["class not in the training images"] += 1
        elif not (ends[2:] > ends[:2]).all():
            rejects["box without area"] += 1
        elif not (inside[2:] > inside[:2]).all():
            rejects["box outside the image"] += 1
        else:
            left, top, right, bottom = inside.tolist()
            yield dataclasses.replace(entry, box=(left, top, right, bottom))
