"""Words without their accents, for texts and names that leave them out: "cafe" for "café"."""

from __future__ import annotations

import functools
import unicodedata

import numpy as np

from labeling.keys.arrays import Ints
from labeling.keys.runs import run_starts
from labeling.text.words import Words

_STROKES = str.maketrans("øłđħŧı", "oldhti")
"""Letters of Latin with a stroke, which Unicode does not decompose, and the one without its dot."""

_LATIN = (0xC3, 0xC9)
"""First bytes of the accented letters of Latin in UTF-8, U+00C0 to U+024F."""


@functools.lru_cache(1 << 16)
def without_accents(word: str) -> str:
    """Return a word with plain letters in place of accented Latin ones.

    Letters of other scripts stay: in these a mark makes another letter, as in "й".

    Examples
    --------
    >>> without_accents("jalapeño"), without_accents("smørrebrød"), without_accents("й")
    ('jalapeno', 'smorrebrod', 'й')
    """
    plain = "".join(map(_plain, word.translate(_STROKES)))
    return unicodedata.normalize("NFC", plain)


def _plain(character: str) -> str:
    decomposed = unicodedata.normalize("NFD", character)
    return decomposed[0] if decomposed[0].isascii() else character


def accented_words(words: Words) -> Ints:
    """Return the indices of the words with an accented letter of Latin, in ascending order."""
    # One comparison of bytes that wrap around in place of two.
    letters = np.flatnonzero(words.letters - np.uint8(_LATIN[0]) <= _LATIN[1] - _LATIN[0])
    index = np.searchsorted(words.starts, letters, "right") - 1
    return index[run_starts(index)]
