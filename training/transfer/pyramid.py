"""A network's maps at several resolutions, and the pyramid that joins them."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from training.model.resnet import ResNet


def maps(network: ResNet, x: Tensor) -> list[Tensor]:
    """Return the outputs of the last three stages for normalised images: C3, C4 and C5.

    Each has half the resolution of the one before; see `strides`.
    """
    x = network.layer1(network.pool(F.relu(network.bn1(network.conv1(x)))))
    c3 = network.layer2(x)
    c4 = network.layer3(c3)
    return [c3, c4, network.layer4(c4)]


def strides(network: ResNet) -> tuple[int, int, int]:
    """Return the side of one pixel of each map, in pixels of the image: 8, 16, 32 as published.

    A network for small images, whose stem keeps the resolution, has 2, 4 and 8.
    """
    return (2, 4, 8) if isinstance(network.pool, nn.Identity) else (8, 16, 32)


def channels(network: ResNet) -> tuple[int, int, int]:
    """Return the number of channels of each of `maps`."""
    last = network.fc.in_features
    return last // 4, last // 2, last


class Pyramid(nn.Module):
    """Feature pyramid (Lin et al. 2017, "Feature pyramid networks for object detection").

    C3 to C5 become P3 to P5 of `width` channels, where lower resolutions are added to higher ones;
    P6, at half the resolution of P5, is a convolution of it as in RetinaNet.
    """

    def __init__(self, n_channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(n, width, 1) for n in n_channels)
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in n_channels)
        self.last = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Return P3 to P6 of C3 to C5."""
        sides = [layer(level) for layer, level in zip(self.lateral, levels, strict=True)]
        joined = [sides[-1]]
        for side in sides[-2::-1]:
            joined.insert(0, side + F.interpolate(joined[0], size=side.shape[-2:]))
        smooth = [layer(level) for layer, level in zip(self.smooth, joined, strict=True)]
        return [*smooth, self.last(smooth[-1])]
