"""Samples to batches, decoded ahead of time.

A batch depends only on the seed and the number of its step: any number of workers gives the same
batches, and a training that continues at step k gets the batches that it would have got. Threads
decode if the CPU also trains; a GPU needs more than they can decode, and is fed by processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from labeling.arguments import Rule, checks_arguments
from training.data.decode import UNUSABLE, View, decode
from training.data.sampling import Order, Rows, rows_of, square_root_draws
from training.data.shard_index import Shards
from training.data.targets import Targets, unusable_sample
from training.data.workers import N_WORKERS, in_processes, in_threads
from training.fit.config import Sampling

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Mean and deviation of the channels of ImageNet, for pixels in [0, 1]."""

CPU = torch.device("cpu")
_VIEWS = 1

Pixels = Annotated[
    Tensor,
    Rule(
        "a tensor uint8[n, s, s, 3]",
        lambda p: p.dtype == torch.uint8 and p.ndim == 4 and p.shape[3] == 3,
    ),
]
Mean = Annotated[Sequence[float], Rule("three numbers", lambda x: len(x) == 3)]
Deviation = Annotated[
    Sequence[float], Rule("three numbers above 0", lambda x: len(x) == 3 and min(x) > 0)
]


@dataclass(frozen=True, eq=False)
class Batch:
    """Images and targets of one step.

    Parameters
    ----------
    keys
        The n image ids.
    pixels
        ``uint8[n, s, s, 3]``: red, green, blue.
    image, code
        ``int64[m]``: image, as its position in the batch, and label of each entry.
    target, weight
        ``float32[m]``: target in [0, 1] and weight of each entry.
    """

    keys: list[str]
    pixels: Tensor
    image: Tensor
    code: Tensor
    target: Tensor
    weight: Tensor

    def pin_memory(self) -> Batch:
        """Return the batch in memory that a GPU copies by itself; called by torch's DataLoader."""
        return Batch(self.keys, *(tensor.pin_memory() for tensor in self.tensors()))

    def on(self, device: torch.device) -> Batch:
        """Return the batch on a device; pinned memory is copied while the device computes."""
        return Batch(self.keys, *(t.to(device, non_blocking=True) for t in self.tensors()))

    def tensors(self) -> tuple[Tensor, ...]:
        """Return the tensors of the batch, in the order of the fields."""
        return (self.pixels, self.image, self.code, self.target, self.weight)

    def dense(self, n_labels: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return targets and weights of all labels, ``float32[n, n_labels]`` each, on a device.

        Labels without an entry have target 0 and weight 1. Only the entries are copied to the
        device: with thousands of labels the rest is a thousand times as large.
        """
        target = torch.zeros(len(self.keys), n_labels, device=device)
        weight = torch.ones(len(self.keys), n_labels, device=device)
        at = self.image.to(device), self.code.to(device)
        return (
            target.index_put_(at, self.target.to(device)),
            weight.index_put_(at, self.weight.to(device)),
        )


def training_batches(
    shards: Shards,
    targets: Targets,
    side: int,
    batch_size: int,
    seed: int,
    steps: Sequence[int],
    n_workers: int = N_WORKERS,
    *,
    sampling: Sampling = "uniform",
    parts: Sequence[slice] = (slice(None),),
    device: torch.device = CPU,
) -> Iterator[Batch]:
    """Yield the batches of some steps: one random order of all images after the other.

    Parameters
    ----------
    shards, targets
        The images and their targets.
    side
        Side of the square images, in pixels.
    batch_size
        Images in a step.
    seed
        Seed of the order and of the crops (see `training.data.decode.View`).
    steps
        Numbers of the steps, from 0: ``range(k, n)`` continues after the first k.
    n_workers
        Threads, or processes for a GPU, that decode; the batches are the same for any number.
    sampling
        See `training.data.sampling`.
    parts
        Parts of a step, each of which is a batch; the whole step by default. Processes that share
        the work take different parts.
    device
        Device of the batches; they are copied to a GPU while it computes on earlier ones.

    Raises
    ------
    InputError
        If an image cannot be decoded. The message names shard and key.
    """
    draws = square_root_draws(targets) if sampling == "square-root" else None
    order = Order(len(shards), seed, draws)

    def batch(number: int) -> Batch:
        step, part = steps[number // len(parts)], parts[number % len(parts)]
        rows = rows_of(step, order, batch_size)[part]
        # All views of the step are drawn, so that a part has the same ones in any division.
        drawn = np.random.default_rng((seed, _VIEWS, step)).random((batch_size, 5))[part]
        pixels = _decode_all(shards, rows, side, [View(*five) for five in drawn.tolist()])
        entry, image = targets.entries(rows)
        return Batch(
            [shards.keys[row] for row in rows.tolist()],
            pixels,
            torch.from_numpy(image),
            torch.from_numpy(targets.codes[entry]),
            torch.from_numpy(targets.target[entry]),
            torch.from_numpy(targets.weight[entry]),
        )

    numbers = range(len(steps) * len(parts))
    if device.type == "cuda":
        return _copied_ahead(in_processes(batch, numbers, n_workers), device)
    return in_threads(batch, numbers, n_workers)


def pixels_in_order(
    shards: Shards, side: int, batch_size: int, n_workers: int = N_WORKERS
) -> Iterator[Tensor]:
    """Yield the centred squares of all images, ``uint8[n, s, s, 3]``, in the order of the shards.

    Raises
    ------
    InputError
        If an image cannot be decoded. The message names shard and key.
    """
    starts = range(0, len(shards), batch_size)

    def pixels(start: int) -> Tensor:
        rows = np.arange(start, min(start + batch_size, len(shards)))
        return _decode_all(shards, rows, side, [None] * len(rows))

    return in_threads(pixels, starts, n_workers)


@checks_arguments
def normalise(pixels: Pixels, mean: Mean = MEAN, std: Deviation = STD) -> Tensor:
    """Return pixels as networks take them: less the mean, over the deviation.

    Parameters
    ----------
    pixels
        ``uint8[n, s, s, 3]``: red, green, blue.
    mean, std
        Mean and deviation of each channel, for pixels in [0, 1]; by default ImageNet's.

    Returns
    -------
    torch.Tensor
        ``float32[n, 3, s, s]``, on the device of the pixels.

    Raises
    ------
    InputError
        For pixels of another type or shape, or a deviation that is not above 0.

    Examples
    --------
    >>> normalise(torch.full((1, 2, 2, 3), 255, dtype=torch.uint8))[0, :, 0, 0]
    tensor([2.2489, 2.4286, 2.6400])
    """
    scale = 1 / (255 * torch.tensor(std, device=pixels.device))
    shift = torch.tensor(mean, device=pixels.device) / torch.tensor(std, device=pixels.device)
    return pixels.float().mul_(scale).sub_(shift).permute(0, 3, 1, 2)


def _decode_all(shards: Shards, rows: Rows, side: int, views: Sequence[View | None]) -> Tensor:
    pixels = np.empty((len(rows), side, side, 3), np.uint8)
    for position, (row, view) in enumerate(zip(rows.tolist(), views, strict=True)):
        try:
            pixels[position] = decode(shards.jpeg(row), side, view)
        except UNUSABLE as error:
            raise unusable_sample(shards, row, error) from error
    return torch.from_numpy(pixels)


def _copied_ahead(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Yield batches on a GPU; each is copied there while the one before it is trained on."""
    copying = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    ready: Batch | None = None
    for batch in batches:
        with torch.cuda.stream(copying):
            copied = batch.on(device)
        if ready:
            yield ready
        torch.cuda.current_stream(device).wait_stream(copying)
        # Memory that another stream allocated may be reused before this stream has read it.
        for tensor in copied.tensors():
            tensor.record_stream(torch.cuda.current_stream(device))
        ready = copied
    if ready:
        yield ready
