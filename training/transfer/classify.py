"""Transfer to classification: nearest neighbours, linear probe, fine-tuning, and from scratch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.fit.devices import chosen_device
from training.model.resnet import ResNet
from training.transfer.augmentation import moved_and_mirrored
from training.transfer.fitting import Budget
from training.transfer.probes import Classes, Features, linear_probe, nearest
from training.transfer.readers.classes import Labelled, read_class_task
from training.transfer.task import TransferTask

BATCH_SIZE = 128


class Classification(TransferTask[Labelled]):
    """A task of classification.

    ``accuracy`` is the share of the test images put into their class, ``class_accuracy`` the mean
    over classes of that share, and ``penalty`` that of the linear probe.
    """

    methods = ("knn", "linear", "finetune", "scratch")
    untrained = ("knn", "linear")
    main = "accuracy"
    budget = Budget(steps=400, batch_size=32, learning_rate=0.05, weight_decay=5e-4)
    optimizer = partial(torch.optim.SGD, momentum=0.9, nesterov=True)

    read = staticmethod(read_class_task)

    @staticmethod
    def recognises(path: Path) -> bool:
        """Return False: a task that no other kind recognises is one of classification."""
        return False

    def first_network(self, method: str) -> ResNet:
        """Return a network whose last layer is 0: all classes are equally probable at first."""
        network = ResNet(self.card.architecture, len(self.data.names))
        if method != "scratch":
            weights = self.network.state_dict().items()
            kept = {name: weight for name, weight in weights if not name.startswith("fc.")}
            network.load_state_dict(kept, strict=False)
        nn.init.zeros_(network.fc.weight)
        return network

    def loss(self, network: nn.Module, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Return the cross entropy of shifted and mirrored images."""
        pixels = moved_and_mirrored(self.data.train.pixels[rows], generator)
        logits = network(self.network_input(pixels))
        return F.cross_entropy(logits, self.data.train.classes[rows].to(logits.device))

    def measures(self, network: nn.Module) -> dict[str, float]:
        """Return the accuracies of a trained network."""
        logits = self._outputs(network, self.data.test.pixels)
        return accuracies(logits.argmax(1).numpy(), self.data.test.classes.numpy())

    def measures_of(self, method: str, budget: Budget, seed: int) -> dict[str, float]:
        """Return the measures of a method; those of frozen features train no network."""
        if method not in self.untrained:
            return super().measures_of(method, budget, seed)
        classes, truth = self.data.train.classes.numpy(), self.data.test.classes.numpy()
        train, test = self.features
        if method == "knn":
            return accuracies(nearest(train, classes, test), truth)
        guess, penalty = linear_probe(train, classes, test, seed)
        return {**accuracies(guess, truth), "penalty": penalty}

    @cached_property
    def features(self) -> tuple[Features, Features]:
        """The model's features of the training and the test images, ``float64[n, d]`` each."""
        layers = self.network.to(chosen_device()).eval().features
        train, test = (
            self._outputs(layers, images.pixels).double().numpy()
            for images in (self.data.train, self.data.test)
        )
        return train, test

    def _outputs(self, layers: Callable[[Tensor], Tensor], pixels: Tensor) -> Tensor:
        with torch.inference_mode():
            parts = torch.split(pixels, BATCH_SIZE)
            return torch.cat([layers(self.network_input(part)).cpu() for part in parts])


def accuracies(guess: Classes, truth: Classes) -> dict[str, float]:
    """Return the share of right guesses, and its mean over the classes of the images.

    Examples
    --------
    >>> accuracies(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 2]))
    {'accuracy': 0.5, 'class_accuracy': 0.3333333333333333}
    """
    right = guess == truth
    of_class = [right[truth == code].mean() for code in np.unique(truth)]
    return {"accuracy": float(right.mean()), "class_accuracy": float(np.mean(of_class))}
