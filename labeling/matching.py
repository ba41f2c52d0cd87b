"""Texts to labels: whole words, longest name first, light English inflection.

Names and texts go through `labeling.words` alike, so that a name matches however it was typed. At
each place of a text, from left to right, the longest name wins ("navy blue" is not "blue"). A name
that several labels share gives evidence to each of them, divided by their number.

The names are compiled to a trie over words, which is walked for all words of a column at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling.inflection import FUNCTION_WORDS, forms
from labeling.taxonomy import Codes, Taxonomy
from labeling.trie import Trie, build_trie
from labeling.vocabulary import Ints, Longs
from labeling.words import Words, normalise, ranges, split_words

__all__ = ["INFLECTED", "Matcher", "Matches", "compile_matcher", "find", "match_texts", "normalise"]

INFLECTED = 0.9
"""Strength of a match that needed inflection ("short" for "shorts"), where an exact one has 1."""

BATCH_BYTES = 3 << 19
"""Bytes of text that are matched together: enough to spread the cost of a call, little memory."""

WINDOW_BYTES = 1 << 24
"""Bytes of text among which equal texts are matched once."""

SAMPLE = 16
"""Classes of texts by their length, of which one is asked how many texts are equal."""

DISTINCT = 0.8
"""Share of distinct texts above which it takes longer to find equal ones than to match them."""


@dataclass(frozen=True, eq=False)
class Matcher:
    """Names of a taxonomy, compiled to a trie over words, with what each says.

    An entry is one name's evidence for one label. They are sorted by label, and among these the
    best first: ``label`` int32, ``strength`` float32 in (0, 1], and ``ambiguity`` int16, the number
    of labels that share the name. Name f has the entries ``entry[first[f]:first[f + 1]]``.
    """

    trie: Trie
    first: Longs
    entry: Ints
    label: Codes
    strength: npt.NDArray[np.float32]
    ambiguity: npt.NDArray[np.int16]


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


Names = Mapping[tuple[str, ...], tuple[tuple[int, ...], float]]
"""Word sequences with the labels that they name, sorted, and the strength of doing so."""


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
    names = readings(taxonomy)
    n_labels = np.array([len(labels) for labels, _ in names.values()], np.int64)
    label = np.array([code for labels, _ in names.values() for code in labels], np.int32)
    ambiguity = np.repeat(n_labels, n_labels)
    strength = np.repeat([strength for _, strength in names.values()], n_labels) / ambiguity
    order = np.argsort(label, kind="stable")
    entry = np.empty(len(label), np.int32)
    entry[order] = np.arange(len(label))
    return Matcher(
        trie=build_trie(names),
        first=np.append(0, np.cumsum(n_labels)),
        entry=entry,
        label=label[order],
        strength=strength[order].astype(np.float32),
        ambiguity=ambiguity[order].astype(np.int16),
    )


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


def find(matcher: Matcher, text: str) -> Iterator[tuple[int, float, int]]:
    """Yield (label code, strength, ambiguity) for each name found in a text, left to right."""
    _, names = matcher.trie.find(split_words(pa.array([_sound(text)], pa.string())))
    for name in names:
        entries = matcher.entry[matcher.first[name] : matcher.first[name + 1]]
        for entry in entries:
            strength = round(float(matcher.strength[entry]), 7)
            yield int(matcher.label[entry]), strength, int(matcher.ambiguity[entry])


def match_texts(matcher: Matcher, texts: pa.Array | pa.ChunkedArray) -> Matches:
    """Return the labels named in each text, sorted by row and label; null matches nothing.

    A label that is named twice in one text counts once, by the name that fewest labels share, and
    among these by one that is not inflected.
    """
    rows, entries = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    begin = 0
    for window in _pieces(_whole(texts), WINDOW_BYTES):
        row, entry = _match_window(matcher, window)
        rows.append(row + begin)
        entries.append(entry)
        begin += len(window)
    entry = np.concatenate(entries)
    return Matches(
        row=np.concatenate(rows),
        label=matcher.label.take(entry),
        strength=matcher.strength.take(entry),
        ambiguity=matcher.ambiguity.take(entry),
    )


def _whole(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a column as one array of texts, empty where it is null."""
    texts = texts.cast(pa.large_string())
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    return texts.fill_null("") if texts.null_count else texts


def _pieces(texts: pa.Array, n_bytes: int) -> Iterator[pa.Array]:
    """Yield the texts in slices of about so many bytes."""
    reach = np.cumsum(np.asarray(pc.binary_length(texts)))
    start = 0
    while start < len(texts):
        begun = reach[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(reach, begun + n_bytes, "right")))
        yield texts.slice(start, end - start)
        start = end


def _match_window(matcher: Matcher, texts: pa.Array) -> tuple[Longs, Longs]:
    """Return row and entry of each label named, sorted by both; equal texts are matched once."""
    if not _repeat(texts):
        return _match_distinct(matcher, texts)
    coded = texts.dictionary_encode()
    row, entry = _match_distinct(matcher, coded.dictionary)
    first = np.searchsorted(row, np.arange(len(coded.dictionary) + 1))
    text = np.asarray(coded.indices)
    repeated, place = ranges(first.take(text), first.take(text + 1))
    return repeated, entry.take(place)


def _repeat(texts: pa.Array) -> bool:
    """Return whether enough texts are equal that finding them pays: equal ones are as long."""
    of_class = np.asarray(pc.binary_length(texts)) % SAMPLE
    sample = texts.filter(pa.array(of_class == np.argmax(np.bincount(of_class))))
    return len(pc.unique(sample)) <= DISTINCT * len(sample)


def _match_distinct(matcher: Matcher, texts: pa.Array) -> tuple[Longs, Longs]:
    rows, entries = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    begin = 0
    for batch in _pieces(texts, BATCH_BYTES):
        row, entry = _match_batch(matcher, batch)
        rows.append(row + begin)
        entries.append(entry)
        begin += len(batch)
    return np.concatenate(rows), np.concatenate(entries)


def _match_batch(matcher: Matcher, texts: pa.Array) -> tuple[Longs, Longs]:
    words = split_words(texts)
    place, name = matcher.trie.find(words)
    found, at = ranges(matcher.first.take(name), matcher.first.take(name + 1))
    bits = len(matcher.label).bit_length()
    key = (words.row.take(place) << bits).take(found) | matcher.entry.take(at)
    key = np.sort(key, kind="stable")
    row, entry = key >> bits, key & ((1 << bits) - 1)
    label = matcher.label.take(entry)
    again = (label[1:] == label[:-1]) & (row[1:] == row[:-1])
    best = np.append(0, np.flatnonzero(~again) + 1)[: len(row)]
    return row.take(best), entry.take(best)


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


def _sound(text: str) -> str:
    """Return a text with lone surrogates, which UTF-8 cannot hold, replaced."""
    return text.encode("utf-8", "replace").decode()


def _says_nothing(sequence: tuple[str, ...]) -> bool:
    word = sequence[0]
    return len(sequence) == 1 and (word in FUNCTION_WORDS or (len(word) == 1 and word.isascii()))
