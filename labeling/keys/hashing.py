"""Mixing of 64-bit integers: one strong hash, and a cheap one for tables."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
"""``uint64[n]``: uniform over all 64 bits."""

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2**64 divided by the golden ratio: multiples of it are far apart (Knuth, TAOCP vol. 3, §6.4)."""

_ROUNDS = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
)


def scramble(keys: Hashes) -> Hashes:
    """Return the finaliser of splitmix64 (Steele, Lea & Flood 2014): each bit changes half of all.

    Examples
    --------
    >>> (scramble(np.array([1, 2], np.uint64)) % np.uint64(10)).tolist()
    [9, 0]
    """
    for shift, factor in _ROUNDS:
        keys = (keys ^ (keys >> shift)) * factor
    return keys ^ (keys >> np.uint64(31))


def multiply(keys: Hashes, factor: np.uint64 = GOLDEN) -> Hashes:
    """Return a cheap hash by an odd factor; only its high bits depend on all bits of the key."""
    return (keys ^ (keys >> np.uint64(29))) * factor
