"""Words without their accents, for texts and names that leave them out: "cafe" for "café"."""

from __future__ import annotations

import functools
import unicodedata

_LETTERS = str.maketrans("øłđħıŧ", "oldhit")
"""Letters of Latin with a stroke, which Unicode does not decompose, and the one without its dot."""


@functools.lru_cache(1 << 16)
def without_accents(word: str) -> str:
    """Return a word with plain letters in place of accented Latin ones.

    Letters of other scripts stay: in these a mark makes another letter, as in "й".

    Examples
    --------
    >>> without_accents("jalapeño"), without_accents("smørrebrød"), without_accents("й")
    ('jalapeno', 'smorrebrod', 'й')
    """
    plain = "".join(map(_plain, word.translate(_LETTERS)))
    return unicodedata.normalize("NFC", plain)


def _plain(character: str) -> str:
    decomposed = unicodedata.normalize("NFD", character)
    return decomposed[0] if decomposed[0].isascii() else character
