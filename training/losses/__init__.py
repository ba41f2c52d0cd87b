"""Losses of a training step.

Each loss takes logits, targets and weights, ``float32[n, n_labels]`` each, and returns the loss of
every image and label, in nats. Targets are probabilities of being right, in [0, 1]; a label of
weight 0 is ignored. A step sums over the labels and averages over the images, so that the gradient
of one image, and with it the right learning rate, does not depend on the number of absent labels.

A new loss is a function in a module of the same name here, and its name in
`training.fit.config.Loss`.
"""

from __future__ import annotations

from collections.abc import Callable
from pkgutil import resolve_name
from typing import TypeAlias, get_args

from torch import Tensor

from training.fit.config import Loss

LossFunction: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]

LOSSES: dict[str, LossFunction] = {
    name: resolve_name(f"{__name__}.{name}:{name}") for name in get_args(Loss)
}
