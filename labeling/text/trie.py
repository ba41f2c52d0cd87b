"""Names found in words: a trie over words, walked for all words of a column at once.

At each place of a text, from left to right, the longest name wins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from labeling.keys.arrays import Ints, Ints32, Mask
from labeling.keys.hash_table import Keys, KeyTable, build_key_table
from labeling.keys.runs import ranges, run_sizes
from labeling.text.vocabulary import Vocabulary, build_vocabulary, spelled
from labeling.text.words import Words

COMPOUND_PARTS = 3
"""Parts of a hyphenated word that are also looked up as one word ("t-shirt" as "tshirt")."""


class Found(NamedTuple):
    """Names in a column of words, none overlapping, by first word.

    ``place`` int64[m] is the first word, ``n_words`` int32[m] their number and ``name`` int32[m]
    the name's number. ``is_other`` bool[n] is by word: whether it is of the trie's other words.
    """

    place: Ints
    n_words: Ints32
    name: Ints32
    is_other: Mask


@dataclass(frozen=True, eq=False)
class Trie:
    """Names by their words; a name's number is its place among those that were given.

    The state after one word is its code, also where that is the code of other words. The way from
    a state by one more word is a key of ``steps``, and ``after`` int64 the state that each leads
    to. By state, ``name`` int32 is the name that ends there, or -1, and ``grows`` bool whether
    longer ones go on. ``follows`` bool is by word whether it stands in a name after the first. No
    name has more than ``longest`` words. ``is_other`` bool is by word, too.
    """

    vocabulary: Vocabulary
    follows: Mask
    steps: KeyTable
    after: Ints
    name: Ints32
    grows: Mask
    longest: int
    is_other: Mask

    def find(self, words: Words) -> Found:
        """Return the names among some words."""
        code = self.vocabulary.codes(words.letters, words.starts, words.ends)
        name, length = self._walk(code, words.row)
        self._join_compounds(words, name, length)
        long = np.flatnonzero(length > 1)
        ends = long + length.take(long)
        chosen = _leftmost(long, ends)
        _, covered = ranges(long[chosen] + 1, ends[chosen])
        name[covered] = -1
        place = np.flatnonzero(name >= 0)
        return Found(place, length.take(place), name.take(place), self.is_other.take(code))

    def _walk(self, code: Ints, row: Ints) -> tuple[Ints32, Ints32]:
        """Return the longest name from each word on, or -1, and its length in words, or 1."""
        name = self.name.take(code)
        length = np.ones(len(code), np.int32)
        code = np.append(code, len(self.vocabulary))
        place = np.flatnonzero(self.grows.take(code))
        place = place.take(np.flatnonzero(self.follows.take(code.take(place + 1))))
        state = code.take(place)
        for n_words in range(2, self.longest + 1):
            step = self.steps.find(_step(state, code[place + n_words - 1], self.vocabulary))
            going = np.flatnonzero(step >= 0)
            going = going[row[place[going]] == row[place[going] + n_words - 1]]
            place, state = place[going], self.after[step[going]]
            ended = np.flatnonzero(self.name[state] >= 0)
            name[place[ended]] = self.name[state[ended]]
            length[place[ended]] = n_words
            going = np.flatnonzero(self.grows[state] & self.follows[code[place + n_words]])
            place, state = place[going], state[going]
            if not len(place):
                break
        return name, length

    def _join_compounds(self, words: Words, name: Ints32, length: Ints32) -> None:
        """Look up parts of hyphenated words as one word, where nothing as long is named."""
        place, n_parts, spelling = words.compounds(COMPOUND_PARTS)
        code = self.vocabulary.codes(*spelling)
        named = self.name[code]
        better = (named >= 0) & (length[place] < n_parts)
        name[place[better]] = named[better]
        length[place[better]] = n_parts[better]


def build_trie(names: Iterable[tuple[str, ...]], others: Collection[str] = ()) -> Trie:
    """Return the trie of distinct names, each of at least one word; it knows `others` as well.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from labeling.text.words import split_words
    >>> trie = build_trie([("blue",), ("navy", "blue")])
    >>> found = trie.find(split_words(pa.array(["Navy-blue or blue?"])))
    >>> found.place.tolist(), found.name.tolist()
    ([0, 3], [1, 0])
    """
    names = list(names)
    known = {word for words in names for word in words}.union(others)
    vocabulary = build_vocabulary(sorted(known))
    codes = vocabulary.codes(*spelled([word for words in names for word in words]))
    lengths = np.array([len(words) for words in names], np.int64)
    first = np.cumsum(lengths) - lengths
    follows = np.zeros(len(vocabulary) + 1, bool)
    follows[np.delete(codes, first)] = True
    is_other = np.zeros(len(vocabulary) + 1, bool)
    is_other[vocabulary.codes(*spelled(sorted(others)))] = True
    longest = int(lengths.max(initial=1))
    state, n_states = codes[first], len(vocabulary) + 1
    keys = [np.empty(0, np.uint64)]
    for depth in range(1, longest):
        longer = np.flatnonzero(lengths > depth)
        step = _step(state[longer], codes[first[longer] + depth], vocabulary)
        distinct, which = np.unique(step, return_inverse=True)
        state[longer] = n_states + which
        n_states += len(distinct)
        keys.append(distinct)
    return _trie(vocabulary, follows, np.concatenate(keys), state, longest, is_other)


def _trie(
    vocabulary: Vocabulary,
    follows: Mask,
    keys: Keys,
    ends: Ints,
    longest: int,
    is_other: Mask,
) -> Trie:
    steps = build_key_table(keys)
    after = np.empty(len(keys), np.int64)
    after[steps.find(keys)] = len(vocabulary) + 1 + np.arange(len(keys))
    name = np.full(len(vocabulary) + len(keys) + 1, -1, np.int32)
    name[ends] = np.arange(len(ends))
    grows = np.zeros(len(name), bool)
    if len(keys):
        grows[(keys // np.uint64(len(vocabulary))).astype(np.int64)] = True
    return Trie(vocabulary, follows, steps, after, name, grows, longest, is_other)


def _step(state: Ints, word: Ints, vocabulary: Vocabulary) -> Keys:
    """Return the key of the way from a state by one more word."""
    return (state * len(vocabulary) + word).view(np.uint64)


def _leftmost(starts: Ints, ends: Ints) -> Mask:
    """Return which spans stay when each, from left to right, removes those that it overlaps.

    They are those that are reached from a span that no earlier one overlaps, going from each to the
    first that begins after its end; n steps take log n rounds.
    """
    stays = starts >= np.append(0, np.maximum.accumulate(ends)[:-1])[: len(starts)]
    longest = int(run_sizes(np.flatnonzero(stays), len(starts)).max(initial=1))
    jump = np.append(np.searchsorted(starts, ends), len(starts))
    stays = np.append(stays, False)
    for _ in range((longest - 1).bit_length()):
        stays[jump[np.flatnonzero(stays)]] = True
        jump = jump[jump]
    return stays[:-1]
