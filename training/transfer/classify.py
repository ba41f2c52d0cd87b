"""Transfer to classification: nearest neighbours, linear probe, fine-tuning, and from scratch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.evaluation.measures import banded, sizes
from training.fit.devices import chosen_device, seeded
from training.fit.schedule import decayed
from training.model.model_file import ModelCard, load_model
from training.model.resnet import ResNet, build
from training.transfer.classes import ClassTask, read_class_task
from training.transfer.fitting import Budget, fit
from training.transfer.images import moved_and_mirrored, network_input
from training.transfer.probes import features_of, linear_probe, nearest

METHODS = ("knn", "linear", "finetune", "scratch")
"""Frozen features: ``knn``, ``linear``. All weights: ``finetune``; ``scratch`` begins at none."""

BUDGET = Budget(steps=400, batch_size=32, learning_rate=0.05, weight_decay=5e-4)


def evaluate_classes(
    model_dir: Path,
    task_path: Path,
    methods: Sequence[str] = METHODS,
    budget: Budget = BUDGET,
    seeds: Sequence[int] = (0,),
    image_size: int | None = None,
) -> Iterator[tuple[str, float]]:
    """Yield the name and value of each measure of a model on a task of classification.

    ``METHOD_accuracy``: share of the held-out images put into their class;
    ``METHOD_class_accuracy``: the mean over classes of that share. With several seeds these are
    means, and ``_low`` and ``_high`` are the lowest and highest; the frozen methods and the split
    of an unsplit task have the first seed. ``linear_penalty``: see `probes.linear_probe`.
    ``n_...``: classes, images, and images put aside, by reason.

    Parameters
    ----------
    model_dir
        The folder that `training.fit.train.train` wrote.
    task_path
        See `classes.read_class_task`.
    methods
        Some of `METHODS`.
    budget, seeds
        How long each method is trained, and the seed of each of its trainings; one at least.
    image_size
        Side of the images; that of the model's training if not given.

    Raises
    ------
    InputError
        If the model or the task cannot be used.
    """
    network, card = load_model(model_dir)
    task = read_class_task(task_path, image_size or card.image_size, seeds[0])
    if {"knn", "linear"} & set(methods):
        yield from _frozen(network, card, task, methods, seeds[0])
    for method in ("finetune", "scratch"):
        if method in methods:
            fresh = method == "scratch"
            guesses = [fine_tune(network, card, task, budget, seed, fresh) for seed in seeds]
            yield from banded(method, [measures(guess, task) for guess in guesses])
    yield from sizes(task.names, len(task.train.pixels), len(task.test.pixels), task.put_aside)


def fine_tune(
    network: ResNet,
    card: ModelCard,
    task: ClassTask,
    budget: Budget,
    seed: int,
    from_scratch: bool = False,
) -> Tensor:
    """Return the class of each held-out image by a network that was trained on the task.

    Stochastic gradient descent with momentum; images are shifted and mirrored at random.

    Parameters
    ----------
    network, card
        The model, left as it is. Its weights are where training begins, but for the last layer.
    seed
        Of the last layer's weights, the order and the shifts.
    from_scratch
        Begin with fresh weights everywhere: what the same budget is worth without the model.

    Returns
    -------
    Tensor
        ``int64[n]``.
    """
    device = chosen_device()
    with seeded(seed, device):
        tuned = build(card.architecture, len(task.names))
        if not from_scratch:
            kept = {k: v for k, v in network.state_dict().items() if not k.startswith("fc.")}
            tuned.load_state_dict(kept, strict=False)
        nn.init.zeros_(tuned.fc.weight)
        tuned.to(device)
        optimizer = torch.optim.SGD(
            decayed(tuned, budget.weight_decay), momentum=0.9, nesterov=True
        )

        def loss_of(rows: Tensor, generator: torch.Generator) -> Tensor:
            pixels = moved_and_mirrored(task.train.pixels[rows], generator)
            logits = tuned(network_input(pixels, card, device))
            return F.cross_entropy(logits, task.train.classes[rows].to(device))

        tuned.train()
        fit(tuned, len(task.train.pixels), optimizer, budget, loss_of, seed)
        with torch.inference_mode():
            return torch.cat(
                [
                    tuned(network_input(part, card, device)).argmax(1).cpu()
                    for part in torch.split(task.test.pixels, 128)
                ]
            )


def measures(guess: Tensor, task: ClassTask) -> dict[str, float]:
    """Return the accuracy over held-out images, and its mean over the classes that they show."""
    right = (guess == task.test.classes).double()
    of_class = [right[task.test.classes == code].mean() for code in set(task.test.classes.tolist())]
    return {
        "accuracy": right.mean().item(),
        "class_accuracy": torch.stack(of_class).mean().item(),
    }


def _frozen(
    network: ResNet, card: ModelCard, task: ClassTask, methods: Sequence[str], seed: int
) -> Iterator[tuple[str, float]]:
    network.to(chosen_device())
    train = features_of(network, card, task.train.pixels)
    test = features_of(network, card, task.test.pixels)
    if "knn" in methods:
        guess = nearest(train, task.train.classes, test, len(task.names))
        yield from banded("knn", [measures(guess, task)])
    if "linear" in methods:
        guess, penalty = linear_probe(train, task.train.classes, test, len(task.names), seed)
        yield from banded("linear", [measures(guess, task)])
        yield "linear_penalty", penalty
