from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from labeling.errors import InputError
from training.model.architecture import Architecture
from training.model.resnet import ResNet

# Numbers of parameters as published with torchvision's weights, and entries of their state dicts.
PUBLISHED = {
    18: (11_689_512, 122),
    34: (21_797_672, 218),
    50: (25_557_032, 320),
    101: (44_549_160, 626),
    152: (60_192_808, 932),
}

# Table 1 of He et al. 2016: blocks of conv2_x to conv5_x, and the kernels of a block.
BLOCKS = {18: "2 2 2 2", 34: "3 4 6 3", 50: "3 4 6 3", 101: "3 4 23 3", 152: "3 8 36 3"}
KERNELS = {18: "3 3", 34: "3 3", 50: "1 3 1", 101: "1 3 1", 152: "1 3 1"}


def published_entries(depth: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    kernels = [int(k) for k in KERNELS[depth].split()]
    yield "conv1.weight", (64, 3, 7, 7)
    yield from norm("bn1", 64)
    channels = 64
    for stage, n_blocks in enumerate(map(int, BLOCKS[depth].split()), 1):
        inner = 32 * 2**stage
        outer = inner * (4 if len(kernels) == 3 else 1)
        for block in range(n_blocks):
            name = f"layer{stage}.{block}"
            widths = [channels, *[inner] * (len(kernels) - 1), outer]
            for i, kernel in enumerate(kernels):
                yield f"{name}.conv{i + 1}.weight", (widths[i + 1], widths[i], kernel, kernel)
                yield from norm(f"{name}.bn{i + 1}", widths[i + 1])
            if block == 0 and (stage > 1 or channels != outer):
                yield f"{name}.downsample.0.weight", (outer, channels, 1, 1)
                yield from norm(f"{name}.downsample.1", outer)
            channels = outer
    yield "fc.weight", (1000, channels)
    yield "fc.bias", (1000,)


def norm(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for entry in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{entry}", (channels,)
    yield f"{name}.num_batches_tracked", ()


@pytest.mark.parametrize("depth", PUBLISHED)
def test_state_dict_is_that_of_torchvision(depth: int) -> None:
    with torch.device("meta"):
        network = ResNet(Architecture(depth), n_labels=1000)
    shapes = [(name, tuple(tensor.shape)) for name, tensor in network.state_dict().items()]
    n_parameters, n_entries = PUBLISHED[depth]
    assert shapes == list(published_entries(depth))
    assert len(shapes) == n_entries
    assert sum(p.numel() for p in network.parameters()) == n_parameters


@pytest.mark.parametrize(("stem", "side"), [("imagenet", 2), ("small", 8)])
def test_stem_decides_the_resolution(stem: str, side: int) -> None:
    with torch.device("meta"):
        network = ResNet(Architecture(50, width=8, stem=stem), n_labels=3)
        x = torch.zeros(2, 3, 64, 64)
    maps = network.pool(network.conv1(x))
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        maps = stage(maps)
    assert maps.shape == (2, 8 * 8 * 4, side, side)
    assert network.features(x).shape == (2, 8 * 8 * 4)
    assert network(x).shape == (2, 3)


def test_bottleneck_strides_in_its_3x3() -> None:
    with torch.device("meta"):
        block = ResNet(Architecture(50), n_labels=1).layer2[0]
    strides = (block.conv1.stride, block.conv2.stride, block.conv3.stride)
    assert strides == ((1, 1), (2, 2), (1, 1))


@pytest.mark.parametrize("depth", [18, 50])
def test_blocks_begin_as_the_identity(depth: int) -> None:
    network = ResNet(Architecture(depth, width=8), n_labels=1).eval()
    x = torch.rand(1, network.layer3[1].conv1.in_channels, 5, 5)
    assert torch.equal(network.layer3[1](x), x)


def test_convolutions_begin_with_the_deviation_of_he() -> None:
    torch.manual_seed(0)
    weight = ResNet(Architecture(18, width=16), n_labels=1).layer4[1].conv2.weight
    expected = (2 / (weight.shape[0] * 9)) ** 0.5
    assert weight.std().item() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("wrong", [{"depth": 20}, {"width": 0}, {"stem": "large"}])
def test_networks_that_do_not_exist_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Architecture(**{"depth": 18, **wrong})
