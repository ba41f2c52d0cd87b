"""The word sequences that name labels: names as given, written as one word, and inflected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from labeling.inflection import FUNCTION_WORDS, forms
from labeling.taxonomy import Taxonomy
from labeling.words import Words, split_words

INFLECTED = 0.9
"""Strength of a match that needed inflection ("short" for "shorts"), where an exact one has 1."""

Names = Mapping[tuple[str, ...], tuple[tuple[int, ...], float]]
"""Word sequences with the labels that they name, sorted, and the strength of doing so."""


def readings(taxonomy: Taxonomy) -> Names:
    """Return every word sequence that names a label, the clearest (fewest labels, exact) first.

    A hyphenated name may also be written as one word. The last word of an English name, or of one
    whose language is not given, may be inflected, unless that is exactly another label's name. A
    name that is a function word or a single letter or digit is left out.
    """
    exact: dict[tuple[str, ...], set[int]] = defaultdict(set)
    inflected: dict[tuple[str, ...], set[int]] = defaultdict(set)
    rows = [(c, name, lang) for c, names in enumerate(taxonomy.names) for name, lang in names]
    column = pa.array(
        [name.encode("utf-8", "replace").decode() for _, name, _ in rows], pa.string()
    )
    for row, sequence in _sequences(split_words(column)):
        code, _, language = rows[row]
        exact[sequence].add(code)
        if language == "" or language.startswith("en"):
            for last in forms(sequence[-1]):
                inflected[(*sequence[:-1], last)].add(code)
    names = {words: (tuple(sorted(codes)), INFLECTED) for words, codes in inflected.items()}
    names |= {words: (tuple(sorted(codes)), 1.0) for words, codes in exact.items()}
    kept = [words for words in names if not _says_nothing(words)]
    return {w: names[w] for w in sorted(kept, key=lambda w: (len(names[w][0]), -names[w][1], w))}


def sound(text: str) -> str:
    """Return a text with lone surrogates, which UTF-8 cannot hold, replaced."""
    return text.encode("utf-8", "replace").decode()


def _sequences(words: Words) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the words of each text with its row, and the word that a hyphenated one may become."""
    texts = words.texts()
    order = np.argsort(words.row, kind="stable")
    starts = np.flatnonzero(np.diff(words.row[order], prepend=-1)).tolist()
    for start, end in zip(starts, [*starts[1:], len(order)], strict=False):
        sequence = tuple(texts[i] for i in order[start:end])
        row = int(words.row[order[start]])
        yield row, sequence
        if len(sequence) > 1 and words.glued[order[start + 1 : end]].all():
            yield row, ("".join(sequence),)


def _says_nothing(sequence: tuple[str, ...]) -> bool:
    word = sequence[0]
    return len(sequence) == 1 and (word in FUNCTION_WORDS or (len(word) == 1 and word.isascii()))
