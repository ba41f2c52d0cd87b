"""Outlines of COCO, polygons or run lengths, to the pixels inside.

pycocotools trusts its input: a far point lets it write outside of its memory, so that each outline
is checked before. Run lengths are unpacked here and compared with the size of the image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from training.transfer.readers.annotated import finite
from training.transfer.readers.images import UnusableMask

Runs: TypeAlias = npt.NDArray[np.int64]
"""Pixels outside and inside by turns, column by column from the upper left."""

MAX_LENGTH = 1 << 21
"""Pixels along the polygons of an object, which its memory and time depend on."""

_POINT = 2
_BITS, _MORE, _SIGN = 5, 0x20, 0x10
_MAX_DIGITS = 8


def runs_of(outline: Any, size: tuple[int, int], rejects: Counter[str]) -> Runs:
    """Return the run lengths of an object.

    Parameters
    ----------
    outline
        ``segmentation`` of an annotation.
    size
        Width and height of the image.
    rejects
        Counts polygons of fewer than three points, which have no area and are left out.

    Raises
    ------
    UnusableMask
        If the outline is of another form or size, or far outside of the image.
    """
    width, height = size
    if isinstance(outline, list):
        runs = _of_polygons(_polygons(outline, size, rejects), size)
    elif not isinstance(outline, dict) or "counts" not in outline:
        raise UnusableMask("outline unreadable")
    elif outline.get("size") != [height, width]:
        raise UnusableMask("outline of an image of another size")
    else:
        counts = outline["counts"]
        runs = counts if isinstance(counts, list) else _unpacked(counts)
    if not all(type(run) is int and run >= 0 for run in runs) or sum(runs) != width * height:
        raise UnusableMask("run lengths that do not fill the image")
    return np.array(runs, np.int64)


def inside(runs: Runs, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return the pixels inside: ``bool[height, width]``.

    Examples
    --------
    >>> inside(np.array([1, 2, 1]), (2, 2)).astype(int)
    array([[0, 1],
           [1, 0]])
    """
    is_inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(is_inside, runs).reshape(size).T


def _polygons(
    outline: Sequence[Any], size: tuple[int, int], rejects: Counter[str]
) -> list[list[float]]:
    """Return the polygons of an outline, each as x and y by turns."""
    polygons = []
    for polygon in outline:
        if not isinstance(polygon, list) or len(polygon) % _POINT:
            raise UnusableMask("outline unreadable")
        if len(polygon) < 3 * _POINT:
            rejects["polygon of fewer than three points"] += 1
            continue
        try:
            polygons.append(finite(polygon))
        except (TypeError, ValueError, OverflowError) as error:
            raise UnusableMask("outline unreadable") from error
    _refuse_far(polygons, size)
    return polygons


def _refuse_far(polygons: Sequence[Sequence[float]], size: tuple[int, int]) -> None:
    """Raise `UnusableMask` for points far outside, and for lengths that no outline has."""
    side, length = max(size), 0.0
    for polygon in polygons:
        points = np.array(polygon).reshape(-1, _POINT)
        if points.min() < -side or points.max() > 2 * side:
            raise UnusableMask("outline far outside the image")
        steps = np.abs(points - np.roll(points, 1, axis=0))
        length += steps.max(axis=1).sum()
    # An outline along all four sides of every pixel is the longest that does not repeat itself.
    if length > min(MAX_LENGTH, 4 * (size[0] + 2) * (size[1] + 2)):
        raise UnusableMask("outline too long for the image")


def _of_polygons(polygons: Sequence[Sequence[float]], size: tuple[int, int]) -> list[int]:
    width, height = size
    if not polygons:
        return [width * height]
    packed = coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))
    return _unpacked(packed["counts"])


def _unpacked(counts: Any) -> list[int]:
    """Return run lengths from COCO's packed form: differences to the run before the last one.

    Each is written in digits of five bits, the lowest first; a sixth bit is set on all but the
    last (as in pycocotools).
    """
    runs: list[int] = []
    value = n_digits = 0
    for digit in _digits(counts):
        value |= (digit & (_MORE - 1)) << _BITS * n_digits
        n_digits += 1
        if n_digits > _MAX_DIGITS:
            raise UnusableMask("outline unreadable")
        if digit & _MORE:
            continue
        if digit & _SIGN:
            value -= 1 << _BITS * n_digits
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = n_digits = 0
    if n_digits:
        raise UnusableMask("outline unreadable")
    return runs


def _digits(counts: Any) -> list[int]:
    try:
        text = counts.encode("ascii") if isinstance(counts, str) else bytes(memoryview(counts))
    except (TypeError, UnicodeEncodeError) as error:
        raise UnusableMask("outline unreadable") from error
    digits = [character - ord("0") for character in text]
    if not all(0 <= digit < 2 * _MORE for digit in digits):
        raise UnusableMask("outline unreadable")
    return digits
