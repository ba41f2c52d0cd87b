"""Depths, widths and stems of ResNets, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from labeling.arguments import Rule, check_fields

BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
"""Residual blocks in each of the four stages, by depth; from 50 on they are bottlenecks."""

Depth = Annotated[int, Rule(f"a depth of {', '.join(map(str, BLOCKS))}", BLOCKS.__contains__)]


@dataclass(frozen=True)
class Architecture:
    """Shape of a ResNet.

    Parameters
    ----------
    depth
        Layers with weights: 18, 34, 50, 101 or 152.
    width
        Channels of the first stage, 1 to 1024; each later stage doubles them. 64 as published.
    stem
        ``imagenet``: 7x7 convolution and pooling, 1/4 of the image's side. ``small``: 3x3
        convolution at full resolution, for images of up to about 64 pixels.
    """

    depth: Depth
    width: Annotated[int, Rule("a whole number from 1 to 1024", lambda n: 1 <= n <= 1024)] = 64
    stem: Literal["imagenet", "small"] = "imagenet"

    def __post_init__(self) -> None:
        check_fields(self)
