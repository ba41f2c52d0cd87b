"""Image files to pixels of one size, and the images of a task."""

from __future__ import annotations

import io
import struct
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor

from curation.shards.metadata import read_despite_texts
from labeling.errors import InputError
from training.data.decode import MAX_PIXELS

FORMATS = ("JPEG", "PNG", "WEBP")

MAX_TASK_BYTES = 4 << 30
"""Limit of the decoded bytes of a part of a task: 28,000 images of 224 pixels."""

UNREADABLE = (
    *(ValueError, OSError, SyntaxError, EOFError, struct.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)
"""Errors that a missing, damaged or enormous image is known to raise."""


class UnusableMask(Exception):
    """A mask or an outline that is left out with its image; the text is the reason."""


@dataclass(frozen=True, eq=False)
class Images:
    """Images of a task.

    Parameters
    ----------
    pixels
        ``uint8[n, s, s, 3]``.
    """

    pixels: Tensor


AnyImages = TypeVar("AnyImages", bound=Images)


@dataclass(frozen=True, eq=False)
class TaskData(Generic[AnyImages]):
    """Images to train on and images to test on.

    Parameters
    ----------
    names
        Names of the classes.
    train, test
        The images, with their classes, boxes or masks.
    rejects
        Number of files, objects and pixels that were left out, by reason.
    """

    names: tuple[str, ...]
    train: AnyImages
    test: AnyImages
    rejects: Counter[str]


def decode_square(data: bytes, side: int) -> npt.NDArray[np.uint8]:
    """Return the centred square of an image, upright: ``uint8[side, side, 3]``.

    Raises one of `UNREADABLE` unless the bytes are an image.
    """
    return read_despite_texts(partial(_square, side=side), data)


def _square(data: bytes, side: int) -> npt.NDArray[np.uint8]:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        refuse_enormous(image)
        image.draft("RGB", (2 * side, 2 * side))
        upright = ImageOps.exif_transpose(image.convert("RGB"))
        return np.asarray(ImageOps.fit(upright, (side, side), Image.Resampling.BILINEAR))


def decode_whole(path: Path, side: int) -> tuple[npt.NDArray[np.uint8], tuple[int, int]]:
    """Return an image scaled to fit a square, and the width and height of its file.

    The image is in the upper left of the ``uint8[side, side, 3]``, the rest is 0. Boxes and masks
    refer to the pixels as they are stored, so the image is not turned. Raises one of `UNREADABLE`
    unless the file is an image.
    """
    return read_despite_texts(partial(_whole, side=side), path.read_bytes())


def _whole(data: bytes, side: int) -> tuple[npt.NDArray[np.uint8], tuple[int, int]]:
    square = np.zeros((side, side, 3), np.uint8)
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        refuse_enormous(image)
        size = image.size
        width, height = fitted(size, side)
        small = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    square[:height, :width] = np.asarray(small)
    return square, size


def fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return the width and height of an image whose longer side becomes `side`.

    Examples
    --------
    >>> fitted((640, 480), 64)
    (64, 48)
    """
    width, height = (max(1, round(length * side / max(size))) for length in size)
    return width, height


def refuse_enormous(image: Image.Image) -> None:
    """Raise ValueError for an image that is too large to decode; its header is enough."""
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"it has {image.width} x {image.height} pixels")


def refuse_too_many(n: int, side: int, path: Path) -> None:
    """Raise InputError if n decoded images of a task exceed `MAX_TASK_BYTES`."""
    if n * side**2 * 3 > MAX_TASK_BYTES:
        raise InputError(
            "the images of a task do not fit into the memory reserved for them",
            facts={"task": path, "side": side, "most images": MAX_TASK_BYTES // side**2 // 3},
            help="take a smaller `image_size=`, or a part of the task",
        )


def stacked(
    squares: list[npt.NDArray[np.uint8]], path: Path, part: str, rejects: Counter[str]
) -> Tensor:
    """Return images as ``uint8[n, side, side, 3]``; an empty list is an InputError."""
    if not squares:
        raise InputError(
            f"a task has no image to {part} on that can be used",
            facts={"task": path, **+rejects},
            help=LAYOUT,
        )
    return torch.from_numpy(np.stack(squares))


LAYOUT = "docs/how-to/transfer.md shows the layout of a task"
"""Remedy of errors of a task's files."""
