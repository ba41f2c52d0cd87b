"""Drawn scenes: discs and squares at known places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

NAMES = ("disc", "square")


@dataclass(frozen=True, eq=False)
class Scene:
    """An image, the boxes in it with their classes, and the class of each pixel (0: none)."""

    image: Image.Image
    boxes: list[tuple[int, int, int, int]]
    classes: list[int]
    mask: Image.Image


def scene(number: int, side: int = 64) -> Scene:
    """Draw one or two shapes that do not overlap, light on dark noise."""
    rng = np.random.default_rng(number)
    image = Image.fromarray(rng.integers(0, 80, (side, side, 3), dtype=np.uint8))
    mask = Image.new("L", (side, side))
    pens = ImageDraw.Draw(image), ImageDraw.Draw(mask)
    boxes, classes = [], []
    for half in range(1 + number % 2):
        size = int(rng.integers(side // 4, side // 2 - 4))
        left = half * side // 2 + int(rng.integers(1, side // 2 - size))
        top = int(rng.integers(1, side - size))
        code = int(rng.integers(0, 2))
        colour = tuple(rng.integers(150, 256, 3).tolist())
        for pen, fill in zip(pens, (colour, code + 1), strict=True):
            shape = pen.rectangle if code else pen.ellipse
            shape((left, top, left + size - 1, top + size - 1), fill=fill)
        boxes.append((left, top, left + size, top + size))
        classes.append(code)
    return Scene(image, boxes, classes, mask)
