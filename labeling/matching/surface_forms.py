"""A taxonomy to the word sequences that name its labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from labeling.keys.arrays import Floats
from labeling.keys.runs import run_starts
from labeling.taxonomy.alternatives import MAX_LEVELS
from labeling.taxonomy.taxonomy import Taxonomy
from labeling.text.inflection import FUNCTION_WORDS, forms
from labeling.text.words import Words, split_words

INFLECTED = 0.9
"""Strength of a match that needed inflection ("short" for "shorts"), where an exact one has 1."""

MODIFIER = 0.5
"""What is left of a mention that only modifies another: the "rock" of "rock wall"."""

Phrase = tuple[str, ...]
"""The words of a name, normalised."""


class Reading(NamedTuple):
    """What a phrase names: labels, sorted, and how strongly it speaks for each, in (0, 1]."""

    labels: tuple[int, ...]
    strengths: tuple[float, ...]


@dataclass(frozen=True)
class Usage:
    """How names are used in some texts (see `labeling.matching.name_statistics`).

    Attributes
    ----------
    stop
        Names that name nothing there.
    phrases
        Fixed phrases, each with the name that it begins with and that only modifies it.
    weight
        ``float64[n_labels]``, above 0: how likely each label is meant by a name that it shares, in
        proportion; all alike by default.
    """

    stop: tuple[Phrase, ...] = ()
    phrases: Mapping[Phrase, Phrase] = field(default_factory=dict)
    weight: Floats | None = None


NO_USAGE = Usage()


def readings(taxonomy: Taxonomy, usage: Usage = NO_USAGE) -> dict[Phrase, Reading]:
    """Return every phrase that names a label, sorted.

    A hyphenated name may also be written as one word. The last word of an English name, or of one
    whose language is not given, may be inflected, unless that is exactly another label's name. A
    name that several labels share is divided among them; what speaks for a label speaks for those
    above it as well. A name that is a function word or a single letter or digit is left out.
    """
    exact: dict[Phrase, set[int]] = defaultdict(set)
    inflected: dict[Phrase, set[int]] = defaultdict(set)
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
    names = {words: (codes, INFLECTED) for words, codes in inflected.items()}
    names |= {words: (codes, 1.0) for words, codes in exact.items()}
    weight = np.ones(len(taxonomy)) if usage.weight is None else usage.weight
    kept = {
        words: _divide(codes, strength, weight, taxonomy)
        for words, (codes, strength) in names.items()
        if not _says_nothing(words) and words not in usage.stop
    }
    for phrase, name in usage.phrases.items():
        if name in kept:
            labels, strengths = kept[name]
            kept.setdefault(phrase, Reading(labels, tuple(MODIFIER * s for s in strengths)))
    return dict(sorted(kept.items()))


def _divide(codes: set[int], strength: float, weight: Floats, taxonomy: Taxonomy) -> Reading:
    labels = tuple(sorted(codes))
    if len(labels) == 1:
        return Reading(labels, (strength,))
    total = sum(weight[code] for code in labels)
    above = {code: taxonomy.above(code, MAX_LEVELS) for code in labels}
    shares = [sum(weight[b] for b in labels if a in above[b]) / total for a in labels]
    return Reading(labels, tuple(float(strength * share) for share in shares))


def _sequences(words: Words) -> Iterator[tuple[int, Phrase]]:
    """Yield the words of each text with its row, and the word that a hyphenated one may become."""
    texts = words.texts()
    order = np.argsort(words.row, kind="stable")
    starts = run_starts(words.row[order]).tolist()
    for start, end in zip(starts, [*starts[1:], len(order)], strict=False):
        sequence = tuple(texts[i] for i in order[start:end])
        row = int(words.row[order[start]])
        yield row, sequence
        if len(sequence) > 1 and words.glued[order[start + 1 : end]].all():
            yield row, ("".join(sequence),)


def _says_nothing(sequence: Phrase) -> bool:
    word = sequence[0]
    return len(sequence) == 1 and (word in FUNCTION_WORDS or (len(word) == 1 and word.isascii()))
