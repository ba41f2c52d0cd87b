"""Several processes that train one network, as ``torchrun`` starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class World:
    """The processes of a training, seen from one of them.

    Parameters
    ----------
    rank
        Number of this process, from 0; the first one reports and writes.
    size
        Number of processes.
    """

    rank: int = 0
    size: int = 1

    def mean(self, value: Tensor) -> Tensor:
        """Return the mean of a tensor over all processes."""
        if self.size > 1:
            dist.all_reduce(value)
            value /= self.size
        return value

    def from_first(self, value: _Value) -> _Value:
        """Return the value of the first process."""
        values = [value]
        if self.size > 1:
            dist.broadcast_object_list(values, src=0)
        return values[0]


ALONE = World()


@contextmanager
def processes() -> Iterator[World]:
    """Join the processes that ``torchrun`` started, one for each GPU, or work alone.

    Yields
    ------
    World
        The first process leaves the block only together with the others.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    has_gpu = torch.cuda.is_available()
    if has_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if has_gpu else "gloo")
    try:
        yield World(dist.get_rank(), dist.get_world_size())
        dist.barrier()
    finally:
        dist.destroy_process_group()
