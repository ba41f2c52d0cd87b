"""Work done ahead of time by threads or by processes, and returned in order.

Threads share Python's lock: decoding and resizing run without it, but each call has to take it
again, and beyond about eight threads more of them do less. Processes do not wait for each other;
their results are passed in shared memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from labeling.errors import WinnowError
from labeling.threads import map_ahead

N_WORKERS = max(1, min(16, os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
"""Workers of each process that trains; each holds a result in memory."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_threads(
    function: Callable[[_Item], _Result], items: Iterable[_Item], n_workers: int
) -> Iterator[_Result]:
    """Yield a function of each item, in order, computed by threads.

    Each of them computes by itself: torch would start as many helpers for each thread as there are
    processors, and they would wait for each other. The caller's thread keeps its own number.
    """
    torch.get_num_threads()  # fixes the number of this thread before others set theirs
    with ThreadPoolExecutor(n_workers, "decode", torch.set_num_threads, (1,)) as pool:
        yield from map_ahead(pool, function, items, n_workers)


def in_processes(
    function: Callable[[_Item], _Result], items: Sequence[_Item], n_workers: int
) -> Iterator[_Result]:
    """Yield a function of each item, in order, computed by processes.

    Tensors are returned in pinned memory if there is a GPU. The processes are forked, so that they
    share the index of the images, and may not use the GPU.
    """
    loader: DataLoader[Any] = DataLoader(
        _Results(function, items),
        batch_size=None,
        num_workers=n_workers,
        multiprocessing_context="fork",
        pin_memory=torch.cuda.is_available(),
    )
    for result in loader:
        if isinstance(result, WinnowError):
            raise result
        yield result


class _Results(Dataset[Any], Generic[_Item, _Result]):
    """A function of each item; an error is returned, because torch would raise it as a text."""

    def __init__(self, function: Callable[[_Item], _Result], items: Sequence[_Item]) -> None:
        self._function, self._items = function, items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, number: int) -> _Result | WinnowError:
        try:
            return self._function(self._items[number])
        except WinnowError as error:
            return error
