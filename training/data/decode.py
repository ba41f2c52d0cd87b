"""JPEG bytes to the square of pixels that a network sees.

libjpeg-turbo decodes (through simplejpeg where it is installed, else through Pillow) and torch
resizes, both on bytes: together they take about half the time of Pillow alone. For training, an
image that is more than twice as large as needed is decoded at a half, a quarter or an eighth of
its size (the inverse cosine transform is scaled), which is another filter and costs less;
evaluation never does so.
"""

from __future__ import annotations

import io
import math
import re
import struct
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps

try:
    import simplejpeg
except ImportError:
    simplejpeg = None

Jpeg: TypeAlias = bytes | memoryview
Pixels: TypeAlias = npt.NDArray[np.uint8]

MAX_PIXELS = 1 << 26
"""An image of more pixels is refused before it is decoded."""

LEAST_AREA = 0.5
"""Least share of an image's area that a crop of training covers.

Labels describe whole images: smaller crops often miss the object.
"""

MOST_STRETCH = 4 / 3
"""Largest ratio of the longer to the shorter side of a crop of training."""

UNUSABLE = (
    *(TypeError, ValueError, OSError, SyntaxError, struct.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)
"""Errors that a damaged or enormous JPEG is known to raise."""

_EXIF = re.compile(b"Exif\0\0")
_EXIF_WITHIN = 4096
_ORIENTATION, _ON_ITS_SIDE = 0x0112, (5, 6, 7, 8)


class View(NamedTuple):
    """A crop of an image as five numbers drawn from [0, 1).

    They determine its area, its stretch, its distance from the left and from the top, and whether
    it is mirrored.
    """

    area: float
    stretch: float
    left: float
    top: float
    mirror: float


class Box(NamedTuple):
    """A rectangle of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


def decode(jpeg: Jpeg, side: int, view: View | None = None) -> Pixels:
    """Return a crop of an image, upright, as ``uint8[side, side, 3]``: red, green, blue.

    Parameters
    ----------
    jpeg
        The bytes of the file: RGB, grey or CMYK.
    side
        Side of the result, in pixels.
    view
        The crop, resized to a square whatever its shape; without one, the largest centred square.

    Raises
    ------
    Exception
        One of `UNUSABLE`, if the file is cut, damaged, of another format, or has more than
        `MAX_PIXELS`.
    """
    pixels, box = _decode_plain(jpeg, side, view) or _decode_any(jpeg, side, view)
    crop = pixels[box.top : box.top + box.height, box.left : box.left + box.width]
    return _resize(crop, side, mirrored=view is not None and view.mirror < 0.5)


def box_of(height: int, width: int, view: View | None) -> Box:
    """Return the crop of an image that a view describes.

    Area and stretch (its logarithm) are uniform, as in Szegedy et al. 2015, section 6, but the
    stretch only between those at which the crop fits into the image, so that no draw is repeated.

    Examples
    --------
    >>> box_of(60, 100, None)
    Box(top=0, left=20, height=60, width=60)
    >>> box_of(60, 100, View(area=0.0, stretch=0.5, left=0.5, top=0.0, mirror=0.0))
    Box(top=0, left=22, height=55, width=55)
    """
    if view is None:
        side = min(height, width)
        return Box((height - side) // 2, (width - side) // 2, side, side)
    area = (LEAST_AREA + view.area * (1 - LEAST_AREA)) * height * width
    drawn = MOST_STRETCH ** (2 * view.stretch - 1)
    stretch = min(max(drawn, area / height**2), width**2 / area)
    part_width = min(width, max(1, round(math.sqrt(area * stretch))))
    part_height = min(height, max(1, round(math.sqrt(area / stretch))))
    top = round(view.top * (height - part_height))
    left = round(view.left * (width - part_width))
    return Box(top, left, part_height, part_width)


def _decode_plain(jpeg: Jpeg, side: int, view: View | None) -> tuple[Pixels, Box] | None:
    """Return the pixels of an upright RGB or grey image and the crop in them, or None for others.

    Files that libjpeg-turbo warns of are left to Pillow, which decodes many of them all the same.
    """
    if simplejpeg is None or _EXIF.search(jpeg, 0, _EXIF_WITHIN):
        return None
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(jpeg)
        if space not in ("YCbCr", "RGB", "Gray"):
            return None
        _refuse_enormous(height, width)
        box = box_of(height, width, view)
        by = _halvings(box, side, view)
        least = {"min_height": -(-height >> by), "min_width": -(-width >> by)}
        pixels = simplejpeg.decode_jpeg(jpeg, fastupsample=view is not None, **least)
    except ValueError:
        return None
    return pixels, _halved(box, by)


def _decode_any(jpeg: Jpeg, side: int, view: View | None) -> tuple[Pixels, Box]:
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
        _refuse_enormous(image.height, image.width)
        on_its_side = image.getexif().get(_ORIENTATION) in _ON_ITS_SIDE
        box = box_of(*(image.size if on_its_side else image.size[::-1]), view)
        by = _halvings(box, side, view)
        image.draft("RGB", (image.width >> by, image.height >> by))
        upright = ImageOps.exif_transpose(image.convert("RGB"))
        return np.array(upright), _halved(box, by)


def _refuse_enormous(height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        raise ValueError(f"its image has {width} x {height} pixels")


def _halvings(box: Box, side: int, view: View | None) -> int:
    """Return the times that an image may be halved without losing detail, at most three."""
    if view is None:
        return 0
    return max(0, min(3, (min(box.height, box.width) // side).bit_length() - 1))


def _halved(box: Box, by: int) -> Box:
    return Box(*(number >> by for number in box))


def _resize(pixels: Pixels, side: int, *, mirrored: bool) -> Pixels:
    planes = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    # torch takes a crop for neither order of channels, and would return the slower one.
    planes = planes.contiguous(memory_format=torch.channels_last)
    resized = F.interpolate(planes, (side, side), mode="bilinear", antialias=True)
    square = resized.flip(3) if mirrored else resized
    return square[0].permute(1, 2, 0).numpy()
