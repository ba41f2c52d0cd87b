"""Residual networks (He et al. 2016, "Deep residual learning for image recognition").

Version 1.5: a bottleneck strides in its 3x3 convolution. Names and shapes of the state dict are
those of torchvision, so that weights can go either way.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from labeling.arguments import Positive, checks_arguments
from training.model.architecture import BLOCKS, Architecture


class ResNet(nn.Module):
    """Images ``float32[n, 3, s, s]``, normalised, to logits ``float32[n, n_labels]``.

    Fresh weights are drawn from torch's global generator.

    Parameters
    ----------
    architecture
        Depth, width and stem (He et al. 2016).
    n_labels
        Number of logits.

    Examples
    --------
    >>> import torch
    >>> network = ResNet(Architecture(depth=18, width=8, stem="small"), n_labels=3)
    >>> network(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 3])
    """

    @checks_arguments
    def __init__(self, architecture: Architecture, n_labels: Positive) -> None:
        super().__init__()
        width, block = architecture.width, Bottleneck if architecture.depth >= 50 else Basic
        small = architecture.stem == "small"
        self.conv1 = _conv(3, width, 3 if small else 7, stride=1 if small else 2)
        self.bn1 = nn.BatchNorm2d(width)
        self.pool = nn.Identity() if small else nn.MaxPool2d(3, stride=2, padding=1)
        n1, n2, n3, n4 = BLOCKS[architecture.depth]
        out = block.expansion
        self.layer1 = _stage(block, width, width, n1, stride=1)
        self.layer2 = _stage(block, width * out, width * 2, n2, stride=2)
        self.layer3 = _stage(block, width * 2 * out, width * 4, n3, stride=2)
        self.layer4 = _stage(block, width * 4 * out, width * 8, n4, stride=2)
        self.fc = nn.Linear(width * 8 * out, n_labels)
        _initialise(self)

    def features(self, x: Tensor) -> Tensor:
        """Return the pooled features of normalised images: ``float32[n, 8 * width * expansion]``.

        The expansion is 1 for depths 18 and 34, and 4 for the deeper ones.
        """
        x = self.pool(F.relu(self.bn1(self.conv1(x)), inplace=True))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of normalised images: ``float32[n, n_labels]``."""
        logits: Tensor = self.fc(self.features(x))
        return logits


class Basic(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, n_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(n_in, width, 3, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, 3)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(n_in, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class Bottleneck(nn.Module):
    """A 1x1, a strided 3x3 and a widening 1x1 convolution, and a shortcut."""

    expansion = 4

    def __init__(self, n_in: int, width: int, stride: int) -> None:
        super().__init__()
        n_out = width * self.expansion
        self.conv1 = _conv(n_in, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _conv(width, n_out, 1)
        self.bn3 = nn.BatchNorm2d(n_out)
        self.downsample = _shortcut(n_in, n_out, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


def _stage(
    block: type[Basic] | type[Bottleneck], n_in: int, width: int, n_blocks: int, stride: int
) -> nn.Sequential:
    first = block(n_in, width, stride)
    rest = (block(width * block.expansion, width, 1) for _ in range(n_blocks - 1))
    return nn.Sequential(first, *rest)


def _shortcut(n_in: int, n_out: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and n_in == n_out:
        return None
    return nn.Sequential(_conv(n_in, n_out, 1, stride), nn.BatchNorm2d(n_out))


def _conv(n_in: int, n_out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, kernel, stride, padding=kernel // 2, bias=False)


def _initialise(network: ResNet) -> None:
    """Draw the weights as He et al. 2015; each block begins as the identity (Goyal et al. 2017)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, Basic):
            nn.init.zeros_(module.bn2.weight)
        elif isinstance(module, Bottleneck):
            nn.init.zeros_(module.bn3.weight)
