"""How things that people make look."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.demo.outlines import (
    Shape,
    box,
    disc,
    line,
    oval,
    poly,
    spikes,
    wedge,
    wheels,
    windows,
)

_GLASS = (
    poly("glass", -0.6, -0.7, 0.6, -0.7, 0.42, 1, -0.42, 1),
    poly("juice", -0.52, -0.4, 0.52, -0.4, 0.38, 0.92, -0.38, 0.92),
)
_HULL = (
    line("brown", 0, -0.95, 0, 0.5, 0.1),
    poly("paint", -0.9, 0.45, 0.9, 0.45, 0.55, 0.9, -0.6, 0.9),
)
_UMBRELLA = (
    line("brown", 0, -0.2, 0, 0.85, 0.09),
    line("brown", 0, 0.85, 0.28, 0.85, 0.1),
    oval("paint", 0, 0.05, 1, 0.95, 180, 360),
    poly("paint2", -0.33, 0.05, 0, -0.9, 0.33, 0.05),
)
_SCREEN = (
    box("black", -1, -0.7, 1, 0.5),
    box("picture", -0.87, -0.58, 0.87, 0.38),
    poly("glass", -0.8, 0.3, -0.8, -0.5, 0.1, -0.5),
    box("black", -0.12, 0.5, 0.12, 0.75),
    box("black", -0.5, 0.72, 0.5, 0.85),
)
_FOOTBALL = (
    disc("white", 0, 0, 0.85),
    spikes("black", 5, 0.36, 0.29),
    *(disc("black", x, y, 0.17) for x, y in ((0, -0.7), (0.67, -0.2), (-0.67, -0.2))),
    *(disc("black", x, y, 0.17) for x, y in ((0.42, 0.57), (-0.42, 0.57))),
)
_BASKETBALL = (
    disc("orange", 0, 0, 0.85),
    line("black", -0.85, 0, 0.85, 0, 0.09),
    line("black", 0, -0.85, 0, 0.85, 0.09),
    line("black", -0.5, -0.68, -0.5, 0.68, 0.09),
    line("black", 0.5, -0.68, 0.5, 0.68, 0.09),
)
_BEACH_BALL = tuple(
    wedge(c, 0.85, 60 * i, 60 * i + 60) for i, c in enumerate(("paint", "white") * 3)
)
_CABIN = (
    poly("paint", -0.6, 0, -0.35, -0.45, 0.3, -0.45, 0.6, 0),
    poly("glass", -0.45, -0.02, -0.28, -0.35, -0.05, -0.35, -0.05, -0.02),
    poly("glass", 0.05, -0.02, 0.05, -0.35, 0.25, -0.35, 0.45, -0.02),
    poly("paint", -1, 0.5, -0.95, 0.05, -0.6, -0.04, 0.6, -0.04, 0.95, 0.1, 1, 0.5),
)

THINGS: Mapping[str, Shape] = {
    "orange_juice": Shape(
        12,
        (
            (line("paint", 0.1, 0.2, 0.45, -1.05, 0.1), *_GLASS),
            (*_GLASS, disc("orange", 0.5, -0.7, 0.32), disc("juice", 0.5, -0.7, 0.22)),
        ),
    ),
    "car": Shape(12, ((*_CABIN, *wheels(-0.55, 0.55)),)),
    "bus": Shape(
        10,
        (
            (
                box("paint", -1, -0.6, 1, 0.5),
                *windows("glass", 5, -0.92, 1, -0.45, -0.05),
                *wheels(-0.6, 0.6),
            ),
            (
                box("paint", -0.95, -0.85, 0.95, 0.5),
                *windows("glass", 4, -0.85, 0.95, -0.72, -0.45),
                *windows("glass", 4, -0.85, 0.95, -0.22, 0.08),
                *wheels(-0.6, 0.6),
            ),
        ),
    ),
    "truck": Shape(
        10,
        (
            (
                box("paint", -1, -0.7, 0.4, 0.42),
                poly("paint2", 0.45, -0.3, 0.8, -0.3, 1, 0.1, 1, 0.5, 0.45, 0.5),
                poly("glass", 0.55, -0.2, 0.75, -0.2, 0.88, 0.08, 0.55, 0.08),
                *wheels(-0.75, -0.25, 0.7),
            ),
            (
                poly("brown", -1, -0.15, 0.35, -0.15, 0.25, 0.42, -0.9, 0.42),
                oval("straw", -0.33, -0.15, 0.6, 0.4, 180, 360),
                poly("paint", 0.4, -0.5, 0.95, -0.5, 1, 0.5, 0.4, 0.5),
                box("glass", 0.6, -0.38, 0.9, -0.02),
                *wheels(-0.6, 0.65),
            ),
        ),
    ),
    "sailboat": Shape(
        15,
        (
            (*_HULL, poly("white", 0.08, -0.9, 0.08, 0.35, 0.8, 0.35)),
            (
                *_HULL,
                poly("white", 0.08, -0.9, 0.08, 0.35, 0.75, 0.35),
                poly("paint2", -0.08, -0.7, -0.08, 0.35, -0.7, 0.35),
            ),
        ),
    ),
    "airplane": Shape(
        30,
        (
            (
                poly("paint", 0.7, -0.05, 0.95, -0.6, 1.05, -0.6, 0.95, 0.05),
                oval("white", 0, 0, 1, 0.2),
                poly("steel", -0.2, 0, 0.15, 0, 0.55, 0.7, 0.38, 0.7),
                poly("steel", -0.1, -0.1, 0.15, -0.1, 0.42, -0.5, 0.3, -0.5),
                *windows("night", 6, -0.6, 0.6, -0.09, 0.0),
            ),
            (
                oval("white", 0, 0, 0.15, 1),
                poly("steel", 0, -0.25, 1, 0.3, 1, 0.45, 0, 0.2, -1, 0.45, -1, 0.3),
                poly("paint", 0, 0.6, 0.4, 0.9, 0.4, 1, 0, 0.85, -0.4, 1, -0.4, 0.9),
            ),
        ),
    ),
    "mug": Shape(
        12,
        (
            (
                disc("paint", 0.6, 0.05, 0.42),
                disc("white", 0.6, 0.05, 0.25),
                box("paint", -0.7, -0.65, 0.55, 0.8),
                oval("paint", -0.075, 0.8, 0.625, 0.15),
                oval("white", -0.075, -0.65, 0.625, 0.18),
                oval("brown", -0.075, -0.63, 0.52, 0.12),
            ),
        ),
    ),
    "umbrella": Shape(30, (_UMBRELLA,)),
    "screen": Shape(10, (_SCREEN,)),
    "ball": Shape(180, (_FOOTBALL, _BASKETBALL, _BEACH_BALL)),
    "bat_sport": Shape(
        180,
        (
            (
                poly("wood", -0.1, 0.9, -0.2, -0.7, 0.2, -0.7, 0.1, 0.9),
                oval("wood", 0, -0.7, 0.2, 0.3),
                box("night", -0.1, 0.45, 0.1, 0.9),
                oval("wood", 0, 0.92, 0.17, 0.09),
            ),
        ),
    ),
    "sun_hat": Shape(
        20,
        (
            (
                oval("straw", 0, 0.35, 1, 0.3),
                oval("straw", 0, 0.3, 0.55, 0.85, 180, 360),
                box("paint", -0.55, 0.1, 0.55, 0.32),
            ),
        ),
    ),
    "house": Shape(
        6,
        (
            (
                box("paint", -0.75, -0.1, 0.75, 0.9),
                poly("roof", -0.95, -0.1, 0, -0.9, 0.95, -0.1),
                box("brown", -0.15, 0.35, 0.2, 0.9),
                box("glass", -0.6, 0.15, -0.3, 0.45),
                box("glass", 0.35, 0.15, 0.65, 0.45),
            ),
        ),
    ),
}
