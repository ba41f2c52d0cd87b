"""A trie over words, which finds names in all words of a column at once.

At each word of a text, from left to right, the longest name wins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from labeling.keys.arrays import Ints, Ints32, Mask
from labeling.keys.hash_table import Keys, KeyTable, build_key_table
from labeling.keys.runs import ranges, run_sizes
from labeling.text.accents import accented_words, without_accents
from labeling.text.vocabulary import Vocabulary, build_vocabulary, spelled
from labeling.text.words import Words

COMPOUND_PARTS = 3
"""Parts of a hyphenated word that are also looked up as one word ("t-shirt" as "tshirt")."""


class NameMentions(NamedTuple):
    """Names in a column of words, without overlaps, sorted.

    Name i begins at word ``start[i]`` and has ``n_words[i]`` words; ``name`` is its number in the
    trie. ``is_other`` is true for words that are among the other words of the trie, and
    ``is_plain`` for names of which a word has no accents and the text's word has some.
    """

    start: Ints
    n_words: Ints32
    name: Ints32
    is_other: Mask
    is_plain: Mask


@dataclass(frozen=True, eq=False)
class Trie:
    """Names by their words, numbered in the order in which they were given.

    The state after one word is the code of the word, also for a word that is in no name.

    Attributes
    ----------
    vocabulary
        Codes of the words.
    follows, is_other
        By code: true if the word is in a name after the first word; if it is another known word.
    steps, after
        Keys of a state and one more word, and the state to which each leads.
    name, grows
        By state: the name that ends there, or -1; and true if longer names continue.
    longest
        Largest number of words of a name.
    """

    vocabulary: Vocabulary
    follows: Mask
    steps: KeyTable
    after: Ints
    name: Ints32
    grows: Mask
    longest: int
    is_other: Mask

    def find(self, words: Words) -> NameMentions:
        """Return the names among some words."""
        code = self.vocabulary.codes(words.letters, words.starts, words.ends)
        plain = self._drop_accents(words, code)
        name, length = self._walk(code, words.row)
        self._join_compounds(words, name, length)
        long = np.flatnonzero(length > 1)
        ends = long + length.take(long)
        chosen = _leftmost(long, ends)
        _, covered = ranges(long[chosen] + 1, ends[chosen])
        name[covered] = -1
        start = np.flatnonzero(name >= 0)
        n_words = length.take(start)
        is_plain = np.zeros(len(start), bool)
        around = np.searchsorted(start, plain, "right") - 1
        around = around[plain < (start + n_words)[around]] if len(start) else around[:0]
        is_plain[around[around >= 0]] = True
        return NameMentions(start, n_words, name.take(start), self.is_other.take(code), is_plain)

    def _drop_accents(self, words: Words, code: Ints) -> Ints:
        """Set the codes of words that are known without their accents only; return their indices.

        Accents in a text are looked at where its word is in no name, so that exact names win.
        """
        in_text = accented_words(words)
        accented: Ints = in_text[np.flatnonzero(code.take(in_text) == len(self.vocabulary))]
        if not len(accented):
            return accented
        plain = [without_accents(word) for word in words.take(accented).to_pylist()]
        code[accented] = self.vocabulary.codes(*spelled(plain))
        known: Ints = accented[np.flatnonzero(code.take(accented) < len(self.vocabulary))]
        return known

    def _walk(self, code: Ints, row: Ints) -> tuple[Ints32, Ints32]:
        """Return the longest name from each word on, or -1, and its length in words, or 1."""
        name = self.name.take(code)
        length = np.ones(len(code), np.int32)
        code = np.append(code, len(self.vocabulary))
        start = np.flatnonzero(self.grows.take(code))
        start = start.take(np.flatnonzero(self.follows.take(code.take(start + 1))))
        state = code.take(start)
        for n_words in range(2, self.longest + 1):
            step = self.steps.find(_step(state, code[start + n_words - 1], self.vocabulary))
            left = np.flatnonzero(step >= 0)
            left = left[row[start[left]] == row[start[left] + n_words - 1]]
            start, state = start[left], self.after[step[left]]
            ended = np.flatnonzero(self.name[state] >= 0)
            name[start[ended]] = self.name[state[ended]]
            length[start[ended]] = n_words
            left = np.flatnonzero(self.grows[state] & self.follows[code[start + n_words]])
            start, state = start[left], state[left]
            if not len(start):
                break
        return name, length

    def _join_compounds(self, words: Words, name: Ints32, length: Ints32) -> None:
        """Look up parts of hyphenated words as one word, unless a name as long begins there."""
        start, n_parts, spelling = words.compounds(COMPOUND_PARTS)
        joined = self.name[self.vocabulary.codes(*spelling)]
        longer = (joined >= 0) & (length[start] < n_parts)
        name[start[longer]] = joined[longer]
        length[start[longer]] = n_parts[longer]


def build_trie(names: Iterable[tuple[str, ...]], others: Collection[str] = ()) -> Trie:
    """Return the trie of distinct names, each of at least one word, and of other words.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from labeling.text.words import split_words
    >>> trie = build_trie([("blue",), ("navy", "blue")])
    >>> mentions = trie.find(split_words(pa.array(["Navy-blue or blue?"])))
    >>> mentions.start.tolist(), mentions.name.tolist()
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
        distinct, index = np.unique(step, return_inverse=True)
        state[longer] = n_states + index
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
    """Return the key of a state and one more word."""
    return (state * len(vocabulary) + word).view(np.uint64)


def _leftmost(starts: Ints, ends: Ints) -> Mask:
    """Return ``bool[n]``: the spans that stay if each, from left to right, removes its overlaps.

    Spans that no earlier span overlaps stay, and from each that stays also the first one that
    begins after its end. By pointer jumping, n such steps take log n rounds.
    """
    stays = starts >= np.append(0, np.maximum.accumulate(ends)[:-1])[: len(starts)]
    longest = int(run_sizes(np.flatnonzero(stays), len(starts)).max(initial=1))
    jump = np.append(np.searchsorted(starts, ends), len(starts))
    stays = np.append(stays, False)
    for _ in range((longest - 1).bit_length()):
        stays[jump[np.flatnonzero(stays)]] = True
        jump = jump[jump]
    return stays[:-1]
