"""Objects in images, as all formats of annotations give them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class AnnotatedObject:
    """One object in an image.

    Parameters
    ----------
    name
        Its class.
    box
        Left, top, right, bottom, in pixels from the image's upper left corner; all finite.
    ignored
        Whether it is a crowd or difficult: not trained on, and neither a hit nor a miss.
    outline
        For COCO: the polygons or run lengths of its mask.
    area
        For COCO: the pixels that the annotation counts, by which objects are small or large; None
        where it is that of the box.
    """

    name: str
    box: tuple[float, float, float, float]
    ignored: bool
    outline: Any = None
    area: float | None = None


@dataclass(frozen=True)
class AnnotatedImage:
    """An image file and the objects in it."""

    path: Path
    objects: tuple[AnnotatedObject, ...]


def finite(values: Sequence[Any]) -> list[float]:
    """Return values as numbers.

    Raises
    ------
    ValueError, TypeError, OverflowError
        If one is not a number, infinite or NaN.
    """
    numbers = [float(value) for value in values]
    if not all(map(math.isfinite, numbers)):
        raise ValueError("a number is not finite")
    return numbers
