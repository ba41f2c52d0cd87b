"""The shapes and colours of drawn objects, which ``shapes.toml`` holds.

Coordinates are in units of an object's half size, x to the right and y down, mostly in [-1, 1].
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Points: TypeAlias = npt.NDArray[np.float64]
"""Corners of a polygon, ``float64[n_corners, 2]``."""

Part: TypeAlias = tuple[str, Points]
"""One polygon of a shape, after the name of its colour."""

Colour: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Shape:
    """The drawings of a label: some variants, each turned by at most `turn` degrees either way."""

    turn: float
    variants: tuple[tuple[Part, ...], ...]


def poly(*corners: float) -> Points:
    """Return a polygon with corners at x, y, then x, y, and so on.

    Examples
    --------
    >>> poly(0, 0, 1, 0, 0, 1).shape
    (3, 2)
    """
    return np.array(corners, np.float64).reshape(-1, 2)


def box(left: float, top: float, right: float, bottom: float) -> Points:
    """Return an upright rectangle."""
    return poly(left, top, right, top, right, bottom, left, bottom)


def oval(x: float, y: float, rx: float, ry: float, start: float = 0, stop: float = 360) -> Points:
    """Return an ellipse, or its segment from `start` to `stop` degrees, clockwise from right."""
    angle = np.radians(np.linspace(start, stop, 25))
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def disc(x: float, y: float, r: float) -> Points:
    """Return a circle."""
    return oval(x, y, r, r)


def wedge(r: float, start: float, stop: float) -> Points:
    """Return a slice of a circle around the middle."""
    return np.concatenate([np.zeros((1, 2)), oval(0, 0, r, r, start, stop)])


def line(x0: float, y0: float, x1: float, y1: float, width: float = 0.12) -> Points:
    """Return a straight stroke."""
    across = np.array([y0 - y1, x1 - x0]) * (width / 2 / np.hypot(x1 - x0, y1 - y0))
    ends = np.array([[x0, y0], [x1, y1]])
    return np.concatenate([ends - across, (ends + across)[::-1]])


def spikes(n: float, outer: float, inner: float) -> Points:
    """Return a star of `n` points around the middle, one of them upwards."""
    angle = np.arange(2 * n) * np.pi / n - np.pi / 2
    radius = np.where(np.arange(2 * n) % 2 == 0, outer, inner)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def petals(n: float, far: float, r: float, x: float = 0, y: float = 0) -> Points:
    """Return `n` circles in a ring around a point, ``float64[n, n_corners, 2]``."""
    angles = [2 * np.pi * i / n for i in range(int(n))]
    return np.stack([disc(x + far * np.cos(a), y + far * np.sin(a), r) for a in angles])


def crescent(inner: float, shift: float) -> Points:
    """Return a sickle open to the right: the unit circle less a circle that is shifted there."""
    cut = (1 - inner**2 + shift**2) / (2 * shift)
    far = np.degrees(np.arccos(cut))
    near = np.degrees(np.arctan2(np.sqrt(1 - cut**2), cut - shift))
    edge = oval(0, 0, 1, 1, far, 360 - far)
    hollow = oval(shift, 0, inner, inner, 360 - near, near)
    return np.concatenate([edge, hollow])


_FUNCTIONS = (poly, box, oval, disc, wedge, line, spikes, petals, crescent)
_BY_NAME = {function.__name__: function for function in _FUNCTIONS}


def _variant(text: str) -> tuple[Part, ...]:
    """Return the parts that the lines of a text describe."""
    lines = [line.split() for line in text.strip().splitlines()]
    return tuple(
        (colour, points)
        for function, colour, *numbers in lines
        for points in np.array(_BY_NAME[function](*map(float, numbers)), ndmin=3)
    )


def _read() -> tuple[Mapping[str, tuple[Colour, ...]], Mapping[str, Shape]]:
    content = tomllib.loads(Path(__file__).with_name("shapes.toml").read_text(encoding="utf-8"))
    shapes = {
        label_id: Shape(shape["turn"], tuple(map(_variant, shape["variants"])))
        for label_id, shape in content["shapes"].items()
    }
    colours = {name: tuple(map(tuple, rgb)) for name, rgb in content["colours"].items()}
    return colours, shapes


COLOURS, SHAPES = _read()
"""The colours of a part by its name, and the shapes by label: every label that can be drawn."""
