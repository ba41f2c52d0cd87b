"""Work that threads do ahead of its reader."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def map_ahead(
    pool: Executor, function: Callable[[_Item], _Result], items: Iterable[_Item], n_waiting: int
) -> Iterator[_Result]:
    """Yield a function of each item, in order, computed ahead of the reader.

    `Executor.map` reads all items at once, and holds all results that are not read.

    Parameters
    ----------
    pool
        Threads that compute.
    function
        Takes an item; an error of it is raised in the item's turn.
    items
        Items, read one at a time.
    n_waiting
        Results that may wait to be read.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as pool:
    ...     list(map_ahead(pool, str.upper, "abc", n_waiting=2))
    ['A', 'B', 'C']
    """
    waiting: deque[Future[_Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > n_waiting:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
