"""A fixed set of 64-bit keys, looked up many at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeling.keys.arrays import Ints, Ints32, Mask
from labeling.keys.hashing import multiply

Keys = npt.NDArray[np.uint64]

_NO_KEY = np.uint64(0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True, eq=False)
class KeyTable:
    """Keys in the order of their slots; the largest number of 64 bits is not a key.

    Attributes
    ----------
    first
        Index of the first key of each slot, of an empty one that of the entry after the keys.
    key
        The keys, and one more entry that is not a key.
    last
        True for the last key of a slot, and for the entry after the keys.
    """

    first: Ints32
    key: Keys
    last: Mask

    def __len__(self) -> int:
        return len(self.key) - 1

    def find(self, keys: Keys) -> Ints32:
        """Return ``int32[n]``: the index of each key in the table, -1 for missing keys."""
        index = self.first.take(_slots(keys, len(self.first)))
        entry = self._match(index, keys)
        left = np.flatnonzero((entry < 0) & ~self.last.take(index))
        while len(left):
            index[left] += 1
            entry[left] = self._match(index[left], keys[left])
            left = left[(entry[left] < 0) & ~self.last[index[left]]]
        return entry

    def _match(self, index: Ints32, keys: Keys) -> Ints32:
        # All bits of -1 are set, so that no branch is needed for keys that differ.
        matched: Ints32 = index | -(self.key.take(index) != keys).astype(np.int32)
        return matched


def build_key_table(keys: Keys) -> KeyTable:
    """Return a table of distinct keys.

    Examples
    --------
    >>> table = build_key_table(np.array([7, 0, 1 << 40], np.uint64))
    >>> entry = table.find(np.array([1 << 40, 8, 0], np.uint64))
    >>> (entry >= 0).tolist(), table.key[entry[entry >= 0]].tolist()
    ([True, False, True], [1099511627776, 0])
    """
    n_slots = 4 << max(2, len(keys).bit_length())
    slots = _slots(keys, n_slots)
    order = np.argsort(slots, kind="stable")
    slots = slots[order]
    begins = np.flatnonzero(np.diff(slots, prepend=-1))
    first = np.full(n_slots, len(keys), np.int32)
    first[slots[begins]] = begins
    return KeyTable(
        first=first,
        key=np.append(keys[order], _NO_KEY),
        last=np.append(np.diff(slots, append=-1) != 0, True),
    )


def _slots(keys: Keys, n_slots: int) -> Ints:
    return (multiply(keys) >> np.uint64(65 - n_slots.bit_length())).view(np.int64)
