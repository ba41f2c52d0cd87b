"""Texts to labels: whole words, longest name first, light English inflection.

Names and texts go through `normalise` alike, so that a name matches however it was typed. At each
place of a text the longest name wins ("navy blue" is not "blue"). A name that several labels share
gives evidence to each of them, divided by their number.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeling.taxonomy import Codes, Taxonomy

MAX_TEXT = 10_000
"""Characters of a text that are read; web texts beyond it are lists of keywords."""

INFLECTED = 0.9
"""Strength of a match that needed inflection ("short" for "shorts"), where an exact one has 1."""

COMPOUND_PARTS = 3
"""Parts of a hyphenated word that are also looked up as one word ("t-shirt" as "tshirt")."""

_COMPOUND = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_PART = re.compile(r"[^\W_]+")


@dataclass(frozen=True, eq=False)
class Matcher:
    """Names of a taxonomy, compiled: word sequences to the codes of the labels they name.

    ``longest`` is the number of words that are looked up together.
    """

    exact: Mapping[tuple[str, ...], tuple[int, ...]]
    inflected: Mapping[tuple[str, ...], tuple[int, ...]]
    longest: int


@dataclass(frozen=True)
class Matches:
    """Labels found in a column of texts, in the order of the texts.

    ``row`` int64[m] is the text's place, ``label`` int32[m] the code, ``strength`` float32[m] in
    (0, 1], ``ambiguity`` int16[m] the number of labels that share the matched name.
    """

    row: npt.NDArray[np.int64]
    label: Codes
    strength: npt.NDArray[np.float32]
    ambiguity: npt.NDArray[np.int16]


def normalise(text: str) -> str:
    r"""Return a text as it is compared: NFKC, format characters removed, case folded.

    Examples
    --------
    >>> normalise("Ｎavy\u200b BLUE")
    'navy blue'
    """
    folded = unicodedata.normalize("NFKC", text[:MAX_TEXT]).casefold()
    if folded.isascii():
        return folded
    kept = "".join(c for c in folded if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFKC", kept)


def singular(word: str) -> str:
    """Return the word without an English plural ending.

    Examples
    --------
    >>> [singular(w) for w in ("cherries", "buses", "apples", "glass", "bus", "is")]
    ['cherry', 'bus', 'apple', 'glass', 'bus', 'is']
    """
    if len(word) <= 3 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes", "uses")):
        return word[:-2]
    return word[:-1]


def compile_matcher(taxonomy: Taxonomy) -> Matcher:
    """Compile every name of a taxonomy.

    Examples
    --------
    >>> from labeling.taxonomy import Label, build_taxonomy
    >>> blue = Label("blue", (("blue", "en"),), (), None, 1)
    >>> navy = Label("navy", (("navy blue", "en"),), (), None, 2)
    >>> matcher = compile_matcher(build_taxonomy([blue, navy], "doctest"))
    >>> [label for label, strength, ambiguity in find(matcher, "A Navy-Blue shirt, blues")]
    [1, 0]
    """
    exact: dict[tuple[str, ...], set[int]] = defaultdict(set)
    inflected: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for code, names in enumerate(taxonomy.names):
        for name, _ in names:
            for words in _readings(normalise(name)):
                exact[words].add(code)
                inflected[_singular_last(words)].add(code)
    longest = max((len(words) for words in exact), default=0)
    return Matcher(_freeze(exact), _freeze(inflected), max(longest, COMPOUND_PARTS))


def find(matcher: Matcher, text: str) -> Iterator[tuple[int, float, int]]:
    """Yield (label code, strength, ambiguity) for each name found in a text, left to right."""
    words, compounds = _words(normalise(text))
    place = 0
    while place < len(words):
        for length in range(min(matcher.longest, len(words) - place), 0, -1):
            labels, strength = _look_up(matcher, words, compounds, place, length)
            if labels:
                for label in labels:
                    yield label, strength / len(labels), len(labels)
                break
        else:
            length = 1
        place += length


def match_texts(matcher: Matcher, texts: pa.Array | pa.ChunkedArray) -> Matches:
    """Return the labels named in each text; a label named twice in one text counts once.

    Equal texts are matched once, however often they stand in the column; null matches nothing.
    """
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    encoded = column.dictionary_encode()
    found = [_best(matcher, text) for text in encoded.dictionary.to_pylist()]
    n_found = np.array([len(f) for f in found], np.int64)
    flat = np.array([m for f in found for m in f], np.float64).reshape(-1, 3)
    starts = np.concatenate([[0], np.cumsum(n_found)])
    valid = np.flatnonzero(np.asarray(encoded.indices.is_valid(), bool))
    text_of = np.asarray(encoded.indices.drop_null(), np.int64)
    repeats = n_found[text_of] if len(text_of) else np.empty(0, np.int64)
    row = np.repeat(valid, repeats)
    within = np.arange(len(row)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    picked = flat[np.repeat(starts[text_of], repeats) + within] if len(row) else flat[:0]
    return Matches(
        row=row,
        label=picked[:, 0].astype(np.int32),
        strength=picked[:, 1].astype(np.float32),
        ambiguity=picked[:, 2].astype(np.int16),
    )


def _best(matcher: Matcher, text: str) -> list[tuple[int, float, int]]:
    best: dict[int, tuple[float, int]] = {}
    for label, strength, ambiguity in find(matcher, text):
        if label not in best or strength > best[label][0]:
            best[label] = (strength, ambiguity)
    return [(label, *best[label]) for label in sorted(best)]


def _look_up(
    matcher: Matcher, words: list[str], compounds: list[int], place: int, length: int
) -> tuple[tuple[int, ...], float]:
    span = tuple(words[place : place + length])
    if span in matcher.exact:
        return matcher.exact[span], 1.0
    inflected = _singular_last(span)
    if inflected in matcher.inflected:
        return matcher.inflected[inflected], INFLECTED
    if length > 1 and compounds[place] == compounds[place + length - 1]:
        joined = ("".join(span),)
        if joined in matcher.exact:
            return matcher.exact[joined], 1.0
        return matcher.inflected.get(_singular_last(joined), ()), INFLECTED
    return (), 0.0


def _words(text: str) -> tuple[list[str], list[int]]:
    """Return the words of a normalised text, and for each the compound that it is a part of."""
    words: list[str] = []
    compounds: list[int] = []
    for number, compound in enumerate(_COMPOUND.findall(text)):
        parts = _PART.findall(compound)
        if len(parts) > 1 and parts[-1] == "s" and compound[-2] in "'’":
            parts.pop()
        words += parts
        compounds += [number] * len(parts)
    return words, compounds


def _readings(name: str) -> Iterator[tuple[str, ...]]:
    """Yield a name's words, and for a hyphenated name also the one word it may be written as."""
    words, compounds = _words(name)
    if words:
        yield tuple(words)
    if len(words) > 1 and len(set(compounds)) == 1:
        yield ("".join(words),)


@functools.lru_cache(maxsize=1 << 16)
def _singular_last(words: tuple[str, ...]) -> tuple[str, ...]:
    return (*words[:-1], singular(words[-1]))


def _freeze(
    index: Mapping[tuple[str, ...], set[int]],
) -> dict[tuple[str, ...], tuple[int, ...]]:
    return {words: tuple(sorted(codes)) for words, codes in index.items()}
