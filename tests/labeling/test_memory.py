from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from labeling.memory import release_memory

KIB = 1 << 10


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return 4 * KIB * pages


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_freed_memory_is_returned_to_the_system() -> None:
    # Blocks below the limit from which on each is mapped by itself, with live ones between them.
    blocks = [np.ones(64 * KIB, np.uint8) for _ in range(4000)]
    live = blocks[::400]
    del blocks
    before = resident()
    release_memory()
    assert resident() < before - 100 * KIB * KIB
    assert all(block.all() for block in live)
