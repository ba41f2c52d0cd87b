"""Texts to labels: whole words, longest name first, light English inflection.

Names and texts go through `labeling.text.words` alike, so that a name matches however it was typed.
At each place of a text, from left to right, the longest name wins ("navy blue" is not "blue"). A
name that several labels share gives evidence to each of them, divided among them.

The head of an English phrase is its end: of two alternatives (`labeling.taxonomy.alternatives`) in
one phrase, with no punctuation or function word between them, the first says what the second is
like or is for ("rock wall", "baseball cap", "Pepe Jeans sunglasses"; Quirk et al., A Comprehensive
Grammar of the English Language, 1985, sections 17.94 and 17.104). It counts as half a mention.

The names are compiled to a trie over words, which is walked for all words of a column at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys.arrays import Floats32, Ints, Ints32, Mask
from labeling.keys.runs import ranges, run_starts
from labeling.matching.surface_forms import MODIFIER, NO_USAGE, Reading, Usage, readings
from labeling.taxonomy.alternatives import Kinds, find_kinds
from labeling.taxonomy.taxonomy import Codes, Taxonomy
from labeling.text.inflection import FUNCTION_WORDS
from labeling.text.trie import Found, Trie, build_trie
from labeling.text.words import Words, normalise, split_words

__all__ = ["Matcher", "Matches", "compile_matcher", "find", "match_texts", "normalise"]

MAX_AHEAD = 4
"""Mentions after one, in the same phrase, that it may modify."""

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

    An entry is the evidence of one name, as a mention or as a modifier, for one label. They are
    sorted by label, and among these the best first: ``label`` int32, ``strength`` float32 in
    (0, 1], ``ambiguity`` int16, the number of labels that share the name, and ``name`` int32. Name
    f speaks for ``labels[first[f]:first[f + 1]]``, with the entries ``entry`` as a mention and
    ``modifier`` as a modifier; ``likeliest`` int32 is the one that it speaks for most.
    """

    trie: Trie
    kinds: Kinds
    first: Ints
    labels: Codes
    entry: Ints32
    modifier: Ints32
    likeliest: Codes
    label: Codes
    strength: Floats32
    ambiguity: npt.NDArray[np.int16]
    name: Ints32

    def __repr__(self) -> str:
        return f"<Matcher of {len(self.likeliest):,} names>"


@dataclass(frozen=True)
class Matches:
    """Labels found in a column of texts, in the order of the texts.

    ``row`` int64[m] is the text's place, ``label`` int32[m] the code, ``name`` int32[m] the number
    of the name, ``strength`` float32[m] in (0, 1], ``ambiguity`` int16[m] the number of labels that
    share the name.
    """

    row: Ints
    label: Codes
    name: Ints32
    strength: Floats32
    ambiguity: npt.NDArray[np.int16]


def compile_matcher(taxonomy: Taxonomy, usage: Usage = NO_USAGE) -> Matcher:
    """Compile every name of a taxonomy for `find`.

    Parameters
    ----------
    taxonomy
        The labels and their names.
    usage
        Statistics of the names in many texts; without them every name is matched as it is.

    Examples
    --------
    >>> from labeling.taxonomy.taxonomy import Label, build_taxonomy
    >>> blue = Label("blue", (("blue", "en"),), (), None, 1)
    >>> navy = Label("navy", (("navy blue", "en"),), (), None, 2)
    >>> matcher = compile_matcher(build_taxonomy([blue, navy], "doctest"))
    >>> [label for label, strength, ambiguity in find(matcher, "A Navy-Blue shirt, blues")]
    [1, 0]
    """
    names = readings(taxonomy, usage)
    n_labels = np.array([len(reading.labels) for reading in names.values()], np.int64)
    labels = np.array([code for reading in names.values() for code in reading.labels], np.int32)
    strength = np.array([s for reading in names.values() for s in reading.strengths])
    strength = np.concatenate([strength, MODIFIER * strength])
    order = np.lexsort((-strength, np.tile(labels, 2)))
    entry = np.empty(len(order), np.int32)
    entry[order] = np.arange(len(order))
    of_name = np.tile(np.repeat(np.arange(len(names)), n_labels), 2)[order]
    return Matcher(
        trie=build_trie(names, FUNCTION_WORDS),
        kinds=find_kinds(taxonomy),
        first=np.append(0, np.cumsum(n_labels)),
        labels=labels,
        entry=entry[: len(labels)],
        modifier=entry[len(labels) :],
        likeliest=np.array([_likeliest(reading) for reading in names.values()], np.int32),
        label=np.tile(labels, 2)[order],
        strength=strength[order].astype(np.float32),
        ambiguity=n_labels[of_name].astype(np.int16),
        name=of_name.astype(np.int32),
    )


def _likeliest(reading: Reading) -> int:
    return max(zip(reading.strengths, reading.labels, strict=True), key=lambda pair: pair[0])[1]


def find(matcher: Matcher, text: str) -> Iterator[tuple[int, float, int]]:
    """Yield (label code, strength, ambiguity) for each name found in a text, left to right.

    The code is the label's position in `Taxonomy.label_ids`, strength is in (0, 1], and ambiguity
    is the number of labels that share the name.
    """
    words = split_words(pa.array([_sound(text)], pa.string()))
    for entry in _entries(matcher, words, matcher.trie.find(words))[1].tolist():
        strength = round(float(matcher.strength[entry]), 7)
        yield int(matcher.label[entry]), strength, int(matcher.ambiguity[entry])


def match_texts(matcher: Matcher, texts: pa.Array | pa.ChunkedArray) -> Matches:
    """Return the labels named in each text, sorted by row and label; null matches nothing.

    A label that is named several times in one text counts once, as strongly as at best.
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
        name=matcher.name.take(entry),
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


def _match_window(matcher: Matcher, texts: pa.Array) -> tuple[Ints, Ints]:
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


def _match_distinct(matcher: Matcher, texts: pa.Array) -> tuple[Ints, Ints]:
    rows, entries = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    begin = 0
    for batch in _pieces(texts, BATCH_BYTES):
        row, entry = _match_batch(matcher, batch)
        rows.append(row + begin)
        entries.append(entry)
        begin += len(batch)
    return np.concatenate(rows), np.concatenate(entries)


def _match_batch(matcher: Matcher, texts: pa.Array) -> tuple[Ints, Ints]:
    words = split_words(texts)
    found = matcher.trie.find(words)
    mention, entry = _entries(matcher, words, found)
    bits = len(matcher.label).bit_length()
    key = (words.row.take(found.place) << bits).take(mention) | entry
    key = np.sort(key, kind="stable")
    row, entry = key >> bits, key & ((1 << bits) - 1)
    label = matcher.label.take(entry)
    best = run_starts(row, label)
    return row.take(best), entry.take(best)


def _entries(matcher: Matcher, words: Words, found: Found) -> tuple[Ints, Ints]:
    """Return the mention and the entry of each label that is named."""
    mention, at = ranges(matcher.first.take(found.name), matcher.first.take(found.name + 1))
    entry = matcher.entry.take(at)
    modifies = np.flatnonzero(_modifying(matcher, words, found).take(mention))
    entry[modifies] = matcher.modifier.take(at.take(modifies))
    return mention, entry.astype(np.int64)


def _modifying(matcher: Matcher, words: Words, found: Found) -> Mask:
    """Return which mentions modify a later one of their phrase."""
    begins, ends = phrases(words, found)
    modifies = np.zeros(len(begins), bool)
    for ahead in range(1, MAX_AHEAD + 1):
        here = np.flatnonzero((begins[ahead:] == ends[:-ahead]) & ~modifies[:-ahead])
        if not len(here):
            break
        name = found.name.take(here)
        modifies[here] = alternatives(matcher, name, found.name.take(here + ahead))
    return modifies


def phrases(words: Words, found: Found) -> tuple[Ints32, Ints32]:
    """Return for each mention the phrase in which it begins and in which it ends.

    Words are of one phrase if these numbers are equal: no punctuation and no function word stands
    between them.
    """
    closed, parts = np.cumsum(found.is_other, dtype=np.int32), words.parts()
    begins = parts.take(words.starts.take(found.place)) + closed.take(found.place)
    ends = begins.copy()
    long = np.flatnonzero(found.n_words > 1)
    last = found.place[long] + found.n_words[long] - 1
    ends[long] = parts[words.starts[last]] + closed[last]
    return begins, ends


def alternatives(matcher: Matcher, a: Ints32, b: Ints32) -> Mask:
    """Return ``bool[n]``: which pairs of names name alternatives, in their likeliest senses."""
    return matcher.kinds.alternatives(matcher.likeliest.take(a), matcher.likeliest.take(b))


def _sound(text: str) -> str:
    """Return a text with lone surrogates, which UTF-8 cannot hold, replaced."""
    return text.encode("utf-8", "replace").decode()
