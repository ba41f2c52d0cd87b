"""Limit numerical libraries to one thread.

The fits of the scorer are small: several threads wait for each other longer than they work, many
times as long if other processes use the cores.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Literal

from threadpoolctl import ThreadpoolController


def one_thread(api: Literal["blas", "openmp"] | None = None) -> AbstractContextManager[object]:
    """Return a context in which BLAS, OpenMP or both use one thread.

    The limit of BLAS is for the whole process, that of OpenMP for the calling thread.
    """
    limited: AbstractContextManager[object] = _controller().limit(limits=1, user_api=api)
    return limited


@cache
def _controller() -> ThreadpoolController:
    # Cached: the search for loaded libraries takes several milliseconds.
    return ThreadpoolController()
