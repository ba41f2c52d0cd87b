"""Names found in words: a trie over words, walked for all words of a column at once.

At each place of a text, from left to right, the longest name wins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labeling.vocabulary import Ints, Longs, Vocabulary, build_vocabulary
from labeling.words import Words

COMPOUND_PARTS = 3
"""Parts of a hyphenated word that are also looked up as one word ("t-shirt" as "tshirt")."""

_FILTER_BITS = 20
_MIX = np.uint64(0x9E3779B97F4A7C15)


class Found(NamedTuple):
    """Names in a column of words, none overlapping, by first word.

    ``place`` int64[m] is the first word, ``n_words`` int8[m] their number and ``name`` int32[m] the
    name's number. ``is_other`` bool[n] is by word: whether it is one of the trie's other words.
    """

    place: Longs
    n_words: npt.NDArray[np.int8]
    name: Ints
    is_other: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Trie:
    """Names by their words; a name's number is its place among those that were given.

    The first ``n_openers`` words of the vocabulary are those that open a name: the state after one
    is its code. State ``n_openers + i`` is reached by ``keys[i]``, which is state * (words + 1) +
    word + 1; they are sorted. ``name`` int32 is the name that a state ends, or -1, and ``grows``
    bool whether longer ones go on from it. ``maybe`` bool has for some bits of a key whether a key
    with these exists, which spares most searches. No name has more than ``longest`` words.
    ``is_other`` bool is by word, with one more for a word that is not known.
    """

    vocabulary: Vocabulary
    n_openers: int
    keys: Longs
    name: Ints
    grows: npt.NDArray[np.bool_]
    maybe: npt.NDArray[np.bool_]
    longest: int
    is_other: npt.NDArray[np.bool_]

    def find(self, words: Words) -> Found:
        """Return the names among some words."""
        code = self.vocabulary.codes(words.letters, words.starts, words.ends)
        name, length = self._walk(code, words.row)
        self._join_compounds(words, name, length)
        place = np.flatnonzero(name >= 0)
        place = place.take(np.flatnonzero(_leftmost(place, place + length.take(place))))
        is_other = self.is_other.take(code, mode="wrap")
        return Found(place, length.take(place), name.take(place), is_other)

    def _walk(self, code: Ints, row: Longs) -> tuple[Ints, npt.NDArray[np.int8]]:
        """Return the number and the length in words of the longest name from each word on."""
        name = np.full(len(code), -1, np.int32)
        length = np.zeros(len(code), np.int8)
        code = np.append(code, np.int32(-1))
        place = np.flatnonzero((code >= 0) & (code < self.n_openers))
        state = code.take(place).astype(np.int64)
        for n_words in range(1, self.longest + 1):
            named = self.name.take(state)
            ended = np.flatnonzero(named >= 0)
            name[place.take(ended)] = named.take(ended)
            length[place.take(ended)] = n_words
            growing = np.flatnonzero(self.grows.take(state))
            place, state = place.take(growing), state.take(growing)
            key = state * (len(self.vocabulary) + 1) + code.take(place + n_words) + 1
            going = np.flatnonzero(self.maybe.take(_hashed(key)))
            place, key = place.take(going), key.take(going)
            step = np.searchsorted(self.keys, key)
            going = np.flatnonzero(self.keys.take(step, mode="clip") == key)
            going = going[row[place[going]] == row[place[going] + n_words]]
            place, state = place[going], self.n_openers + step[going]
        return name, length

    def _join_compounds(self, words: Words, name: Ints, length: npt.NDArray[np.int8]) -> None:
        """Look up parts of hyphenated words as one word, where nothing as long is named."""
        place = np.flatnonzero(words.glued) - 1
        for n_parts in range(2, COMPOUND_PARTS + 1):
            place = place[place + n_parts <= len(name)]
            place = place[words.glued[place + n_parts - 1]]
            code = self.vocabulary.codes(*words.joined(place, n_parts))
            opens = (code >= 0) & (code < self.n_openers)
            named = np.full(len(code), -1, np.int32)
            named[opens] = self.name[code[opens]]
            better = (named >= 0) & (length[place] < n_parts)
            name[place[better]] = named[better]
            length[place[better]] = n_parts


def build_trie(names: Iterable[tuple[str, ...]], others: Collection[str] = ()) -> Trie:
    """Return the trie of distinct names, each of at least one word; it knows `others` as well.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from labeling.words import split_words
    >>> trie = build_trie([("blue",), ("navy", "blue")])
    >>> found = trie.find(split_words(pa.array(["Navy-blue or blue?"])))
    >>> found.place.tolist(), found.name.tolist()
    ([0, 3], [1, 0])
    """
    names = list(names)
    openers = {words[0] for words in names}
    later = {word for words in names for word in words}.union(others) - openers
    spelled = [*sorted(openers), *sorted(later)]
    code_of = {word: code for code, word in enumerate(spelled)}
    codes = np.array([code_of[word] for words in names for word in words], np.int64)
    lengths = np.array([len(words) for words in names], np.int64)
    first = np.cumsum(lengths) - lengths
    state = codes[first]
    keys = [np.empty(0, np.int64)]
    n_states = len(openers)
    longest = int(lengths.max(initial=1))
    for depth in range(1, longest):
        longer = np.flatnonzero(lengths > depth)
        key = state[longer] * (len(spelled) + 1) + codes[first[longer] + depth] + 1
        distinct, which = np.unique(key, return_inverse=True)
        state[longer] = n_states + which
        n_states += len(distinct)
        keys.append(distinct)
    is_other = np.array([*(word in others for word in spelled), False])
    return _trie(spelled, len(openers), np.concatenate(keys), state, longest, is_other)


def _trie(
    spelled: list[str],
    n_openers: int,
    keys: Longs,
    ends: Longs,
    longest: int,
    is_other: npt.NDArray[np.bool_],
) -> Trie:
    name = np.full(n_openers + len(keys), -1, np.int32)
    name[ends] = np.arange(len(ends))
    grows = np.zeros(len(name), bool)
    grows[keys // (len(spelled) + 1)] = True
    maybe = np.zeros(1 << _FILTER_BITS, bool)
    maybe[_hashed(keys)] = True
    return Trie(build_vocabulary(spelled), n_openers, keys, name, grows, maybe, longest, is_other)


def _hashed(keys: Longs) -> Longs:
    mixed = keys.view(np.uint64) * _MIX
    return (mixed >> np.uint64(64 - _FILTER_BITS)).view(np.int64)


def _leftmost(starts: Longs, ends: Longs) -> npt.NDArray[np.bool_]:
    """Return which spans stay when each, from left to right, removes those that it overlaps."""
    stays = starts >= np.append(0, np.maximum.accumulate(ends)[:-1])[: len(starts)]
    crowded = np.flatnonzero(~stays | ~np.append(stays[1:], True)[: len(starts)])
    if len(crowded):
        stays[crowded] = _chosen(starts[crowded], ends[crowded], stays[crowded])
    return stays


def _chosen(starts: Longs, ends: Longs, free: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which spans stay, where ``free`` are those that no earlier one overlaps.

    They are those that are reached from a free one, going from each span to the first that begins
    after its end; n steps take log n rounds.
    """
    longest = int(np.diff(np.flatnonzero(free), append=len(starts)).max())
    jump = np.append(np.searchsorted(starts, ends), len(starts))
    stays = np.append(free, False)
    for _ in range(longest.bit_length()):
        stays[jump[np.flatnonzero(stays)]] = True
        jump = jump[jump]
    return stays[:-1]
