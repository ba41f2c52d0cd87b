"""Costly things that workers in threads share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_RESULTS = 4
"""Results that are kept of each kind."""


class Once(Generic[T]):
    """The latest results of a costly function, each made by one thread while others wait.

    They are kept by the content that they are made from, never by a path alone: a worker outlives
    its run, and in the next one the same path may hold other content.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, T] = {}
        self._lock = threading.RLock()

    def get(self, content: Hashable, make: Callable[[], T]) -> T:
        """Return the result for some content, given as digests; make it if it is not kept."""
        with self._lock:
            result = self._kept.pop(content) if content in self._kept else make()
            self._kept[content] = result
            if len(self._kept) > MAX_RESULTS:
                del self._kept[next(iter(self._kept))]
            return result
