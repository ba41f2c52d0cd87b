"""Work that is done ahead of time, by threads or by processes, and comes in its order.

Threads share Python's lock: decoding and resizing run without it, but each call has to get it back,
and from about eight threads on more of them do less. Processes do not wait for each other; what
they make is handed over in shared memory.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from labeling.errors import WinnowError

N_WORKERS = max(1, min(16, os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
"""Workers of each process that trains: as many things are made at a time, and held in memory."""

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


def in_threads(
    make: Callable[[_Item], _Made], items: Iterable[_Item], n_workers: int
) -> Iterator[_Made]:
    """Yield what threads make of some items.

    Each of them computes by itself: torch would start as many helpers for every one as there are
    processors, and they would wait for each other. This thread keeps its own number.
    """
    torch.get_num_threads()  # settles the number of this thread before others set theirs
    with ThreadPoolExecutor(n_workers, "decode", torch.set_num_threads, (1,)) as pool:
        waiting: deque[Future[_Made]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(make, item))
                if len(waiting) > n_workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def in_processes(
    make: Callable[[_Item], _Made], items: Sequence[_Item], n_workers: int
) -> Iterator[_Made]:
    """Yield what processes make of some items; its tensors come in pinned memory if there is a GPU.

    The processes are forked, so that they share the index of the images, and may not use the GPU.
    """
    loader: DataLoader[Any] = DataLoader(
        _Makes(make, items),
        batch_size=None,
        num_workers=n_workers,
        multiprocessing_context="fork",
        pin_memory=torch.cuda.is_available(),
    )
    for made in loader:
        if isinstance(made, WinnowError):
            raise made
        yield made


class _Makes(Dataset[Any], Generic[_Item, _Made]):
    """What is made of each item; an error is returned, since torch would make a text of it."""

    def __init__(self, make: Callable[[_Item], _Made], items: Sequence[_Item]) -> None:
        self._make, self._items = make, items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, number: int) -> _Made | WinnowError:
        try:
            return self._make(self._items[number])
        except WinnowError as error:
            return error
