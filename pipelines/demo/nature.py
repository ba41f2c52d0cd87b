"""How fruit, animals, plants and the things in the sky look."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.demo.outlines import (
    Shape,
    box,
    crescent,
    disc,
    line,
    oval,
    petals,
    poly,
    spikes,
    wedge,
)

_APPLE = (
    disc("fruit", -0.32, 0.1, 0.6),
    disc("fruit", 0.32, 0.1, 0.6),
    oval("fruit", 0, 0.4, 0.6, 0.52),
    line("brown", 0, -0.35, 0.12, -0.85),
)
_ROUND_ORANGE = (disc("orange", 0, 0.1, 0.82), disc("green", 0, -0.6, 0.13))
_LEMON = (
    oval("lemon", 0, 0, 0.8, 0.56),
    oval("lemon", 0.78, 0, 0.2, 0.15),
    oval("lemon", -0.78, 0, 0.2, 0.15),
)
_SLICE = tuple(wedge("white", 0.62, 60 * i + 6, 60 * i + 12) for i in range(6))
_FISH = (
    poly("paint", 0.4, 0, 1, -0.5, 0.88, 0, 1, 0.5),
    oval("paint", -0.15, 0, 0.75, 0.45),
    poly("paint2", -0.2, -0.42, 0.3, -0.75, 0.3, -0.3),
    disc("white", -0.6, -0.1, 0.13),
    disc("black", -0.6, -0.1, 0.07),
)
_CAT = (
    poly("fur", -0.75, -0.95, -0.72, 0.1, -0.05, -0.5),
    poly("fur", 0.75, -0.95, 0.72, 0.1, 0.05, -0.5),
    oval("fur", 0, 0.15, 0.8, 0.7),
    oval("sun", -0.32, 0, 0.17, 0.13),
    oval("sun", 0.32, 0, 0.17, 0.13),
    disc("black", -0.32, 0, 0.08),
    disc("black", 0.32, 0, 0.08),
    poly("pink", -0.12, 0.26, 0.12, 0.26, 0, 0.42),
    line("white", 0.25, 0.4, 0.95, 0.3, 0.05),
    line("white", -0.25, 0.4, -0.95, 0.3, 0.05),
)
_WINGS = (
    oval("paint", -0.5, -0.38, 0.48, 0.46),
    oval("paint", 0.5, -0.38, 0.48, 0.46),
    oval("paint", -0.4, 0.4, 0.36, 0.38),
    oval("paint", 0.4, 0.4, 0.36, 0.38),
    disc("paint2", -0.55, -0.4, 0.2),
    disc("paint2", 0.55, -0.4, 0.2),
    oval("black", 0, 0, 0.09, 0.7),
)
_BAT = (
    poly(
        "night",
        0,
        -0.1,
        -0.45,
        -0.5,
        -1,
        -0.35,
        -0.88,
        0.4,
        -0.62,
        0.12,
        -0.4,
        0.5,
        -0.2,
        0.2,
        0,
        0.5,
    ),
    poly("night", 0, -0.1, 0.45, -0.5, 1, -0.35, 0.88, 0.4, 0.62, 0.12, 0.4, 0.5, 0.2, 0.2, 0, 0.5),
    oval("night", 0, 0.12, 0.2, 0.45),
    poly("night", -0.22, -0.65, -0.2, -0.2, 0.02, -0.3),
    poly("night", 0.22, -0.65, 0.2, -0.2, -0.02, -0.3),
    disc("night", 0, -0.25, 0.2),
    disc("white", -0.08, -0.28, 0.05),
    disc("white", 0.08, -0.28, 0.05),
)
_BIRD = (
    poly("paint", 0.35, 0, 1, -0.25, 0.95, 0.2),
    oval("paint", 0, 0.15, 0.62, 0.42),
    disc("paint", -0.5, -0.3, 0.32),
    poly("sun", -0.75, -0.42, -1.1, -0.25, -0.75, -0.15),
    poly("paint2", -0.2, 0, 0.5, 0.05, 0.15, 0.42),
    disc("black", -0.56, -0.35, 0.07),
    line("brown", -0.1, 0.5, -0.1, 0.95, 0.08),
    line("brown", 0.15, 0.5, 0.15, 0.95, 0.08),
)
_STALK = (
    line("green", 0, 0, 0.05, 1.1),
    oval("green", 0.28, 0.75, 0.26, 0.11),
)

NATURE: Mapping[str, Shape] = {
    "apple": Shape(30, (_APPLE, (*_APPLE, oval("green", 0.42, -0.65, 0.28, 0.14)))),
    "banana": Shape(
        180,
        (
            (
                crescent("lemon", 0.98, 0.52),
                poly("brown", 0.16, -1.05, 0.32, -1.02, 0.28, -0.8, 0.1, -0.82),
                poly("brown", 0.16, 1.05, 0.32, 1.02, 0.28, 0.8, 0.1, 0.82),
            ),
        ),
    ),
    "orange": Shape(
        180,
        (
            _ROUND_ORANGE,
            (
                disc("orange", 0, 0, 0.85),
                disc("white", 0, 0, 0.72),
                disc("juice", 0, 0, 0.66),
                *_SLICE,
            ),
        ),
    ),
    "lemon": Shape(180, (_LEMON, (*_LEMON, oval("green", 0.8, -0.3, 0.3, 0.14)))),
    "fish": Shape(
        30, (_FISH, (*_FISH, *(box("white", x, -0.33, x + 0.1, 0.33) for x in (-0.35, 0, 0.25))))
    ),
    "cat": Shape(20, (_CAT,)),
    "butterfly": Shape(50, (_WINGS,)),
    "bat_animal": Shape(30, (_BAT,)),
    "bird": Shape(20, (_BIRD,)),
    "tree": Shape(
        8,
        (
            (
                box("brown", -0.13, 0.2, 0.13, 1),
                *petals("green", 6, 0.35, 0.4, 0, -0.3),
                disc("green", 0, -0.3, 0.45),
            ),
            (
                box("brown", -0.1, 0.6, 0.1, 1),
                poly("green", 0, -1, 0.45, -0.2, -0.45, -0.2),
                poly("green", 0, -0.6, 0.6, 0.3, -0.6, 0.3),
                poly("green", 0, -0.2, 0.75, 0.75, -0.75, 0.75),
            ),
        ),
    ),
    "flower": Shape(
        25,
        (
            (*_STALK, *petals("paint", 6, 0.42, 0.27, 0, -0.3), disc("sun", 0, -0.3, 0.24)),
            (*petals("white", 9, 0.58, 0.24), disc("sun", 0, 0, 0.4)),
            (*_STALK, *petals("paint", 5, 0.4, 0.34, 0, -0.3), disc("brown", 0, -0.3, 0.22)),
        ),
    ),
    "sun": Shape(
        180,
        (
            (spikes("sun", 12, 1, 0.62), disc("sun", 0, 0, 0.62)),
            (
                *(
                    line("sun", x, y, -x, -y, 0.12)
                    for x, y in ((1, 0), (0, 1), (0.7, 0.7), (0.7, -0.7))
                ),
                disc("sun", 0, 0, 0.55),
            ),
        ),
    ),
    "moon": Shape(40, ((crescent("moon", 0.8, 0.42),), (crescent("moon", 0.9, 0.75),))),
    "star": Shape(180, ((spikes("sun", 5, 1, 0.42),), (spikes("moon", 5, 1, 0.5),))),
    "cloud": Shape(
        8,
        (
            (
                disc("cloud", -0.55, 0.15, 0.38),
                disc("cloud", -0.1, -0.15, 0.48),
                disc("cloud", 0.45, 0.1, 0.4),
                box("cloud", -0.6, 0.1, 0.5, 0.52),
            ),
        ),
    ),
}
