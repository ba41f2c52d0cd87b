"""The parts that all kinds of tasks share: training on the task, and the table of measures."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Generic

import torch
from torch import Tensor, nn

from training.data.loader import normalise
from training.fit.devices import chosen_device, seeded
from training.fit.schedule import decayed
from training.model.model_file import ModelCard, load_model
from training.model.resnet import ResNet
from training.transfer.fitting import Budget, fit
from training.transfer.readers.images import AnyImages, TaskData


@dataclass(frozen=True, eq=False)
class TransferTask(ABC, Generic[AnyImages]):
    """A task and the model that is tried on it; each kind of task is a subclass.

    Parameters
    ----------
    network, card
        The model; it is left as it is.
    data
        The images.
    """

    network: ResNet
    card: ModelCard
    data: TaskData[AnyImages]

    methods: ClassVar[tuple[str, ...]] = ("frozen", "finetune", "scratch")
    """Ways of using the model: only a head is trained on frozen features, or all of the network,
    which begins at the model or at random weights."""

    untrained: ClassVar[tuple[str, ...]] = ()
    """Methods that train no network, and are measured with the first seed only."""

    main: ClassVar[str]
    """The measure that a study compares."""

    budget: ClassVar[Budget] = Budget(
        steps=400, batch_size=8, learning_rate=2e-3, weight_decay=1e-4
    )

    enlarged: ClassVar[int] = 1
    """Side of the images by default, in sides of the images that the model was trained on."""

    optimizer: ClassVar[Any] = torch.optim.AdamW

    @staticmethod
    @abstractmethod
    def recognises(path: Path) -> bool:
        """Return whether a folder has files that only a task of this kind has."""

    @staticmethod
    @abstractmethod
    def read(path: Path, image_size: int, seed: int) -> TaskData[AnyImages]:
        """Read a task.

        Parameters
        ----------
        path
            Its folder or file.
        image_size
            Side of the square images, in pixels.
        seed
            Seed of the split, if the task comes in one part.

        Raises
        ------
        InputError
            If there is no such task, or it has too few images.
        """

    @abstractmethod
    def first_network(self, method: str) -> nn.Module:
        """Return the network before its training; with ``frozen`` it has a part ``backbone``.

        Fresh weights are drawn from torch's global generator.
        """

    @abstractmethod
    def loss(self, network: nn.Module, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Return the loss of a batch of training images.

        Parameters
        ----------
        network
            The network that is trained.
        rows
            ``int64[n]``: the images.
        generator
            Generator for augmentation.
        """

    @abstractmethod
    def measures(self, network: nn.Module) -> dict[str, float]:
        """Return the measures of a trained network on the test images."""

    def measures_of(self, method: str, budget: Budget, seed: int) -> dict[str, float]:
        """Return the measures of one of `methods`."""
        return self.measures(self.trained(method, budget, seed))

    def trained(self, method: str, budget: Budget, seed: int) -> nn.Module:
        """Return a network trained on the task.

        Parameters
        ----------
        method
            One of `methods` that train.
        budget
            Length and rates of the training.
        seed
            Seed of fresh weights, the order and the augmentation.
        """
        device = chosen_device()
        with seeded(seed, device):
            network = self.first_network(method).to(device).train()
            if method == "frozen":
                # Evaluation mode keeps the statistics of its normalisation as they are.
                network.get_submodule("backbone").eval().requires_grad_(False)
            optimizer = self.optimizer(decayed(network, budget.weight_decay))
            loss = partial(self.loss, network)
            fit(network, len(self.data.train.pixels), optimizer, budget, loss, seed)
        return network

    def backbone(self, method: str) -> ResNet:
        """Return a copy of the model's network, or for ``scratch`` one with fresh weights."""
        if method == "scratch":
            return ResNet(self.card.architecture, len(self.card.label_ids))
        return copy.deepcopy(self.network)

    def network_input(self, pixels: Tensor) -> Tensor:
        """Return ``uint8[n, s, s, 3]`` as ``float32[n, 3, s, s]``, normalised, on the device.

        Channels come first in memory: with channels last, torch 2.13 on the CPU writes outside its
        memory in the backward pass of narrow convolutions.
        """
        return normalise(pixels.to(chosen_device()), self.card.mean, self.card.std).contiguous()


def evaluate_on(
    kind: type[TransferTask[Any]],
    model_dir: Path,
    path: Path,
    methods: Sequence[str] = (),
    budget: Budget | None = None,
    seeds: Sequence[int] = (0,),
    image_size: int | None = None,
) -> Iterator[tuple[str, float]]:
    """Yield the name and value of each measure of a model on another task.

    Each name begins with its method. With several seeds the values are means,
    and ``_low`` and ``_high`` are the lowest and highest. ``n_...``: classes, images, and
    rejects by reason.

    Parameters
    ----------
    kind
        One of the classes in `training.transfer.TASKS`.
    model_dir
        Folder that `training.fit.train.train` wrote.
    path
        Folder or file of the task; see the kind's ``read``.
    methods
        Some of the kind's methods; all by default.
    budget
        Length and rates of each training; by default the kind's.
    seeds
        Seed of each training of a method, at least one. The first one also splits a task in one
        part.
    image_size
        Side of the images, in pixels; by default the kind's multiple of the model's.

    Raises
    ------
    InputError
        If the model or the task cannot be used.
    QualityError
        If a loss is not finite.
    """
    network, card = load_model(model_dir)
    data = kind.read(path, image_size or kind.enlarged * card.image_size, seeds[0])
    task = kind(network, card, data)
    for method in methods or kind.methods:
        runs = seeds[:1] if method in kind.untrained else seeds
        measured = [task.measures_of(method, budget or kind.budget, seed) for seed in runs]
        yield from banded(method, measured)
    yield from _counts(data)


def banded(method: str, runs: Sequence[dict[str, float]]) -> Iterator[tuple[str, float]]:
    """Yield the mean of each measure over runs, and for several its lowest and highest value.

    Examples
    --------
    >>> list(banded("knn", [{"accuracy": 0.5}]))
    [('knn_accuracy', 0.5)]
    >>> dict(banded("scratch", [{"map": 0.25}, {"map": 0.75}]))
    {'scratch_map': 0.5, 'scratch_map_low': 0.25, 'scratch_map_high': 0.75}
    """
    for name in runs[0]:
        values = [run[name] for run in runs]
        yield f"{method}_{name}", sum(values) / len(values)
        if len(values) > 1:
            yield f"{method}_{name}_low", min(values)
            yield f"{method}_{name}_high", max(values)


def _counts(data: TaskData[Any]) -> Iterator[tuple[str, int]]:
    yield "n_classes", len(data.names)
    yield "n_train", len(data.train.pixels)
    yield "n_test", len(data.test.pixels)
    for reason, n in sorted(data.rejects.items()):
        yield f"n_{reason.replace(' ', '_')}", n
