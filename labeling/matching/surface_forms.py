"""The phrases that name the labels of a taxonomy, with the senses of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from labeling.keys.arrays import Floats
from labeling.keys.runs import run_starts
from labeling.taxonomy.alternatives import MAX_LEVELS
from labeling.taxonomy.taxonomy import Taxonomy
from labeling.text.accents import without_accents
from labeling.text.function_words import FUNCTION_WORDS
from labeling.text.inflection import PLURAL_ONLY, inflections, language_code
from labeling.text.words import Words, split_words

INFLECTED = 0.9
"""Strength of a match by inflection ("shirt" for "shirts"); that of an exact match is 1."""

UNACCENTED = 0.8
"""Factor for a match that differs in accents ("cafe" for "café")."""

MODIFIER = 0.5
"""Factor for a mention that modifies another one: the "rock" of "rock wall"."""

PREPOSITIONS = frozenset({"at", "by", "for", "from", "in", "of", "on", "to", "with"})
"""English words before which a name has its head: "birds of prey", "mothers-in-law"."""

_AGENTS = frozenset({"cleaner", "picker", "runner", "washer"})
"""Words before "up" that are the head, which they are not in "cover-up"."""

HEAD_FIRST = ("ast", "ca", "es", "fr", "gl", "it", "pt", "ro")
"""Languages in which a phrase begins with its head: "chaussures de sport"."""

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

    A hyphenated name may also be one word. The head of a name, in English if it has no language,
    may be inflected, and a name may lose its accents, unless that is exactly another label's name.
    A name that several labels share is divided among them by their weights; a label also gets the
    shares of the labels below it. Function words and single letters or digits are left out.
    """
    exact = _exact_phrases(taxonomy)
    inflected = _inflected_phrases(exact)
    named: dict[Phrase, tuple[set[int], float]] = {}
    for strength, phrases in (
        (UNACCENTED * INFLECTED, _without_accents(inflected)),
        (UNACCENTED, _without_accents(exact)),
        (INFLECTED, inflected),
        (1.0, exact),
    ):
        codes_of: dict[Phrase, set[int]] = defaultdict(set)
        for phrase, code, _ in phrases:
            codes_of[phrase].add(code)
        named |= {phrase: (codes, strength) for phrase, codes in codes_of.items()}
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


def lost_names(taxonomy: Taxonomy) -> list[str]:
    """Return a sentence for each name that no text can match, in the order of the labels.

    These are names without a letter or digit ("+"), and those that are only a function word ("in")
    or a single letter or digit ("C++", of which the signs are not words).

    Examples
    --------
    >>> from labeling.taxonomy.taxonomy import Label, build_taxonomy
    >>> names = {"a": "C++", "b": "R&B", "c": "!", "d": "毛"}
    >>> labels = [Label(label_id, ((name, ""),)) for label_id, name in names.items()]
    >>> lost_names(build_taxonomy(labels))
    ["a: no text matches the name 'C++'", "c: no text matches the name '!'"]
    """
    rows = [(code, name) for code, names in enumerate(taxonomy.names) for name, _ in names]
    texts = pa.array([_encodable(name) for _, name in rows], pa.string())
    matched = {row for row, phrase in _phrases(split_words(texts)) if not _is_function_word(phrase)}
    lost = (rows[row] for row in range(len(rows)) if row not in matched)
    return [f"{taxonomy.label_ids[code]}: no text matches the name {name!r}" for code, name in lost]


class _Name(NamedTuple):
    """A phrase that names the label of a code, and its language."""

    phrase: Phrase
    code: int
    language: str


def _exact_phrases(taxonomy: Taxonomy) -> list[_Name]:
    rows = [(c, name, lang) for c, names in enumerate(taxonomy.names) for name, lang in names]
    phrases = _phrases(split_words(pa.array([_encodable(n) for _, n, _ in rows], pa.string())))
    return [_Name(phrase, rows[row][0], rows[row][2] or "en") for row, phrase in phrases]


def _encodable(name: str) -> str:
    """Return a name without lone surrogates, which UTF-8 cannot hold."""
    return name.encode("utf-8", "replace").decode()


def _inflected_phrases(names: Iterable[_Name]) -> list[_Name]:
    """Return the names with other forms of their heads."""
    heads: dict[str, set[str]] = defaultdict(set)
    for name in names:
        heads[name.language].add(name.phrase[_head(name)])
    forms = {language: inflections(frozenset(words), language) for language, words in heads.items()}
    inflected = []
    for name in names:
        head = _head(name)
        word = name.phrase[head]
        is_english, is_alone = language_code(name.language) == "en", len(name.phrase) == 1
        if is_english and is_alone and word in PLURAL_ONLY:
            continue
        is_letter = is_english and not is_alone and len(word) == 1 and "a" <= word <= "z"
        for form in {f"{word}s"} if is_letter else forms[name.language][word]:
            phrase = (*name.phrase[:head], form, *name.phrase[head + 1 :])
            inflected.append(name._replace(phrase=phrase))
    return inflected


def _head(name: _Name) -> int:
    """Return the index of a name's head: its last word, or the one before a preposition."""
    if language_code(name.language) in HEAD_FIRST:
        return 0
    if name.phrase[1:] == ("up",) and name.phrase[0] in _AGENTS:
        return 0
    prepositions = (i for i, word in enumerate(name.phrase[1:]) if word in PREPOSITIONS)
    return next(prepositions, len(name.phrase) - 1)


def _without_accents(names: Iterable[_Name]) -> list[_Name]:
    """Return the names that have accents, without these."""
    accented = (name for name in names if not all(map(str.isascii, name.phrase)))
    return [n._replace(phrase=tuple(map(without_accents, n.phrase))) for n in accented]


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
