"""The polygons that drawn objects are made of.

Coordinates are in units of an object's half size, x to the right and y down, mostly in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Points: TypeAlias = npt.NDArray[np.float64]
"""``float64[k, 2]``: corners of a polygon."""


@dataclass(frozen=True, eq=False)
class Part:
    """One polygon, with the name of its colour."""

    colour: str
    points: Points


@dataclass(frozen=True, eq=False)
class Shape:
    """How a label looks: one of some variants, turned by at most `turn` degrees either way."""

    turn: float
    variants: tuple[tuple[Part, ...], ...]


def poly(colour: str, *corners: float) -> Part:
    """Return a polygon with corners at x, y, then x, y, and so on.

    Examples
    --------
    >>> poly("red", 0, 0, 1, 0, 0, 1).points.shape
    (3, 2)
    """
    return Part(colour, np.array(corners, np.float64).reshape(-1, 2))


def box(colour: str, left: float, top: float, right: float, bottom: float) -> Part:
    """Return an upright rectangle."""
    return poly(colour, left, top, right, top, right, bottom, left, bottom)


def oval(
    colour: str, x: float, y: float, rx: float, ry: float, start: float = 0, stop: float = 360
) -> Part:
    """Return an ellipse, or its segment from `start` to `stop` degrees, clockwise from right."""
    angle = np.radians(np.linspace(start, stop, 25))
    return Part(colour, np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1))


def disc(colour: str, x: float, y: float, r: float) -> Part:
    """Return a circle."""
    return oval(colour, x, y, r, r)


def wedge(colour: str, r: float, start: float, stop: float) -> Part:
    """Return a slice of a circle around the middle."""
    arc = oval(colour, 0, 0, r, r, start, stop).points
    return Part(colour, np.concatenate([np.zeros((1, 2)), arc]))


def line(colour: str, x0: float, y0: float, x1: float, y1: float, width: float = 0.12) -> Part:
    """Return a straight stroke."""
    across = np.array([y0 - y1, x1 - x0]) * (width / 2 / np.hypot(x1 - x0, y1 - y0))
    ends = np.array([[x0, y0], [x1, y1]])
    return Part(colour, np.concatenate([ends - across, (ends + across)[::-1]]))


def spikes(colour: str, n: int, outer: float, inner: float) -> Part:
    """Return a star of `n` points around the middle, one of them upwards."""
    angle = np.arange(2 * n) * np.pi / n - np.pi / 2
    radius = np.where(np.arange(2 * n) % 2 == 0, outer, inner)
    return Part(colour, np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1))


def petals(
    colour: str, n: int, far: float, r: float, x: float = 0, y: float = 0
) -> tuple[Part, ...]:
    """Return `n` circles in a ring around a point."""
    angles = [2 * np.pi * i / n for i in range(n)]
    return tuple(
        disc(colour, x + far * float(np.cos(a)), y + far * float(np.sin(a)), r) for a in angles
    )


def crescent(colour: str, inner: float, shift: float) -> Part:
    """Return a sickle open to the right: the unit circle less a circle that is shifted there."""
    cut = (1 - inner**2 + shift**2) / (2 * shift)
    far = np.degrees(np.arccos(cut))
    near = np.degrees(np.arctan2(np.sqrt(1 - cut**2), cut - shift))
    edge = oval(colour, 0, 0, 1, 1, far, 360 - far).points
    hollow = oval(colour, shift, 0, inner, inner, 360 - near, near).points
    return Part(colour, np.concatenate([edge, hollow]))


def wheels(*xs: float) -> tuple[Part, ...]:
    """Return a wheel with a hub at each x, at the foot of a vehicle."""
    return tuple(p for x in xs for p in (disc("black", x, 0.5, 0.25), disc("steel", x, 0.5, 0.1)))


def windows(
    colour: str, n: int, left: float, right: float, top: float, bottom: float
) -> tuple[Part, ...]:
    """Return a row of `n` windows."""
    step = (right - left) / n
    lefts = [left + i * step for i in range(n)]
    return tuple(box(colour, x, top, x + 0.75 * step, bottom) for x in lefts)
