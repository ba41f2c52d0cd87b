"""The phrases that name the labels of a taxonomy, with the senses of each."""

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
"""Strength of a match by inflection ("short" for "shorts"); that of an exact match is 1."""

MODIFIER = 0.5
"""Factor for a mention that modifies another one: the "rock" of "rock wall"."""

Phrase = tuple[str, ...]
"""The words of a name, normalised."""


class Senses(NamedTuple):
    """The labels that a phrase names, sorted, and the strength for each, in (0, 1]."""

    labels: tuple[int, ...]
    strengths: tuple[float, ...]


@dataclass(frozen=True)
class NameStatistics:
    """The use of names in some texts (see `labeling.matching.name_statistics`).

    Attributes
    ----------
    stop
        Names that do not mean their labels in these texts.
    phrases
        Fixed phrases, each with the name at its beginning, which only modifies it.
    weight
        ``float64[n_labels]``, above 0: relative frequencies of the labels as senses of a name that
        they share; equal by default.
    """

    stop: tuple[Phrase, ...] = ()
    phrases: Mapping[Phrase, Phrase] = field(default_factory=dict)
    weight: Floats | None = None


NO_STATISTICS = NameStatistics()


def surface_forms(
    taxonomy: Taxonomy, statistics: NameStatistics = NO_STATISTICS
) -> dict[Phrase, Senses]:
    """Return every phrase that names a label, sorted.

    A hyphenated name may also be one word. The last word of an English name, or of one without a
    language, may be inflected, unless that is exactly another label's name. A name that several
    labels share is divided among them by their weights; a label also gets the shares of the labels
    below it. Function words and single letters or digits are left out.
    """
    exact: dict[Phrase, set[int]] = defaultdict(set)
    inflected: dict[Phrase, set[int]] = defaultdict(set)
    rows = [(c, name, lang) for c, names in enumerate(taxonomy.names) for name, lang in names]
    # Lone surrogates, which UTF-8 cannot hold, are replaced.
    texts = [name.encode("utf-8", "replace").decode() for _, name, _ in rows]
    for row, phrase in _phrases(split_words(pa.array(texts, pa.string()))):
        code, _, language = rows[row]
        exact[phrase].add(code)
        if language == "" or language.startswith("en"):
            for last in forms(phrase[-1]):
                inflected[(*phrase[:-1], last)].add(code)
    named = {phrase: (codes, INFLECTED) for phrase, codes in inflected.items()}
    named |= {phrase: (codes, 1.0) for phrase, codes in exact.items()}
    weight = np.ones(len(taxonomy)) if statistics.weight is None else statistics.weight
    kept = {
        phrase: _divide(codes, strength, weight, taxonomy)
        for phrase, (codes, strength) in named.items()
        if not _is_function_word(phrase) and phrase not in statistics.stop
    }
    for phrase, name in statistics.phrases.items():
        if name in kept:
            labels, strengths = kept[name]
            kept.setdefault(phrase, Senses(labels, tuple(MODIFIER * s for s in strengths)))
    return dict(sorted(kept.items()))


def _divide(codes: set[int], strength: float, weight: Floats, taxonomy: Taxonomy) -> Senses:
    labels = tuple(sorted(codes))
    if len(labels) == 1:
        return Senses(labels, (strength,))
    total = sum(weight[code] for code in labels)
    above = {code: taxonomy.above(code, MAX_LEVELS) for code in labels}
    shares = [sum(weight[b] for b in labels if a in above[b]) / total for a in labels]
    return Senses(labels, tuple(float(strength * share) for share in shares))


def _phrases(words: Words) -> Iterator[tuple[int, Phrase]]:
    """Yield the row and the words of each text; of a hyphenated one, also the joined word."""
    texts = words.texts()
    order = np.argsort(words.row, kind="stable")
    starts = run_starts(words.row[order]).tolist()
    for start, end in zip(starts, [*starts[1:], len(order)], strict=False):
        phrase = tuple(texts[i] for i in order[start:end])
        row = int(words.row[order[start]])
        yield row, phrase
        if len(phrase) > 1 and words.glued[order[start + 1 : end]].all():
            yield row, ("".join(phrase),)


def _is_function_word(phrase: Phrase) -> bool:
    word = phrase[0]
    return len(phrase) == 1 and (word in FUNCTION_WORDS or (len(word) == 1 and word.isascii()))
