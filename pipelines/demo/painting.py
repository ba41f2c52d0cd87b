"""Draw pictures of a few objects on a varied background, as small JPEG files."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from pipelines.demo.shapes import COLOURS, SHAPES, Colour

SIDE = 64
"""Width and height of every picture, in pixels."""

_SCALE = 3
"""Pictures are drawn larger by this factor and reduced, for smooth edges."""

_QUALITY = 85
_MIDDLES = {
    1: ((0.5, 0.5),),
    2: ((0.3, 0.4), (0.7, 0.62)),
    3: ((0.3, 0.32), (0.71, 0.38), (0.48, 0.74)),
}
_HALF_SIZES = {1: (0.28, 0.44), 2: (0.21, 0.29), 3: (0.19, 0.25)}


def draw_scene(label_ids: Sequence[str], rng: np.random.Generator) -> bytes:
    """Return a JPEG file of `SIDE` x `SIDE` pixels that shows one to three labels of `SHAPES`.

    Position, size, turn, shear, free colours, background, light, noise and a bar in front of the
    objects are random.
    """
    canvas = _background(rng)
    pen = ImageDraw.Draw(canvas)
    middles = np.array(_MIDDLES[len(label_ids)])
    if rng.random() < 0.5:
        middles[:, 0] = 1 - middles[:, 0]
    low, high = _HALF_SIZES[len(label_ids)]
    for label_id, middle in zip(label_ids, middles, strict=True):
        moved = middle + rng.uniform(-0.06, 0.06, 2)
        _draw_object(pen, label_id, moved, rng.uniform(low, high), rng)
    if rng.random() < 0.25:
        _hide_a_strip(pen, rng)
    return _develop(canvas, rng)


def draw_logo(rng: np.random.Generator) -> bytes:
    """Return a JPEG file of `SIDE` x `SIDE` pixels that shows stripes and a frame: no label."""
    canvas = Image.new("RGB", (SIDE, SIDE), _any_colour(rng))
    pen = ImageDraw.Draw(canvas)
    for top in range(10, 54, 11):
        right = int(rng.integers(24, 58))
        pen.rectangle((8, top, right, top + 5), fill=_any_colour(rng))
    pen.rectangle((2, 2, SIDE - 3, SIDE - 3), outline=_any_colour(rng), width=2)
    return _encode(canvas)


def _draw_object(
    pen: ImageDraw.ImageDraw,
    label_id: str,
    middle: npt.NDArray[np.float64],
    half_size: float,
    rng: np.random.Generator,
) -> None:
    shape = SHAPES[label_id]
    parts = shape.variants[int(rng.integers(len(shape.variants)))]
    matrix = _placing(shape.turn, half_size, rng)
    palette: dict[str, Colour] = {}
    for name, outline in parts:
        colour = palette.setdefault(name, _colour(name, rng))
        points = (outline @ matrix + middle) * (SIDE * _SCALE)
        pen.polygon(points.ravel().tolist(), fill=colour)


def _placing(turn: float, half_size: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return a ``float64[2, 2]`` matrix that flips, stretches, shears, turns and sizes points."""
    angle = np.radians(rng.uniform(-turn, turn))
    stretch = np.diag(rng.uniform(0.88, 1.12, 2))
    if rng.random() < 0.5:
        stretch[0, 0] *= -1
    shear = np.array([[1, 0], [rng.uniform(-0.15, 0.15), 1]])
    turning = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix: npt.NDArray[np.float64] = half_size * stretch @ shear @ turning
    return matrix


def _background(rng: np.random.Generator) -> Image.Image:
    """Return a gradient between two colours, of ``SIDE * _SCALE`` pixels, with some clutter."""
    side = SIDE * _SCALE
    ends = rng.uniform(25, 235, (2, 3))
    ends += (ends.mean(axis=1, keepdims=True) - ends) * rng.uniform(0.5, 0.95)
    direction = rng.normal(size=2)
    grid = np.linspace(-0.5, 0.5, 16)
    slope = (grid[:, None] * direction[0] + grid * direction[1]) / np.abs(direction).sum() + 0.5
    pixels = ends[0] + slope[:, :, None] * (ends[1] - ends[0])
    canvas = Image.fromarray(pixels.astype(np.uint8)).resize(
        (side, side), Image.Resampling.BILINEAR
    )
    pen = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(0, 4))):
        colour = _jitter(tuple(ends[int(rng.integers(2))]), 30, rng)
        corners = rng.uniform(-0.1, 1.1, 6) * side
        pen.polygon(corners.tolist(), fill=colour)
    return canvas


def _hide_a_strip(pen: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """Draw a narrow bar across the picture, as a branch or a railing in front."""
    side = SIDE * _SCALE
    start, stop = rng.uniform(0.25, 0.75, 2) * side
    ends = (start, 0, stop, side) if rng.random() < 0.5 else (0, start, side, stop)
    pen.line(ends, fill=_any_colour(rng), width=int(rng.integers(8, 17)))


def _develop(canvas: Image.Image, rng: np.random.Generator) -> bytes:
    pixels = np.asarray(canvas.reduce(_SCALE), np.float32)
    light = rng.uniform(0.75, 1.2) * rng.uniform(0.94, 1.06, 3)
    noise = rng.standard_normal((SIDE, SIDE, 1), np.float32) * rng.uniform(0, 10)
    developed = np.clip(pixels * light + noise, 0, 255).astype(np.uint8)
    return _encode(Image.fromarray(developed))


def _encode(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _colour(name: str, rng: np.random.Generator) -> Colour:
    if name.startswith("paint"):
        return _any_colour(rng)
    choices = COLOURS[name]
    return _jitter(choices[int(rng.integers(len(choices)))], 12, rng)


def _any_colour(rng: np.random.Generator) -> Colour:
    """Return a colour that is more vivid than the backgrounds are."""
    red, green, blue = rng.permutation([rng.uniform(10, 90), *rng.uniform(20, 245, 2)]).astype(int)
    return int(red), int(green), int(blue)


def _jitter(colour: tuple[float, ...], by: float, rng: np.random.Generator) -> Colour:
    red, green, blue = np.clip(colour + rng.uniform(-by, by, 3), 0, 255).astype(int).tolist()
    return red, green, blue
