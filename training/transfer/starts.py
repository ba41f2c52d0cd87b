"""Where training on a dense task begins, and what of a network it changes."""

from __future__ import annotations

import copy

from torch import nn

from training.model.model_file import ModelCard
from training.model.resnet import ResNet, build

METHODS = ("frozen", "finetune", "scratch")
"""Only the head is trained on frozen features; or all of it, from the model; or from nothing."""


def backbone_for(method: str, network: ResNet, card: ModelCard) -> ResNet:
    """Return a copy of the network, or for ``scratch`` one like it with fresh weights."""
    if method == "scratch":
        return build(card.architecture, len(card.label_ids))
    return copy.deepcopy(network)


def set_mode(whole: nn.Module, backbone: nn.Module, method: str) -> None:
    """Make ready for training: a frozen backbone keeps its weights and its normalisation."""
    whole.train()
    if method == "frozen":
        backbone.eval().requires_grad_(False)
