"""Files of images to pixels of one size, with what cannot be used counted."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor

from labeling.errors import InputError
from training.data.decode import MAX_PIXELS
from training.data.loader import normalise
from training.model.model_file import ModelCard

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
FORMATS = ("JPEG", "PNG", "WEBP")

MAX_TASK_BYTES = 4 << 30
"""A part of a task of more decoded bytes is refused: 28,000 images of 224 pixels."""

UNREADABLE = (
    *(ValueError, OSError, SyntaxError, EOFError, struct.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)
"""What a missing, damaged or enormous image is known to raise."""


def decode_square(data: bytes, side: int) -> npt.NDArray[np.uint8]:
    """Return the centred square of an image, upright: ``uint8[side, side, 3]``.

    Raises one of `UNREADABLE` where the bytes are no image.
    """
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        refuse_enormous(image)
        image.draft("RGB", (2 * side, 2 * side))
        upright = ImageOps.exif_transpose(image.convert("RGB"))
        return np.asarray(ImageOps.fit(upright, (side, side), Image.Resampling.BILINEAR))


def decode_whole(path: Path, side: int) -> tuple[npt.NDArray[np.uint8], tuple[int, int]]:
    """Return an image scaled to fit a square, in its upper left, and its own width and height.

    The rest of the ``uint8[side, side, 3]`` is 0. Boxes and masks belong to the pixels as they are
    stored: the image is not turned. Raises one of `UNREADABLE` where the file is no image.
    """
    square = np.zeros((side, side, 3), np.uint8)
    with Image.open(path, formats=FORMATS) as image:
        refuse_enormous(image)
        own_size = image.size
        width, height = fitted(own_size, side)
        small = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    square[:height, :width] = np.asarray(small)
    return square, own_size


def fitted(own_size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return the width and height of an image whose longer side becomes `side`.

    Examples
    --------
    >>> fitted((640, 480), 64)
    (64, 48)
    """
    longer = max(own_size)
    width, height = (max(1, round(length * side / longer)) for length in own_size)
    return width, height


def refuse_enormous(image: Image.Image) -> None:
    """Raise ValueError for an image that is too large to decode; its header is enough."""
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"it has {image.width} x {image.height} pixels")


def refuse_too_many(n: int, side: int, path: Path) -> None:
    """Raise InputError if n decoded images of a task are more than are held in memory."""
    if n * side**2 * 3 > MAX_TASK_BYTES:
        raise InputError(
            "the images of a task do not fit into the memory set aside for them",
            facts={"task": path, "side": side, "most images": MAX_TASK_BYTES // side**2 // 3},
            help="take a smaller --image-size, or a part of the task",
        )


def stacked(squares: list[npt.NDArray[np.uint8]], path: Path, part: str) -> Tensor:
    """Return images as ``uint8[n, side, side, 3]``; no image at all is an InputError."""
    if not squares:
        raise InputError(
            f"a task has no image to {part} on that can be used",
            facts={"task": path},
            help="docs/how-to/transfer.md says how the folder of a task is laid out",
        )
    return torch.from_numpy(np.stack(squares))


def network_input(pixels: Tensor, card: ModelCard, device: torch.device) -> Tensor:
    """Return ``uint8[n, s, s, 3]`` as a model takes it: ``float32[n, 3, s, s]``, normalised.

    Channels come first in memory: with channels last, torch 2.13 on the CPU was seen to write
    outside its memory in the backward pass of narrow convolutions.
    """
    return normalise(pixels.to(device), card.mean, card.std).contiguous()


def moved_and_mirrored(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Shift each of ``[n, s, s, 3]`` by up to an eighth of its side, and mirror half of them.

    What moves in at an edge is the image's own reflection.
    """
    n, side = pixels.shape[:2]
    reach = side // 8
    shift = torch.randint(-reach, reach + 1, (2, n, 1), generator=generator)
    mirror = torch.randint(0, 2, (n, 1), generator=generator, dtype=torch.bool)
    rows, cols = (side - 1) - ((side - 1) - (torch.arange(side) + shift).abs()).abs()
    cols = torch.where(mirror, cols.flip(1), cols)
    return pixels[torch.arange(n)[:, None, None], rows[:, :, None], cols[:, None, :]]
