"""Texts to labels: whole words, longest name first, light English inflection.

Names and texts go through `labeling.words` alike, so that a name matches however it was typed. At
each place of a text, from left to right, the longest name wins ("navy blue" is not "blue"). A name
that several labels share gives evidence to each of them, divided among them.

The head of an English phrase is its end: of two alternatives (`labeling.kinds`) in one phrase, with
no punctuation or function word between them, the first says what the second is like or is for
("rock wall", "baseball cap", "Pepe Jeans sunglasses"; Quirk et al., A Comprehensive Grammar of the
English Language, 1985, sections 17.94 and 17.104). It counts as half a mention.

The names are compiled to a trie over words, which is walked for all words of a column at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling.inflection import FUNCTION_WORDS
from labeling.kinds import Kinds, find_kinds
from labeling.names import MODIFIER, NO_USAGE, Usage, readings
from labeling.taxonomy import Codes, Taxonomy
from labeling.vocabulary import Longs, Vocabulary, build_vocabulary
from labeling.words import Words, normalise, split_words

__all__ = ["Matcher", "Matches", "compile_matcher", "find", "match_texts", "normalise"]

MAX_AHEAD = 4
"""Mentions after one, in the same phrase, that it may modify."""

COMPOUND_PARTS = 3
"""Parts of a hyphenated word that are also looked up as one word ("t-shirt" as "tshirt")."""

BATCH_BYTES = 1 << 20
"""Bytes of text that are matched together: enough to spread the cost of a call, little memory."""

FILTER = (1 << 20) - 3
"""Remainders that `Matcher.maybe` tells apart."""

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Matcher:
    """Names of a taxonomy, compiled to a trie over words.

    ``root`` int32 is the state after a word at the start of a name, -1 for none, with one more -1
    at its end; ``keys`` int64, sorted, are state * words + word, and ``after`` int32 the states
    that they lead to; ``form`` int32 is the form that a state ends, or -1, and ``grows`` bool
    whether longer names go on from it. ``maybe`` bool holds at key % FILTER whether a key with this
    remainder exists, which spares most searches. No name has more than ``longest`` words.

    Form f has the entries first[f] to first[f + 1], one for each of its labels: ``labels`` and
    ``ambiguity``, their number. An entry e of n stands also for the variant e + n, a modifier:
    ``strength`` float32[2n] is by variant, and ``ranked`` int32[2n] are all variants, the strongest
    first. ``closes`` bool by word, one more at its end for other words, is for function words,
    which no phrase goes over. ``n_labels`` is the taxonomy's number of labels.
    """

    vocabulary: Vocabulary
    root: Ints
    keys: Longs
    after: Ints
    form: Ints
    grows: npt.NDArray[np.bool_]
    first: Longs
    labels: Codes
    ambiguity: npt.NDArray[np.int16]
    strength: npt.NDArray[np.float32]
    ranked: Ints
    maybe: npt.NDArray[np.bool_]
    longest: int
    closes: npt.NDArray[np.bool_]
    kinds: Kinds
    n_labels: int


@dataclass(frozen=True)
class Matches:
    """Labels found in a column of texts, in the order of the texts.

    ``row`` int64[m] is the text's place, ``label`` int32[m] the code, ``name`` int32[m] the number
    of the name, ``strength`` float32[m] in (0, 1], ``ambiguity`` int16[m] the number of labels that
    share the name.
    """

    row: npt.NDArray[np.int64]
    label: Codes
    name: Ints
    strength: npt.NDArray[np.float32]
    ambiguity: npt.NDArray[np.int16]


def compile_matcher(taxonomy: Taxonomy, usage: Usage = NO_USAGE) -> Matcher:
    """Compile every name of a taxonomy, as `usage` says that they are used.

    Examples
    --------
    >>> from labeling.taxonomy import Label, build_taxonomy
    >>> blue = Label("blue", (("blue", "en"),), (), None, 1)
    >>> navy = Label("navy", (("navy blue", "en"),), (), None, 2)
    >>> matcher = compile_matcher(build_taxonomy([blue, navy], "doctest"))
    >>> [label for label, strength, ambiguity in find(matcher, "A Navy-Blue shirt, blues")]
    [1, 0]
    """
    names = readings(taxonomy, usage)
    spelled = {w for words in names for w in words} | FUNCTION_WORDS
    words = {word: n for n, word in enumerate(sorted(spelled))}
    state_of: dict[tuple[int, int], int] = {}
    form_of: dict[int, int] = {}
    for number, sequence in enumerate(names):
        state = -1
        for word in sequence:
            state = state_of.setdefault((state, words[word]), len(state_of))
        form_of[state] = number
    root = np.full(len(words) + 1, -1, np.int32)
    form = np.full(len(state_of), -1, np.int32)
    form[list(form_of)] = list(form_of.values())
    steps = np.array([(*key, state) for key, state in state_of.items()], np.int64).reshape(-1, 3)
    opening = steps[:, 0] < 0
    root[steps[opening, 1]] = steps[opening, 2]
    grows = np.zeros(len(state_of), bool)
    grows[steps[~opening, 0]] = True
    keys = steps[~opening, 0] * len(words) + steps[~opening, 1]
    order = np.argsort(keys)
    maybe = np.zeros(FILTER, bool)
    maybe[keys % FILTER] = True
    closes = np.array([*(word in FUNCTION_WORDS for word in words), False])
    n_labels = np.array([len(reading.labels) for reading in names.values()], np.int16)
    strength = np.array([s for reading in names.values() for s in reading.strengths], np.float32)
    strength = np.concatenate([strength, MODIFIER * strength])
    return Matcher(
        vocabulary=build_vocabulary(list(words)),
        root=root,
        keys=keys[order],
        after=steps[~opening, 2][order].astype(np.int32),
        form=form,
        grows=grows,
        first=np.append(0, np.cumsum(n_labels, dtype=np.int64)),
        labels=np.array([c for reading in names.values() for c in reading.labels], np.int32),
        ambiguity=np.repeat(n_labels, n_labels),
        strength=strength,
        ranked=np.argsort(-strength, kind="stable").astype(np.int32),
        maybe=maybe,
        longest=max(map(len, names), default=0),
        closes=closes,
        kinds=find_kinds(taxonomy),
        n_labels=len(taxonomy),
    )


def find(matcher: Matcher, text: str) -> Iterator[tuple[int, float, int]]:
    """Yield (label code, strength, ambiguity) for each name found in a text, left to right."""
    _, mention = mentions_of(matcher, pa.array([_sound(text)], pa.string()))
    _, variant = _variants(matcher, mention, _modifying(matcher, mention))
    for v in variant.tolist():
        entry = v % len(matcher.labels)
        strength = round(float(matcher.strength[v]), 7)
        yield int(matcher.labels[entry]), strength, int(matcher.ambiguity[entry])


def match_texts(matcher: Matcher, texts: pa.Array | pa.ChunkedArray) -> Matches:
    """Return the labels named in each text, sorted by row and label; null matches nothing.

    A label that is named several times in one text counts once, as strongly as at best.
    """
    rows, variants = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    begin = 0
    for chunk in texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]:
        for batch in _batches(matcher, chunk):
            row, variant = _match_batch(matcher, batch)
            rows.append(row + begin)
            variants.append(variant)
            begin += len(batch)
    variant = np.concatenate(variants)
    entry = variant % max(len(matcher.labels), 1)
    return Matches(
        row=np.concatenate(rows),
        label=matcher.labels[entry],
        name=(np.searchsorted(matcher.first, entry, "right") - 1).astype(np.int32),
        strength=matcher.strength[variant],
        ambiguity=matcher.ambiguity[entry],
    )


def _bits(matcher: Matcher) -> tuple[int, int]:
    """Return how many bits hold a label and a variant, in a sort key that the row fills up."""
    return matcher.n_labels.bit_length(), len(matcher.strength).bit_length()


def _batches(matcher: Matcher, texts: pa.Array) -> Iterator[pa.Array]:
    texts = texts.cast(pa.large_string())
    max_rows = 1 << (62 - sum(_bits(matcher)))
    n_bytes = np.asarray(pc.fill_null(pc.binary_length(texts), 0), np.int64)
    reach = np.cumsum(n_bytes)
    start = 0
    while start < len(texts):
        until = int(np.searchsorted(reach, reach[start] + BATCH_BYTES, "right"))
        end = min(until, start + max_rows)
        yield texts.slice(start, end - start)
        start = end


def _match_batch(matcher: Matcher, texts: pa.Array) -> tuple[Longs, Longs]:
    """Return row and variant of each label named, sorted by row and label."""
    words, mention = mentions_of(matcher, texts)
    hit, variant = _variants(matcher, mention, _modifying(matcher, mention))
    label = matcher.labels[variant % max(len(matcher.labels), 1)]
    label_bits, variant_bits = _bits(matcher)
    rank = np.empty(len(matcher.ranked), np.int64)
    rank[matcher.ranked] = np.arange(len(matcher.ranked))
    key = words.row[mention.place[hit]] << label_bits | label
    key = np.sort(key << variant_bits | rank[variant], kind="stable")
    pair = key >> variant_bits
    new = np.flatnonzero(np.diff(pair, prepend=-1))
    best = matcher.ranked[key[new] & np.int64((1 << variant_bits) - 1)]
    return pair[new] >> label_bits, best.astype(np.int64)


class Mentions(NamedTuple):
    """Names that texts hold, none overlapping: first word, number of words, and form of each.

    ``phrase`` numbers the phrases, by word; two words are of one phrase when it is equal.
    """

    phrase: Longs
    place: Longs
    n_words: npt.NDArray[np.int8]
    form: Ints


def mentions_of(matcher: Matcher, texts: pa.Array) -> tuple[Words, Mentions]:
    """Return the words of some texts, and the names among them."""
    words = split_words(texts)
    code = matcher.vocabulary.codes(words.letters, words.offsets[:-1], np.diff(words.offsets))
    form, length = _walk(matcher, words, code)
    _join_compounds(matcher, words, form, length)
    place = np.flatnonzero(form >= 0)
    place = place[_leftmost(place, place + length[place])]
    phrase = np.cumsum(words.parted | matcher.closes[code], dtype=np.int64)
    return words, Mentions(phrase, place, length[place], form[place])


def _variants(
    matcher: Matcher, mention: Mentions, modifies: npt.NDArray[np.bool_]
) -> tuple[Longs, Longs]:
    """Return the mention and the variant of each label that the mentions name."""
    first = matcher.first[mention.form]
    n_labels = matcher.first[mention.form + 1] - first
    hit = np.repeat(np.arange(len(first)), n_labels)
    entry = (first - (np.cumsum(n_labels) - n_labels))[hit] + np.arange(len(hit))
    return hit, entry + len(matcher.labels) * modifies[hit]


def _walk(matcher: Matcher, words: Words, code: Ints) -> tuple[Ints, npt.NDArray[np.int8]]:
    """Return the form and number of words of the longest name that begins at each word."""
    form = np.full(len(code), -1, np.int32)
    length = np.zeros(len(code), np.int8)
    place = np.flatnonzero(matcher.root[code] >= 0)
    state = matcher.root[code[place]]
    for n_words in range(1, matcher.longest + 1):
        ended = matcher.form[state] >= 0
        form[place[ended]] = matcher.form[state[ended]]
        length[place[ended]] = n_words
        if n_words == matcher.longest:
            break
        going = matcher.grows[state]
        going &= place < len(code) - n_words
        place, state = place[going], state[going]
        following = code[place + n_words]
        going = following >= 0
        going &= words.row[place] == words.row[place + n_words]
        place, state, following = place[going], state[going], following[going]
        key = state.astype(np.int64) * len(matcher.vocabulary) + following
        going = matcher.maybe[key % FILTER]
        place, key = place[going], key[going]
        step = np.minimum(np.searchsorted(matcher.keys, key), len(matcher.keys) - 1)
        going = matcher.keys[step] == key
        place, state = place[going], matcher.after[step[going]]
    return form, length


def _join_compounds(
    matcher: Matcher, words: Words, form: Ints, length: npt.NDArray[np.int8]
) -> None:
    """Look up parts of hyphenated words written as one word, where nothing as long is named."""
    place = np.flatnonzero(words.glued) - 1
    for n_parts in range(2, COMPOUND_PARTS + 1):
        place = place[place + n_parts <= len(form)]
        place = place[words.glued[place + n_parts - 1]]
        starts = words.offsets[place]
        lengths = words.offsets[place + n_parts] - starts
        state = matcher.root[matcher.vocabulary.codes(words.letters, starts, lengths)]
        named = np.where(state >= 0, matcher.form[state], -1)
        better = (named >= 0) & (length[place] < n_parts)
        form[place[better]] = named[better]
        length[place[better]] = n_parts


def _modifying(matcher: Matcher, mention: Mentions) -> npt.NDArray[np.bool_]:
    """Return which mentions modify a later one of their phrase."""
    begins = mention.phrase[mention.place]
    ends = mention.phrase[mention.place + mention.n_words - 1]
    modifies = np.zeros(len(begins), bool)
    for ahead in range(1, MAX_AHEAD + 1):
        here = np.flatnonzero((begins[ahead:] == ends[:-ahead]) & ~modifies[:-ahead])
        if not len(here):
            break
        modifies[here] = alternatives(matcher, mention.form[here], mention.form[here + ahead])
    return modifies


def alternatives(matcher: Matcher, a: Ints, b: Ints) -> npt.NDArray[np.bool_]:
    """Return ``bool[n]``: which pairs of forms name alternatives, and nothing that is related."""
    n_a, n_b = (matcher.first[form + 1] - matcher.first[form] for form in (a, b))
    n_pairs = n_a * n_b
    pair = np.repeat(np.arange(len(a)), n_pairs)
    place = np.arange(len(pair)) - np.repeat(np.cumsum(n_pairs) - n_pairs, n_pairs)
    of_a = matcher.labels[matcher.first[a][pair] + place // n_b[pair]]
    of_b = matcher.labels[matcher.first[b][pair] + place % n_b[pair]]
    related = np.bincount(pair[matcher.kinds.related(of_a, of_b)], minlength=len(a))
    apart = np.bincount(pair[matcher.kinds.alternatives(of_a, of_b)], minlength=len(a))
    result: npt.NDArray[np.bool_] = (related == 0) & (apart > 0)
    return result


def _leftmost(starts: Longs, ends: Longs) -> npt.NDArray[np.bool_]:
    """Return which spans stay when each, from left to right, removes those that it overlaps.

    The spans that stay are those that are reached from a span that nothing overlaps from the left,
    going from each to the first that begins after its end; n steps take log n rounds.
    """
    if not len(starts):
        return np.empty(0, bool)
    stays = np.append(True, starts[1:] >= np.maximum.accumulate(ends)[:-1])
    heads = np.flatnonzero(stays)
    longest = int(np.diff(heads, append=len(starts)).max())
    if longest == 1:
        return stays
    jump = np.append(np.searchsorted(starts, ends), len(starts))
    stays = np.append(stays, False)
    for _ in range(longest.bit_length()):
        stays[jump[np.flatnonzero(stays)]] = True
        jump = jump[jump]
    return stays[:-1]


def _sound(text: str) -> str:
    """Return a text with lone surrogates, which UTF-8 cannot hold, replaced."""
    return text.encode("utf-8", "replace").decode()
