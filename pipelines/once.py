"""Costly things that workers in threads share."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Once(Generic[K, T]):
    """A function whose last four results are kept, each made by one thread while others wait."""

    def __init__(self, function: Callable[[K], T]) -> None:
        self._kept = functools.lru_cache(maxsize=4)(function)
        self._lock = threading.RLock()
        functools.update_wrapper(self, function)

    def __call__(self, of: K) -> T:
        """Return the result for a value."""
        with self._lock:
            return self._kept(of)

    def cache_clear(self) -> None:
        """Forget all results."""
        self._kept.cache_clear()
