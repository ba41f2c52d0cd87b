"""A fixed set of words, looked up for all words of a column at once.

A word's key is its first eight bytes, as a number; that of a longer word mixes in its length and
its last eight. Longer words are compared in full, so that an answer is exact whatever the words.
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
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
_Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words by the slot that their key falls in.

    Slot s holds the words ``code[first[s]:first[s + 1]]``, whose keys are ``key``, both with one
    more entry that stands for no word; word ``code`` stands in ``letters`` at ``offsets[code]``.
    """

    letters: Bytes
    offsets: Longs
    key: _Keys
    code: Ints
    first: Ints

    def __len__(self) -> int:
        return len(self.code) - 1

    def codes(self, letters: Bytes, starts: Longs, ends: Longs) -> Ints:
        """Return ``int32[n]``: the place of each word in the vocabulary, -1 for none.

        Parameters
        ----------
        letters
            UTF-8, followed by `PADDING` zero bytes.
        starts, ends
            Where each word begins and ends in `letters`; it has at least one byte, none of them 0.
        """
        keys = _keys(letters, starts, ends)
        slot = _slots(keys)
        entry, end = self.first.take(slot), self.first.take(slot + 1)
        found = np.where(self.key.take(entry) == keys, self.code.take(entry), np.int32(-1))
        self._drop_others(found, letters, starts, ends)
        asked = np.flatnonzero((found < 0) & (end - entry > 1))
        while len(asked):
            entry[asked] += 1
            hit = asked[self.key[entry[asked]] == keys[asked]]
            code = self.code[entry[hit]]
            self._drop_others(code, letters, starts[hit], ends[hit])
            found[hit] = code
            asked = asked[(found[asked] < 0) & (end[asked] - entry[asked] > 1)]
        return found

    def _drop_others(self, code: Ints, letters: Bytes, starts: Longs, ends: Longs) -> None:
        """Set to -1 the codes of words that have the key of these words but are others.

        The key of a word of at most eight bytes is the word.
        """
        place = np.flatnonzero((code >= 0) & (ends - starts > PADDING))
        begin, end = self.offsets[code[place]], self.offsets[code[place] + 1]
        other = end - begin != (ends - starts)[place]
        code[place[other]] = -1
        ours, theirs = _eight(letters), _eight(self.letters)
        place, begin, end = place[~other], begin[~other], end[~other]
        done = 0
        while len(place):
            mask = _MASKS[np.minimum(end - begin - done, 8)]
            other = (ours[starts[place] + done] ^ theirs[begin + done]) & mask != 0
            code[place[other]] = -1
            done += 8
            more = ~other & (end - begin > done)
            place, begin, end = place[more], begin[more], end[more]


def build_vocabulary(words: Sequence[str]) -> Vocabulary:
    """Return a vocabulary in which each word's code is its place among the distinct `words`.

    Examples
    --------
    >>> vocabulary = build_vocabulary(["navy", "incommensurable"])
    >>> letters = np.frombuffer(b"navyblueincommensurable" + bytes(PADDING), np.uint8)
    >>> vocabulary.codes(letters, np.array([0, 4, 8]), np.array([4, 8, 23])).tolist()
    [0, -1, 1]
    """
    encoded = [word.encode() for word in words]
    letters = np.frombuffer(b"".join(encoded) + bytes(PADDING), np.uint8)
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    keys = _keys(letters, offsets[:-1], offsets[1:])
    slots = _slots(keys)
    order = np.argsort(slots, kind="stable")
    counts = np.bincount(slots, minlength=1 << _SLOT_BITS)
    return Vocabulary(
        letters=letters,
        offsets=offsets,
        key=np.append(keys[order], np.uint64(0)),
        code=np.append(order, -1).astype(np.int32),
        first=np.append(0, np.cumsum(counts)).astype(np.int32),
    )


def _keys(letters: Bytes, starts: Longs, ends: Longs) -> _Keys:
    """Return the keys of words. That of a long one has a first byte of 0, that of no other has."""
    eight = _eight(letters)
    lengths = ends - starts
    keys = eight[starts] & _MASKS.take(lengths, mode="clip")
    long = np.flatnonzero(lengths > 8)
    tail = eight[ends.take(long) - 8] + lengths.take(long).astype(np.uint64)
    keys[long] = ((keys.take(long) * _MIX) ^ tail) * _MIX << np.uint64(8)
    return keys


def _slots(keys: _Keys) -> Longs:
    mixed = (keys ^ (keys >> np.uint64(32))) * _MIX
    return (mixed >> np.uint64(64 - _SLOT_BITS)).astype(np.int64)


def _eight(letters: Bytes) -> _Keys:
    """Return the eight bytes from each place on, as a number, without copying."""
    return np.ndarray((len(letters) - PADDING + 1,), "<u8", letters, strides=(1,))
