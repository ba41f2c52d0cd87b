"""Training for a fixed number of steps, whatever the task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from labeling.errors import ConfigError, QualityError
from training.fit.schedule import rate_at

WARMUP_SHARE = 0.1
MAX_NORM = 10.0


@dataclass(frozen=True)
class Budget:
    """Length and rates of a training on a task, the same for every method.

    Parameters
    ----------
    steps, batch_size
        Steps, and images in each.
    learning_rate
        The highest: it grows linearly over the first `WARMUP_SHARE` of the steps and falls to 0
        along a cosine.
    weight_decay
        Decay of matrices and kernels; biases and normalisations have none.
    """

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 2 or self.learning_rate <= 0:
            raise ConfigError(
                "a budget of training is out of range",
                facts=vars(self),
                help="ask for at least 1 step of at least 2 images, at a rate above 0",
            )


def fit(
    network: nn.Module,
    n_images: int,
    optimizer: torch.optim.Optimizer,
    budget: Budget,
    loss_of: Callable[[Tensor, torch.Generator], Tensor],
    seed: int,
) -> None:
    """Train the parameters that `optimizer` holds.

    Parameters
    ----------
    network
        Set to evaluation mode at the end; the caller decides which parts are trained.
    n_images
        Images to draw from: all of them in random order, repeatedly.
    loss_of
        Takes the rows of a batch (``int64[n]``) and the generator for augmentation, returns the
        loss of the batch.
    seed
        Seed of the order and of the augmentation.

    Raises
    ------
    QualityError
        If the loss is not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    batches = _rows(n_images, budget.batch_size, generator)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for step in range(1, budget.steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = budget.learning_rate * rate_at(step, budget.steps, WARMUP_SHARE)
        loss = loss_of(next(batches), generator)
        _refuse_not_finite(loss, step)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, MAX_NORM)
        optimizer.step()
    network.eval()


def _rows(n: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield full batches of rows without end, one random order of all rows after the other."""
    rows = torch.empty(0, dtype=torch.int64)
    while True:
        while len(rows) < batch_size:
            rows = torch.cat([rows, torch.randperm(n, generator=generator)])
        yield rows[:batch_size]
        rows = rows[batch_size:]


def _refuse_not_finite(loss: Tensor, step: int) -> None:
    if not torch.isfinite(loss):
        raise QualityError(
            "the loss on a task is not finite",
            facts={"step": step, "loss": loss.item()},
            help="lower the learning rate",
        )
