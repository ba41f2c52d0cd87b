r"""Texts to words: normalised, split at word boundaries, whole columns at a time.

A word is a run of letters, digits and the marks that belong to them (Unicode Standard Annex 29,
with hyphens and apostrophes as boundaries that are remembered). In scripts written without spaces
each character is a word of its own, so that names are found inside runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from labeling.keys.arrays import Bytes, Ints, Mask
from labeling.keys.runs import ranges
from labeling.text.normalisation import spellings
from labeling.text.vocabulary import PADDING

_APOSTROPHE, _HYPHEN, _LINE, _OTHER, _SPACE = range(5)
"""Kinds of bytes between words; letters and digits are greater. In an order in which one comparison
finds the kinds that join words or end a text, and one those that end a phrase."""

_SIGNS = {" ": _SPACE, "-": _HYPHEN, "'": _APOSTROPHE, "\n": _LINE}
_OF_BYTE = bytes(
    byte if byte >= 0x80 or chr(byte).isalnum() else _SIGNS.get(chr(byte), _OTHER)
    for byte in bytes(range(256)).lower()
)


@dataclass(frozen=True, eq=False)
class Words:
    """The words of some texts, text by text, each from left to right.

    Attributes
    ----------
    letters
        UTF-8, normalised; bytes between words are at most 4, and `vocabulary.PADDING` of them
        follow the last word.
    starts, ends
        Word i is ``letters[starts[i]:ends[i]]``.
    row
        Index of the text of each word. The texts are in no particular order.
    glued
        True if a single hyphen or apostrophe joins the word to the one before it.
    """

    letters: Bytes
    starts: Ints
    ends: Ints
    row: Ints
    glued: Mask

    def texts(self) -> list[str]:
        """Return the words as texts."""
        texts: list[str] = self.to_arrow().to_pylist()
        return texts

    def to_arrow(self) -> pa.LargeStringArray:
        """Return the words as a text column."""
        return self.take(np.arange(len(self.row)))

    def take(self, index: Ints) -> pa.LargeStringArray:
        """Return some words as a text column."""
        starts = self.starts.take(index)
        n_bytes = self.ends.take(index) - starts
        offsets = np.append(0, np.cumsum(n_bytes))
        letters = self.letters[np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], n_bytes)]
        buffers = pa.py_buffer(offsets), pa.py_buffer(letters)
        return pa.LargeStringArray.from_buffers(len(index), *buffers)

    def begins_phrase(self) -> Mask:
        """Return ``bool[n]``: the words with the end of a phrase between the one before and them.

        Phrases end at the end of a text, at all signs but spaces, hyphens and apostrophes, and at
        hyphens after a space.
        """
        begins = _ends_phrase(self.letters.take(self.starts - 1))
        # Most words have one sign before them; of others all signs are looked at.
        wide = np.flatnonzero(self.starts[1:] - self.ends[:-1] > 1) + 1
        gap, index = ranges(self.ends[wide - 1], self.starts[wide])
        sign = self.letters.take(index)
        ends = _ends_phrase(sign)
        ends |= (sign == _HYPHEN) & (self.letters.take(index - 1) == _SPACE)
        begins[wide[gap[ends]]] = True
        return begins

    def compounds(self, n_parts: int) -> tuple[Ints, Ints, tuple[Bytes, Ints, Ints]]:
        """Return sequences of glued words, from two to `n_parts` of them, joined to one word each.

        Returns
        -------
        first, n_words
            Index of the first word, and the number of words, the smallest first.
        spelling
            Letters, starts and ends of the joined words.
        """
        glued = np.append(self.glued, False)
        first = np.flatnonzero(~glued[:-1] & glued[1:])
        last = np.flatnonzero(glued[:-1] & ~glued[1:])
        letters = self.letters[ranges(self.starts[first], self.ends[last])[1]]
        letters = np.append(letters[letters > _SPACE], np.zeros(PADDING, np.uint8))
        run, word = ranges(first, last + 1)
        lengths = self.ends[word] - self.starts[word]
        ends = np.cumsum(lengths)
        sizes = range(2, n_parts + 1)
        of_size = [np.flatnonzero(run[n - 1 :] == run[: len(run) - n + 1]) for n in sizes]
        start = np.concatenate(of_size)
        n_words = np.repeat(np.array(sizes), [*map(len, of_size)])
        spelling = letters, (ends - lengths)[start], ends[start + n_words - 1]
        return word[start], n_words, spelling


def _ends_phrase(signs: Bytes) -> Mask:
    ends: Mask = signs - np.uint8(_LINE) <= _OTHER - _LINE  # smaller ones wrap around
    return ends


def split_words(texts: pa.Array) -> Words:
    """Return the words of a text column; null has no words.

    A final ``'s`` is left out: "girl's" is one word, "girl".

    Examples
    --------
    >>> words = split_words(pa.array(["A T-shirt,", None, "Girl's 毛衣"]))
    >>> words.texts()
    ['a', 't', 'shirt', 'girl', '毛', '衣']
    >>> words.row.tolist(), words.glued.tolist()
    ([0, 0, 0, 2, 2, 2], [False, False, True, False, False, False])
    """
    texts = texts.cast(pa.large_string())
    if texts.null_count:
        texts = texts.fill_null("")
    parts = list(spellings(texts))
    whole = b"\n".join([b"", *(lines for _, lines in parts), bytes(PADDING)])
    letters = np.frombuffer(whole.translate(_OF_BYTE), np.uint8)
    inside = letters > _SPACE
    signs = np.flatnonzero(letters <= _LINE)
    is_line = letters.take(signs) == _LINE
    joints = _joints(letters, inside, signs[~is_line])
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    starts, ends = edges[::2] + 1, edges[1::2] + 1
    glued = np.zeros(len(starts), bool)
    glued[np.searchsorted(starts, joints + 1)] = True
    n_words = np.diff(np.searchsorted(starts, signs[is_line]))
    order = np.concatenate([rows for rows, _ in parts]) if parts else np.empty(0, np.int64)
    return Words(letters, starts, ends, np.repeat(order, n_words), glued)


def _joints(letters: Bytes, inside: Mask, signs: Ints) -> Ints:
    """Return the hyphens and apostrophes that join words; remove each final 's from `inside`."""
    joints = signs[inside[signs - 1] & inside[signs + 1]]
    after = letters[joints + 2]
    continues = (after <= _HYPHEN) & inside[joints + 3]
    final = (letters[joints] == _APOSTROPHE) & (letters[joints + 1] == ord("s"))
    final &= ~continues & ~inside[joints + 2]
    inside[joints[final] + 1] = False
    return joints[np.flatnonzero(~final)]
