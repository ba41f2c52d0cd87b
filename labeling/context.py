"""Which sense of a shared name is meant: the one whose relatives the same text names.

"Crane" beside "heron" is a bird. A sense is supported when another name of the text is a label
that is its parent, its child or a child of the same parent (the closest relatives of Lesk-like
methods: Banerjee & Pedersen 2003, "Extended Gloss Overlaps as a Measure of Semantic Relatedness").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CONTEXT = 3.0
"""Weight that support adds to a sense, where one without support weighs 1."""

_SLOT_BITS = 20
_MIX = np.uint64(0x9E3779B97F4A7C15)

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Relatives:
    """The label itself and its parents: ``near[first[c]:first[c + 1]]`` for code c."""

    near: Longs
    first: Longs

    def supported(self, row: Longs, label: Longs, form: Longs) -> npt.NDArray[np.bool_]:
        """Return ``bool[n]``: whether another name of the same row is a relative.

        Parameters
        ----------
        row, label, form
            ``int64[n]``: labels that some rows name, and the number of the name.

        Examples
        --------
        >>> heron_crane_machine = Relatives(np.array([0, 3, 1, 3, 2]), np.array([0, 2, 4, 5]))
        >>> label, form = np.array([0, 1, 2]), np.array([7, 8, 8])
        >>> heron_crane_machine.supported(np.zeros(3, np.int64), label, form).tolist()
        [True, True, False]
        """
        n_near = self.first[label + 1] - self.first[label]
        match = np.repeat(np.arange(len(label)), n_near)
        offset = self.first[label] - (np.cumsum(n_near) - n_near)
        near = self.near[offset[match] + np.arange(len(match))]
        named = form[match]
        key = (row[match] << 32) | near
        maybe = np.flatnonzero(_may_be_shared(key, named))
        match, key, named = match[maybe], key[maybe], named[maybe]
        result = np.zeros(len(label), bool)
        result[match[_shared(key, named)]] = True
        return result


def build_relatives(parents: Sequence[Sequence[int]]) -> Relatives:
    """Return the relatives of each code, from the parents of each."""
    groups = [(code, *above) for code, above in enumerate(parents)]
    return Relatives(
        np.array([code for group in groups for code in group], np.int64),
        np.cumsum([0, *map(len, groups)], dtype=np.int64),
    )


def weigh(
    strength: npt.NDArray[np.float32], supported: npt.NDArray[np.bool_], row: Longs, form: Longs
) -> npt.NDArray[np.float32]:
    """Shift the strength of senses of one name in one row to those that are supported.

    Each name's strengths are equal, and keep their sum.
    """
    if not len(row):
        return strength
    _, group = np.unique((row << 32) | form, return_inverse=True)
    weight = 1 + CONTEXT * supported
    mean = np.bincount(group, weight) / np.bincount(group)
    return (strength * weight / mean[group]).astype(np.float32)


def _may_be_shared(key: Longs, named: Longs) -> npt.NDArray[np.bool_]:
    """Return whether names differ within a key's slot: true wherever they do within a key."""
    mixed = (key.astype(np.uint64) ^ (key.astype(np.uint64) >> np.uint64(29))) * _MIX
    slot = (mixed >> np.uint64(64 - _SLOT_BITS)).astype(np.int64)
    last = np.zeros(1 << _SLOT_BITS, np.int32)
    first = np.zeros(1 << _SLOT_BITS, np.int32)
    last[slot] = named
    first[slot[::-1]] = named[::-1]
    differs: npt.NDArray[np.bool_] = (first != last)[slot]
    return differs


def _shared(key: Longs, named: Longs) -> npt.NDArray[np.bool_]:
    """Return whether several names stand under the same key."""
    order = np.argsort(key, kind="stable")
    key, named = key[order], named[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    shared = np.zeros(len(key), bool)
    if len(starts):
        differ = np.minimum.reduceat(named, starts) != np.maximum.reduceat(named, starts)
        shared[order] = np.repeat(differ, np.diff(starts, append=len(key)))
    return shared
