"""Hashes have the bits of their definitions: draws and the orders of outputs depend on them."""

from __future__ import annotations

import numpy as np
import pytest

from labeling.keys.hashing import GOLDEN, multiply, scramble


def test_the_strong_hash_is_splitmix64() -> None:
    """The first two numbers of the published generator for seed 1234567."""
    states = np.array([1234567], np.uint64) + np.array([1, 2], np.uint64) * GOLDEN
    assert scramble(states).tolist() == [6457827717110365317, 3203168211198807973]


@pytest.mark.parametrize("shift", [0, 16, 32, 48])
def test_keys_that_differ_in_a_few_bits_share_few_slots(shift: int) -> None:
    keys = np.arange(1 << 16, dtype=np.uint64) << np.uint64(shift)
    slots = multiply(keys) >> np.uint64(64 - 16)
    assert len(np.unique(slots)) > 0.4 * len(keys)
