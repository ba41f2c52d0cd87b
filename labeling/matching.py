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
from labeling.vocabulary import Longs, Vocabulary, build_vocabulary
from labeling.words import Words, normalise, split_words

__all__ = ["INFLECTED", "Matcher", "Matches", "compile_matcher", "find", "match_texts", "normalise"]

INFLECTED = 0.9
"""Strength of a match that needed inflection ("short" for "shorts"), where an exact one has 1."""

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
    whether longer names go on from it. Form f names ``labels[first[f]:first[f + 1]]`` with the
    strength ``strength[f]``, before it is divided. ``maybe`` bool holds at key % FILTER whether a
    key with this remainder exists, which spares most searches. No name has more than ``longest``
    words. ``n_labels`` is the taxonomy's number of labels.
    """

    vocabulary: Vocabulary
    root: Ints
    keys: Longs
    after: Ints
    form: Ints
    grows: npt.NDArray[np.bool_]
    first: Longs
    labels: Codes
    strength: npt.NDArray[np.float32]
    maybe: npt.NDArray[np.bool_]
    longest: int
    n_labels: int


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
    words = {word: n for n, word in enumerate(sorted({w for words in names for w in words}))}
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
    return Matcher(
        vocabulary=build_vocabulary(list(words)),
        root=root,
        keys=keys[order],
        after=steps[~opening, 2][order].astype(np.int32),
        form=form,
        grows=grows,
        first=np.cumsum([0, *(len(labels) for labels, _ in names.values())]),
        labels=np.array([code for labels, _ in names.values() for code in labels], np.int32),
        strength=np.array([strength for _, strength in names.values()], np.float32),
        maybe=maybe,
        longest=max(map(len, names), default=0),
        n_labels=len(taxonomy),
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
    words = split_words(pa.array([_sound(text)], pa.string()))
    _, found = _named(matcher, words)
    for form in found:
        labels = matcher.labels[matcher.first[form] : matcher.first[form + 1]]
        for label in labels.tolist():
            strength = float(matcher.strength[form]) / len(labels)
            yield label, round(strength, 7), len(labels)


def match_texts(matcher: Matcher, texts: pa.Array | pa.ChunkedArray) -> Matches:
    """Return the labels named in each text, sorted by row and label; null matches nothing.

    A label that is named twice in one text counts once, by the name that fewest labels share, and
    among these by one that is not inflected.
    """
    rows, labels, forms_ = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    begin = 0
    for chunk in texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]:
        for batch in _batches(matcher, chunk):
            row, label, form = _match_batch(matcher, batch)
            rows.append(row + begin)
            labels.append(label)
            forms_.append(form)
            begin += len(batch)
    form = np.concatenate(forms_)
    ambiguity = matcher.first[form + 1] - matcher.first[form]
    return Matches(
        row=np.concatenate(rows),
        label=np.concatenate(labels).astype(np.int32),
        strength=(matcher.strength[form] / ambiguity).astype(np.float32),
        ambiguity=ambiguity.astype(np.int16),
    )


def _bits(matcher: Matcher) -> tuple[int, int]:
    """Return how many bits hold a label and a form, in a sort key that the row fills up."""
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


def _match_batch(matcher: Matcher, texts: pa.Array) -> tuple[Longs, Longs, Longs]:
    """Return row, label and form of each label named, sorted by row and label."""
    words = split_words(texts)
    place, form = _named(matcher, words)
    n_labels = matcher.first[form + 1] - matcher.first[form]
    hit = np.repeat(np.arange(len(form)), n_labels)
    offset = matcher.first[form] - (np.cumsum(n_labels) - n_labels)
    label = matcher.labels[offset[hit] + np.arange(len(hit))]
    label_bits, form_bits = _bits(matcher)
    key = ((words.row[place] << (label_bits + form_bits)) | form)[hit]
    key = np.sort(key | (label.astype(np.int64) << form_bits), kind="stable")
    pair = key >> form_bits
    new = np.flatnonzero(np.diff(pair, prepend=-1))
    pair, best = pair[new], key[new] & np.int64((1 << form_bits) - 1)
    return pair >> label_bits, pair & np.int64((1 << label_bits) - 1), best


def _named(matcher: Matcher, words: Words) -> tuple[Longs, Ints]:
    """Return the first word and the form of each name that the texts hold, none overlapping."""
    code = matcher.vocabulary.codes(words.letters, words.offsets[:-1], np.diff(words.offsets))
    form, length = _walk(matcher, words, code)
    _join_compounds(matcher, words, form, length)
    place = np.flatnonzero(form >= 0)
    place = place[_leftmost(place, place + length[place])]
    return place, form[place]


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
