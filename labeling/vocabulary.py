"""A fixed set of words, looked up for all words of a column at once.

A word's key is its first eight bytes, as a number; longer words mix in the rest and are compared
in full when the keys are equal, so that an answer is exact whatever the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PADDING = 8
"""Zero bytes that follow the last letter of a buffer, so that eight can be read anywhere."""

_SLOT_BITS = 18
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(9)], np.uint64)

Bytes = npt.NDArray[np.uint8]
Longs = npt.NDArray[np.int64]
_Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words by the slot that their key falls in.

    Slot s holds the words ``code[first[s]:first[s + 1]]``, whose keys are ``key``; word ``code``
    stands in ``letters`` at ``offsets[code]``. The longest has ``longest`` bytes.
    """

    letters: Bytes
    offsets: Longs
    key: _Keys
    code: npt.NDArray[np.int32]
    first: npt.NDArray[np.int32]
    longest: int

    def __len__(self) -> int:
        return len(self.code)

    def codes(self, letters: Bytes, starts: Longs, lengths: Longs) -> npt.NDArray[np.int32]:
        """Return ``int32[n]``: the place of each word in the vocabulary, -1 for none.

        Parameters
        ----------
        letters
            UTF-8 without zero bytes, followed by `PADDING` zero bytes.
        starts, lengths
            Where each word begins in `letters`, and its bytes, at least one.
        """
        found = np.full(len(starts), -1, np.int32)
        keys = _keys(letters, starts, lengths, self.longest)
        slots = _slots(keys)
        entry, end = self.first[slots], self.first[slots + 1]
        asked = np.flatnonzero((entry < end) & (lengths <= self.longest))
        entry, end, keys = entry[asked], end[asked], keys[asked]
        while len(asked):
            hit = keys == self.key[entry]
            code = self.code[entry[hit]]
            same = self._same(code, letters, starts[asked[hit]], lengths[asked[hit]])
            found[asked[hit][same]] = code[same]
            entry = entry + 1
            more = (entry < end) & (found[asked] < 0)
            asked, entry, end, keys = asked[more], entry[more], end[more], keys[more]
        return found

    def _same(
        self, code: npt.NDArray[np.int32], letters: Bytes, starts: Longs, lengths: Longs
    ) -> npt.NDArray[np.bool_]:
        """Compare words of equal keys with those of the vocabulary."""
        begin = self.offsets[code]
        same: npt.NDArray[np.bool_] = lengths == self.offsets[code + 1] - begin
        place = np.flatnonzero(same & (lengths > 8))
        done = 8
        while len(place):
            mask = _MASKS[np.minimum(lengths[place] - done, 8)]
            theirs = _eight(letters)[starts[place] + done] & mask
            same[place] &= theirs == _eight(self.letters)[begin[place] + done] & mask
            done += 8
            place = place[same[place] & (lengths[place] > done)]
        return same


def build_vocabulary(words: Sequence[str]) -> Vocabulary:
    """Return a vocabulary in which each word's code is its place among the distinct `words`.

    Examples
    --------
    >>> vocabulary = build_vocabulary(["navy", "incommensurable"])
    >>> letters = np.frombuffer(b"navyblueincommensurable" + bytes(PADDING), np.uint8)
    >>> vocabulary.codes(letters, np.array([0, 4, 8]), np.array([4, 4, 15])).tolist()
    [0, -1, 1]
    """
    encoded = [word.encode() for word in words]
    letters = np.frombuffer(b"".join(encoded) + bytes(PADDING), np.uint8)
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    longest = max(map(len, encoded), default=0)
    keys = _keys(letters, offsets[:-1], np.diff(offsets), longest)
    slots = _slots(keys)
    order = np.argsort(slots, kind="stable")
    counts = np.bincount(slots, minlength=1 << _SLOT_BITS)
    return Vocabulary(
        letters=letters,
        offsets=offsets,
        key=keys[order],
        code=order.astype(np.int32),
        first=np.append(0, np.cumsum(counts)).astype(np.int32),
        longest=longest,
    )


def _keys(letters: Bytes, starts: Longs, lengths: Longs, longest: int) -> _Keys:
    eight = _eight(letters)
    keys = eight[starts] & _MASKS[np.minimum(lengths, 8)]
    place = np.flatnonzero((lengths > 8) & (lengths <= longest))
    done = 8
    while len(place):
        following = eight[starts[place] + done] & _MASKS[np.minimum(lengths[place] - done, 8)]
        keys[place] = (keys[place] ^ (keys[place] >> np.uint64(29))) * _MIX + following
        done += 8
        place = place[lengths[place] > done]
    return keys


def _slots(keys: _Keys) -> Longs:
    mixed = (keys ^ (keys >> np.uint64(32))) * _MIX
    return (mixed >> np.uint64(64 - _SLOT_BITS)).astype(np.int64)


def _eight(letters: Bytes) -> _Keys:
    """Return the eight bytes from each place on, as a number, without copying."""
    return np.ndarray((len(letters) - PADDING + 1,), "<u8", letters, strides=(1,))
