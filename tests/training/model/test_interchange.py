"""Weights go to torchvision and timm and back, wherever these are installed."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
from torch import nn

from training.model.architecture import Architecture
from training.model.resnet import ResNet

N_LABELS = 7


def peer(library: str, depth: int) -> Any:
    """Return a fresh network of another library, or skip where it is missing or broken."""
    try:
        module = importlib.import_module(library)
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"{library} cannot be imported here: {error}")
    if library == "timm":
        return module.create_model(f"resnet{depth}", num_classes=N_LABELS)
    return getattr(module.models, f"resnet{depth}")(num_classes=N_LABELS)


def drawn(network: nn.Module) -> nn.Module:
    """Draw all weights and statistics, so that none is 0 or 1 by default."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
        elif tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator) * 0.05
            tensor.add_(noise) if tensor.ndim == 1 else tensor.copy_(noise)
    return network.eval()


@pytest.mark.parametrize("library", ["torchvision", "timm"])
@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
@pytest.mark.parametrize("way", ["in", "out"])
def test_the_same_weights_give_the_same_logits(library: str, depth: int, way: str) -> None:
    theirs, ours = peer(library, depth), ResNet(Architecture(depth), N_LABELS)
    source, sink = (theirs, ours) if way == "in" else (ours, theirs)
    sink.load_state_dict(drawn(source).state_dict())
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected, logits = source(images), sink.eval()(images)
    assert expected.abs().max() > 1e-3
    assert torch.allclose(logits, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())
