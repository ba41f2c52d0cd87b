"""A fixed set of words, looked up for all words of a column at once.

A word's key is its first eight bytes, as a number; that of a longer word mixes in its length and
the other bytes. Longer words are compared in full, so that an answer is exact whatever the words.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from labeling.keys.arrays import Bytes, Ints, Ints32, Mask
from labeling.keys.hash_table import Keys, KeyTable, build_key_table
from labeling.keys.hashing import GOLDEN, multiply

PADDING = 8
"""Zero bytes that follow the last letter of a buffer, so that eight can be read anywhere."""

_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(9)], np.uint64)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words in the order of a table of their keys.

    Attributes
    ----------
    letters, offsets
        Word c is ``letters[offsets[c]:offsets[c + 1]]``.
    table
        Keys of the words.
    seed
        Number that is mixed into the keys of long words, so that no two keys are equal.
    longest
        Bytes of the longest word.
    """

    letters: Bytes
    offsets: Ints
    table: KeyTable
    seed: int
    longest: int

    def __len__(self) -> int:
        return len(self.table)

    def codes(self, letters: Bytes, starts: Ints, ends: Ints) -> Ints:
        """Return ``int64[n]``: the code of each word, the size of the vocabulary for unknown words.

        Parameters
        ----------
        letters
            UTF-8, followed by `PADDING` zero bytes.
        starts, ends
            Bounds of each word in `letters`; a word has at least one byte, and no byte 0.
        """
        keys, long = _keys(letters, starts, ends, self.seed, self.longest)
        code = self.table.find(keys)
        long = long[code.take(long) >= 0]
        same = self._same(code[long], letters, starts[long], ends[long])
        code[long[~same]] = -1
        return np.minimum(code.view(np.uint32), len(self)).astype(np.int64)

    def _same(self, code: Ints32, letters: Bytes, starts: Ints, ends: Ints) -> Mask:
        """Return ``bool[n]``: the long words that equal the words of the vocabulary in full."""
        theirs = self.offsets[code]
        lengths = ends - starts
        same: Mask = self.offsets[code + 1] - theirs == lengths
        ours, known = _eight(letters), _eight(self.letters)
        same &= ours[starts] == known[theirs]
        left = np.flatnonzero(same)
        done = 8
        while len(left):
            mask = _MASKS.take(lengths[left] - done, mode="clip")
            same[left] = (ours[starts[left] + done] ^ known[theirs[left] + done]) & mask == 0
            done += 8
            left = left[same[left] & (lengths[left] > done)]
        return same


def build_vocabulary(words: Collection[str]) -> Vocabulary:
    """Return the vocabulary of distinct words.

    Examples
    --------
    >>> vocabulary = build_vocabulary(["navy", "incommensurable"])
    >>> codes = vocabulary.codes(*spelled(["incommensurable", "commensurable", "navy"]))
    >>> sorted(codes.tolist())
    [0, 1, 2]
    """
    letters, starts, ends = spelled(words)
    longest = int((ends - starts).max(initial=0))
    seed = 0
    keys, _ = _keys(letters, starts, ends, seed, longest)
    while len(np.unique(keys)) < len(keys):
        seed += 1
        keys, _ = _keys(letters, starts, ends, seed, longest)
    table = build_key_table(keys)
    order = np.empty(len(keys), np.int32)
    order[table.find(keys)] = np.arange(len(keys))
    words = list(words)
    letters, starts, ends = spelled([words[i] for i in order])
    return Vocabulary(letters, np.append(starts, ends[-1:]), table, seed, longest)


def spelled(words: Collection[str]) -> tuple[Bytes, Ints, Ints]:
    """Return words as letters, starts and ends, the arguments of `Vocabulary.codes`."""
    encoded = [word.encode() for word in words]
    letters = np.frombuffer(b"".join(encoded) + bytes(PADDING), np.uint8)
    ends = np.cumsum([len(word) for word in encoded], dtype=np.int64)
    return letters, np.append(0, ends)[:-1], ends


def _keys(letters: Bytes, starts: Ints, ends: Ints, seed: int, longest: int) -> tuple[Keys, Ints]:
    """Return the keys of words, and the indices of the words longer than eight bytes.

    The key of a short word is the word. The lowest byte of a long word's key is 0, with which no
    word begins. Of words longer than `longest`, which are unknown, only some bytes are read.
    """
    eight = _eight(letters)
    lengths = ends - starts
    keys = eight[starts] & _MASKS.take(lengths, mode="clip")
    long = np.flatnonzero(lengths > 8)
    starts, ends, lengths = starts.take(long), ends.take(long), lengths.take(long)
    mixed = _mix(keys.take(long) + lengths.view(np.uint64), seed) ^ eight[ends - 8]
    longer = np.flatnonzero((lengths > 16) & (lengths <= longest))
    done = 8
    while len(longer):
        mixed[longer] = _mix(mixed[longer], seed) ^ eight[starts[longer] + done]
        done += 8
        longer = longer[lengths[longer] > done + 8]
    keys[long] = _mix(mixed, seed) << np.uint64(8)
    return keys, long


def _mix(keys: Keys, seed: int) -> Keys:
    return multiply(keys, GOLDEN + np.uint64(2 * seed))


def _eight(letters: Bytes) -> Keys:
    """Return the eight bytes from each index on, as a number, without copying."""
    return np.ndarray((len(letters) - PADDING + 1,), "<u8", letters, strides=(1,))
