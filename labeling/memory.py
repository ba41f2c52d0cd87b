"""Memory of a process, returned to the system between the parts of a long step."""

from __future__ import annotations

import ctypes

import pyarrow as pa


def release_memory() -> None:
    """Return freed memory to the system.

    Allocators keep what was freed: after many tables of some megabytes that is several hundred
    megabytes, which nobody else can use. The call takes some milliseconds.
    """
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
    if trim is not None:
        trim(0)
