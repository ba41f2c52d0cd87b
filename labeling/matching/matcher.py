"""Texts to labels: whole words, longest name first, in all forms of their heads.

Names and texts go through `labeling.text.words` alike, so that a name matches however it was typed.
At each word, from left to right, the longest name wins ("navy blue" is not "blue"). A name that
several labels share is evidence for each of them, divided among them.

The head of an English phrase is its end: of two alternatives (`labeling.taxonomy.alternatives`) in
one phrase, without punctuation or a function word between them, the first modifies the second
("rock wall", "baseball cap", "Pepe Jeans sunglasses"; Quirk et al., A Comprehensive Grammar of the
English Language, 1985, sections 17.94 and 17.104). A modifier counts as half a mention.

The names are compiled to a trie over words, which is searched for all words of a column at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeling.arguments import checks_arguments
from labeling.keys.arrays import Floats32, Ints, Ints32, Mask
from labeling.keys.runs import ranges
from labeling.matching.surface_forms import (
    MODIFIER,
    NO_STATISTICS,
    UNACCENTED,
    NameStatistics,
    Senses,
    surface_forms,
)
from labeling.taxonomy.alternatives import Alternatives, find_alternatives
from labeling.taxonomy.taxonomy import Codes, Taxonomy
from labeling.text.function_words import FUNCTION_WORDS
from labeling.text.trie import NameMentions, Trie, build_trie
from labeling.text.words import Words, split_words

MAX_AHEAD = 4
"""Following mentions of the same phrase that a mention may modify."""


@dataclass(frozen=True, eq=False)
class Matcher:
    """Names of a taxonomy, compiled to a trie over words, and their entries.

    An entry is the evidence of one name for one label, as a mention, as a modifier, or as a mention
    that differs in accents.

    Attributes
    ----------
    trie
        The words of the names.
    alternatives
        Relations of the labels: which ones are above another, and which exclude each other.
    first, labels
        Name f names the labels ``labels[first[f]:first[f + 1]]``.
    entry, modifier, unaccented
        Their entries as mentions, as modifiers and where only the text has accents, in the same
        order.
    likeliest
        Most probable label of each name.
    label, strength, ambiguity, name
        By entry: label, strength in (0, 1], number of labels that share the name, and name. Entries
        are sorted by label, and those of a label by strength, the largest first.
    """

    trie: Trie
    alternatives: Alternatives
    first: Ints
    labels: Codes
    entry: Ints32
    modifier: Ints32
    unaccented: Ints32
    likeliest: Codes
    label: Codes
    strength: Floats32
    ambiguity: npt.NDArray[np.int16]
    name: Ints32

    def __repr__(self) -> str:
        return f"<Matcher of {len(self.likeliest):,} names>"


@checks_arguments
def compile_matcher(taxonomy: Taxonomy, statistics: NameStatistics = NO_STATISTICS) -> Matcher:
    """Compile every name of a taxonomy for `find`.

    Parameters
    ----------
    taxonomy
        The labels and their names.
    statistics
        Statistics of the names in many texts; by default, every name counts alike.

    Returns
    -------
    Matcher
        The compiled names, for any number of texts.

    Raises
    ------
    InputError
        For an argument of another type.

    Examples
    --------
    >>> from labeling.taxonomy.taxonomy import Label, build_taxonomy
    >>> blue, navy = Label("blue", (("blue", "en"),)), Label("navy", (("navy blue", "en"),))
    >>> matcher = compile_matcher(build_taxonomy([blue, navy]))
    >>> [label for label, strength, ambiguity in find(matcher, "A Navy-Blue shirt, blue")]
    [1, 0]
    """
    forms = surface_forms(taxonomy, statistics)
    n_labels = np.array([len(senses.labels) for senses in forms.values()], np.int64)
    labels = np.array([code for senses in forms.values() for code in senses.labels], np.int32)
    strength = np.array([s for senses in forms.values() for s in senses.strengths])
    strength = np.concatenate([strength, MODIFIER * strength, UNACCENTED * strength])
    order = np.lexsort((-strength, np.tile(labels, 3)))
    entry = np.empty(len(order), np.int32)
    entry[order] = np.arange(len(order))
    of_name = np.tile(np.repeat(np.arange(len(forms)), n_labels), 3)[order]
    return Matcher(
        trie=build_trie(forms, FUNCTION_WORDS),
        alternatives=find_alternatives(taxonomy),
        first=np.append(0, np.cumsum(n_labels)),
        labels=labels,
        entry=entry[: len(labels)],
        modifier=entry[len(labels) : 2 * len(labels)],
        unaccented=entry[2 * len(labels) :],
        likeliest=np.array([_likeliest(senses) for senses in forms.values()], np.int32),
        label=np.tile(labels, 3)[order],
        strength=strength[order].astype(np.float32),
        ambiguity=n_labels[of_name].astype(np.int16),
        name=of_name.astype(np.int32),
    )


def _likeliest(senses: Senses) -> int:
    return senses.labels[senses.strengths.index(max(senses.strengths))]


@checks_arguments
def find(matcher: Matcher, text: str) -> Iterator[tuple[int, float, int]]:
    """Find the names of a taxonomy in a text.

    Parameters
    ----------
    matcher
        The compiled names.
    text
        Any text, such as an alt text or a caption.

    Yields
    ------
    tuple
        For each name, left to right: the code of the label, which is its position in
        `Taxonomy.label_ids`; the strength, in (0, 1]; and the ambiguity, the number of labels that
        share the name.

    Raises
    ------
    InputError
        For an argument of another type.
    """
    # Lone surrogates, which UTF-8 cannot hold, are replaced.
    words = split_words(pa.array([text.encode("utf-8", "replace").decode()], pa.string()))
    for entry in name_entries(matcher, words, matcher.trie.find(words))[1].tolist():
        strength = round(float(matcher.strength[entry]), 7)
        yield int(matcher.label[entry]), strength, int(matcher.ambiguity[entry])


def name_entries(matcher: Matcher, words: Words, mentions: NameMentions) -> tuple[Ints, Ints]:
    """Return the mention and the entry of each named label."""
    mention, index = ranges(
        matcher.first.take(mentions.name), matcher.first.take(mentions.name + 1)
    )
    entry = matcher.entry.take(index)
    is_plain = np.flatnonzero(mentions.is_plain.take(mention))
    entry[is_plain] = matcher.unaccented.take(index.take(is_plain))
    modifies = np.flatnonzero(_modifying(matcher, words, mentions).take(mention))
    entry[modifies] = matcher.modifier.take(index.take(modifies))
    return mention, entry.astype(np.int64)


def _modifying(matcher: Matcher, words: Words, mentions: NameMentions) -> Mask:
    """Return ``bool[m]``: the mentions that modify a later one of their phrase."""
    begins, ends = phrases(words, mentions)
    modifies = np.zeros(len(begins), bool)
    for ahead in range(1, MAX_AHEAD + 1):
        here = np.flatnonzero((begins[ahead:] == ends[:-ahead]) & ~modifies[:-ahead])
        if not len(here):
            break
        name = mentions.name.take(here)
        modifies[here] = are_alternatives(matcher, name, mentions.name.take(here + ahead))
    return modifies


def phrases(words: Words, mentions: NameMentions) -> tuple[Ints32, Ints32]:
    """Return the number of the phrase in which each mention begins, and in which it ends.

    Words with the same number are of one phrase: without punctuation or a function word between
    them.
    """
    phrase = np.cumsum(words.begins_phrase() | mentions.is_other, dtype=np.int32)
    begins = phrase.take(mentions.start)
    ends = begins.copy()
    long = np.flatnonzero(mentions.n_words > 1)
    ends[long] = phrase[mentions.start[long] + mentions.n_words[long] - 1]
    return begins, ends


def are_alternatives(matcher: Matcher, a: Ints32, b: Ints32) -> Mask:
    """Return ``bool[n]``: the pairs of names for alternatives, in their likeliest senses."""
    return matcher.alternatives.are_alternatives(
        matcher.likeliest.take(a), matcher.likeliest.take(b)
    )
