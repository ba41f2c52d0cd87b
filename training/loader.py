"""Samples to batches: which images in which step, decoded by threads ahead of time.

A batch depends on the seed and the number of its step alone: any number of threads gives the same
batches, and a training that goes on at step k gets those that it would have got. Threads suffice,
because decoding and resizing, nearly all of the work, run without Python's lock.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from labeling.errors import InputError
from training.config import Sampling
from training.decode import UNUSABLE, View, decode
from training.index import Shards
from training.sampling import Order, Rows, rows_of, square_root_draws
from training.targets import Targets

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Mean and deviation of the channels of ImageNet, for pixels in [0, 1]."""

N_THREADS = min(16, os.cpu_count() or 1)
"""Threads that decode: as many batches are made at a time, and held in memory."""

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")
CPU = torch.device("cpu")
_VIEWS = 1


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step trains on.

    Parameters
    ----------
    keys
        The n image ids.
    pixels
        ``uint8[n, s, s, 3]``: red, green, blue.
    place, code
        ``int64[m]``: image, as its place in the batch, and label of each entry.
    target, weight
        ``float32[m]``: target in [0, 1] and weight of each entry.
    """

    keys: list[str]
    pixels: Tensor
    place: Tensor
    code: Tensor
    target: Tensor
    weight: Tensor

    def copied(self, stream: torch.cuda.Stream) -> Batch:
        """Return the batch on the GPU of a stream, when it is there: others compute meanwhile."""
        with torch.cuda.stream(stream):
            tensors = [t.to(stream.device, non_blocking=True) for t in self.tensors()]
        stream.synchronize()
        return Batch(self.keys, *tensors)

    def tensors(self) -> tuple[Tensor, ...]:
        """Return its tensors, in the order of the fields."""
        return (self.pixels, self.place, self.code, self.target, self.weight)

    def dense(self, n_labels: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return targets and weights of all labels, ``float32[n, n_labels]`` each, on a device.

        Labels without an entry have target 0 and weight 1. Only the entries are sent there: with
        thousands of labels the rest is a thousand times as much.
        """
        target = torch.zeros(len(self.keys), n_labels, device=device)
        weight = torch.ones(len(self.keys), n_labels, device=device)
        at = self.place.to(device), self.code.to(device)
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
    n_threads: int = N_THREADS,
    *,
    sampling: Sampling = "uniform",
    places: Sequence[slice] = (slice(None),),
    device: torch.device = CPU,
) -> Iterator[Batch]:
    """Yield the batches of some steps: one random order of all images after the other.

    Parameters
    ----------
    shards, targets
        The images, and what is known of each.
    side
        Side of the square images, in pixels.
    batch_size
        Images in a step.
    seed
        Of the order and of the part that is looked at (see `training.decode.View`).
    steps
        Numbers of the steps, from 0: ``range(k, n)`` goes on behind the first k.
    n_threads
        Threads that decode; the batches are the same for any number.
    sampling
        See `training.sampling`.
    places
        Parts of a step, each of which is a batch: all of it by default. Processes that share the
        work take different ones.
    device
        Where the batches are put, while earlier ones are computed.

    Raises
    ------
    InputError
        If an image cannot be decoded. The message names shard and key.
    """
    draws = square_root_draws(targets) if sampling == "square-root" else None
    order = Order(len(shards), seed, draws)
    is_gpu = device.type == "cuda"
    stream = torch.cuda.Stream(device) if is_gpu else None  # type: ignore[no-untyped-call]

    def make(part: tuple[int, slice]) -> Batch:
        step, own = part
        rows = rows_of(step, order, batch_size)[own]
        drawn = np.random.default_rng((seed, _VIEWS, step)).random((batch_size, 5))[own]
        pixels = _decode_all(shards, rows, side, [View(*five) for five in drawn.tolist()])
        entry, place = targets.entries(rows)
        of_entries = (targets.codes, targets.target, targets.weight)
        batch = Batch(
            [shards.keys[row] for row in rows.tolist()],
            pixels,
            torch.from_numpy(place),
            *(torch.from_numpy(values[entry]) for values in of_entries),
        )
        return batch.copied(stream) if stream else batch

    for batch in _ahead(make, itertools.product(steps, places), n_threads):
        if stream:
            for tensor in batch.tensors():
                tensor.record_stream(torch.cuda.current_stream(device))
        yield batch


def pixels_in_order(
    shards: Shards, side: int, batch_size: int, n_threads: int = N_THREADS
) -> Iterator[Tensor]:
    """Yield the pixels of all images once, ``uint8[n, s, s, 3]``: each a centred square.

    Raises
    ------
    InputError
        If an image cannot be decoded. The message names shard and key.
    """
    parts = (
        np.arange(start, min(start + batch_size, len(shards)))
        for start in range(0, len(shards), batch_size)
    )

    def make(rows: Rows) -> Tensor:
        return _decode_all(shards, rows, side, [None] * len(rows))

    return _ahead(make, parts, n_threads)


def normalise(pixels: Tensor, mean: Sequence[float] = MEAN, std: Sequence[float] = STD) -> Tensor:
    """Return ``uint8[n, s, s, 3]`` as ``float32[n, 3, s, s]``, less the mean, over the deviation.

    Examples
    --------
    >>> normalise(torch.full((1, 2, 2, 3), 255, dtype=torch.uint8))[0, :, 0, 0]
    tensor([2.2489, 2.4286, 2.6400])
    """
    scale = 1 / (255 * torch.tensor(std, device=pixels.device))
    shift = torch.tensor(mean, device=pixels.device) / torch.tensor(std, device=pixels.device)
    return pixels.float().mul_(scale).sub_(shift).permute(0, 3, 1, 2)


def _decode_all(shards: Shards, rows: Rows, side: int, views: Sequence[View | None]) -> Tensor:
    # Only pinned memory is copied to a GPU while it computes.
    pixels = torch.empty(
        (len(rows), side, side, 3), dtype=torch.uint8, pin_memory=torch.cuda.is_available()
    )
    images = pixels.numpy()
    for place, (row, view) in enumerate(zip(rows.tolist(), views, strict=True)):
        try:
            images[place] = decode(shards.jpeg(row), side, view)
        except UNUSABLE as error:
            raise InputError(
                "a sample of a shard cannot be used",
                facts={"shard": shards.path(row), "key": shards.keys[row], "cause": repr(error)},
                help="export the shards again, or take this image out",
            ) from error
    return pixels


def _ahead(
    make: Callable[[_Item], _Made], items: Iterable[_Item], n_threads: int
) -> Iterator[_Made]:
    """Yield what threads make of some items, in their order.

    Each of them computes by itself: torch would start as many helpers for every one as there are
    processors, and they would wait for each other. This thread keeps its own number.
    """
    torch.get_num_threads()  # settles the number of this thread before others set theirs
    with ThreadPoolExecutor(n_threads, "decode", torch.set_num_threads, (1,)) as pool:
        waiting: deque[Future[_Made]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(make, item))
                if len(waiting) > n_threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
