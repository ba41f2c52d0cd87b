"""Columns of texts to labels, with equal texts matched once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys.arrays import Floats32, Ints, Ints32
from labeling.keys.runs import ranges, run_starts
from labeling.matching.matcher import Matcher, name_entries
from labeling.taxonomy.taxonomy import Codes
from labeling.text.words import split_words

BATCH_BYTES = 3 << 19
"""Bytes of text in one batch: enough to spread the cost of a call, with little memory."""

WINDOW_BYTES = 1 << 24
"""Bytes of text in one window, within which equal texts are matched once."""

SAMPLE = 16
"""Classes of texts by length modulo this number; distinct texts are counted in the largest."""

DISTINCT = 0.8
"""Share of distinct texts above which finding equal ones takes longer than matching them."""


@dataclass(frozen=True)
class Matches:
    """Labels found in a column of texts, in the order of the texts: arrays of the same length.

    ``row`` is the index of the text, ``label`` the code, ``name`` the number of the name,
    ``strength`` is in (0, 1], ``ambiguity`` is the number of labels that share the name.
    """

    row: Ints
    label: Codes
    name: Ints32
    strength: Floats32
    ambiguity: npt.NDArray[np.int16]


def match_texts(matcher: Matcher, texts: pa.Array | pa.ChunkedArray) -> Matches:
    """Return the labels named in each text, sorted by row and label; null matches nothing.

    A label that is named several times in one text counts once, with the largest strength.
    """
    row, entry = _match_slices(_match_window, matcher, _whole(texts), WINDOW_BYTES)
    return Matches(
        row=row,
        label=matcher.label.take(entry),
        name=matcher.name.take(entry),
        strength=matcher.strength.take(entry),
        ambiguity=matcher.ambiguity.take(entry),
    )


def _whole(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return a column as one array, with ``""`` for null."""
    texts = texts.cast(pa.large_string())
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    return texts.fill_null("") if texts.null_count else texts


def _match_slices(
    match: Callable[[Matcher, pa.Array], tuple[Ints, Ints]],
    matcher: Matcher,
    texts: pa.Array,
    n_bytes: int,
) -> tuple[Ints, Ints]:
    """Return the rows and entries that `match` finds in slices of about `n_bytes` bytes."""
    rows, entries = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    start = 0
    for part in _slices(texts, n_bytes):
        row, entry = match(matcher, part)
        rows.append(row + start)
        entries.append(entry)
        start += len(part)
    return np.concatenate(rows), np.concatenate(entries)


def _slices(texts: pa.Array, n_bytes: int) -> Iterator[pa.Array]:
    reach = np.cumsum(np.asarray(pc.binary_length(texts)))
    start = 0
    while start < len(texts):
        before = reach[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(reach, before + n_bytes, "right")))
        yield texts.slice(start, end - start)
        start = end


def _match_window(matcher: Matcher, texts: pa.Array) -> tuple[Ints, Ints]:
    """Return the row and entry of each named label, sorted; equal texts are matched once."""
    if not _has_repeats(texts):
        return _match_slices(_match_batch, matcher, texts, BATCH_BYTES)
    coded = texts.dictionary_encode()
    row, entry = _match_slices(_match_batch, matcher, coded.dictionary, BATCH_BYTES)
    first = np.searchsorted(row, np.arange(len(coded.dictionary) + 1))
    text = np.asarray(coded.indices)
    repeated, index = ranges(first.take(text), first.take(text + 1))
    return repeated, entry.take(index)


def _has_repeats(texts: pa.Array) -> bool:
    """Return whether enough texts are equal, by those of one class of lengths."""
    # Equal texts have equal lengths, so that one class of lengths holds all copies of its texts.
    of_class = np.asarray(pc.binary_length(texts)) % SAMPLE
    sample = texts.filter(pa.array(of_class == np.argmax(np.bincount(of_class))))
    return len(pc.unique(sample)) <= DISTINCT * len(sample)


def _match_batch(matcher: Matcher, texts: pa.Array) -> tuple[Ints, Ints]:
    words = split_words(texts)
    mentions = matcher.trie.find(words)
    mention, entry = name_entries(matcher, words, mentions)
    bits = len(matcher.label).bit_length()
    key = (words.row.take(mentions.start) << bits).take(mention) | entry
    key = np.sort(key)
    row, entry = key >> bits, key & ((1 << bits) - 1)
    label = matcher.label.take(entry)
    best = run_starts(row, label)
    return row.take(best), entry.take(best)
