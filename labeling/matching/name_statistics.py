"""How the names of labels are used in the texts at hand, counted before the texts are read.

Three things are learnt from a sample of the texts, without any answer of a person:

- **Fixed phrases.** "Red Tape" is a brand: "tape" follows hardly anything but "red", and never
  another colour. A phrase that is not made by its parts' meaning cannot have a part exchanged for
  one of like meaning (Lin 1999, "Automatic Identification of Non-compositional Phrases", ACL), and
  what is of like meaning the taxonomy says (`labeling.taxonomy.alternatives`). A name in such a
  phrase modifies it.
- **Stop names.** "Have" is a name of the haves. A name that hardly ever ends a phrase, of a label
  whose other names are hardly used, names nothing.
- **Senses.** "Dog" is an animal and an andiron. The more the other names of a sense are used, those
  of the labels below it and of its siblings, the likelier it is meant (McCarthy et al. 2004,
  "Finding Predominant Word Senses in Untagged Text", ACL, with the taxonomy for the thesaurus).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys.arrays import Floats
from labeling.matching.matcher import Matcher, alternatives, phrases
from labeling.matching.surface_forms import Phrase, Reading, Usage, readings
from labeling.schemas import PHRASES
from labeling.taxonomy.alternatives import Kinds
from labeling.taxonomy.taxonomy import Taxonomy
from labeling.text.trie import Found
from labeling.text.words import split_words

SAMPLE = 1_000_000
"""Texts that are looked at, about, of more."""

MIN_PHRASE = 5
"""Texts that a phrase is in, before it is taken for a fixed one."""

BOUND = 0.8
"""Share of a word's uses that follow the name, in a fixed phrase."""

ALONE = 0.95
"""Share of the name among its alternatives before the word, in a fixed phrase."""

LIFT = 4.0
"""How many times this share is larger than before any word, at least."""

MIN_STOP = 30
"""Texts that a name is in, before it is taken for a stop name."""

ENDS, OTHERS = 0.08, 0.1
"""Shares of a stop name's uses below which those at the end of a phrase are, and those of the other
names of its labels and of the labels below them."""

NAMES = pa.schema([("name", pa.int32()), ("n", pa.int64()), ("n_ends", pa.int64())])
"""One name, by its number: how often it is used, and how often at the end of a phrase."""

PAIRS = pa.schema([("name", pa.int32()), ("word", pa.string()), ("n", pa.int64())])
"""One name and the word after it, in the same phrase, which is of no name."""

WORDS = pa.schema([("word", pa.string()), ("n", pa.int64())])
"""One word outside of names."""

SENSES = pa.schema([("weight", pa.float64())])
"""One label, in the order of the codes: how likely a name that it shares means it, relatively."""


class Used(NamedTuple):
    """`NAMES`, `PAIRS` and `WORDS` of some texts; those of more are their sums."""

    names: pa.Table
    pairs: pa.Table
    words: pa.Table


def count(texts: pa.Array, matcher: Matcher) -> Used:
    """Count how the names of a matcher are used in some texts, each text once."""
    words = split_words(texts.unique().drop_null())
    found = matcher.trie.find(words)
    n_words = len(words.row)
    ends = found.place + found.n_words
    after = np.minimum(ends, n_words - 1)
    begun = np.bincount(found.place, minlength=n_words + 1)
    inside = np.cumsum(begun - np.bincount(ends, minlength=n_words + 1))[:-1] > 0
    next_word = Found(after, np.ones_like(found.n_words), found.name, found.is_other)
    is_end = (ends == n_words) | (phrases(words, next_word)[0] != phrases(words, found)[1])
    follows = ~is_end & ~inside[after]
    spelled = words.to_arrow()
    names = pa.table({"name": found.name, "n_ends": is_end.astype(np.int64)})
    pairs = pa.table({"name": found.name[follows], "word": spelled.take(pa.array(after[follows]))})
    outside = pa.table({"word": spelled.filter(pa.array(~inside))})
    return Used(
        _sums(names.append_column("n", pa.repeat(1, len(names))), NAMES),
        _sums(pairs.append_column("n", pa.repeat(1, len(pairs))), PAIRS),
        _sums(outside.append_column("n", pa.repeat(1, len(outside))), WORDS),
    )


def add(counted: Sequence[Used]) -> Used:
    """Return the sum of some counts."""
    tables = zip(*counted, strict=True)
    schemas = (NAMES, PAIRS, WORDS)
    return Used(
        *(_sums(pa.concat_tables(t), schema) for t, schema in zip(tables, schemas, strict=True))
    )


def judge(used: Used, matcher: Matcher, taxonomy: Taxonomy) -> Usage:
    """Say how names are used, given counts of a sample of the texts and the matcher that counted.

    The matcher is that of the taxonomy without usage.
    """
    read = readings(taxonomy)
    n_names = len(read)
    n = np.zeros(n_names)
    n_ends = np.zeros(n_names)
    number = used.names["name"].to_numpy()
    n[number] = used.names["n"].to_numpy()
    n_ends[number] = used.names["n_ends"].to_numpy()
    own = np.zeros(len(taxonomy))
    sole = np.flatnonzero(np.diff(matcher.first) == 1)
    np.add.at(own, matcher.labels[matcher.first[sole]], n[sole])
    below = matcher.kinds.below(own)
    names = list(read)
    stop = _stop_names(names, list(read.values()), n, n_ends, below, taxonomy)
    return Usage(
        stop=tuple(sorted(stop)),
        phrases=dict(sorted(_fixed_phrases(used, matcher, names, n))),
        weight=1 + below + _families(below, matcher.kinds, taxonomy),
    )


def to_tables(usage: Usage) -> dict[str, pa.Table]:
    """Return a usage as ``phrases`` (`labeling.schemas.PHRASES`) and ``senses`` (`SENSES`)."""
    rows = [
        {"phrase": " ".join(phrase), "reason": "fixed_phrase", "name": " ".join(name)}
        for phrase, name in usage.phrases.items()
    ]
    rows += [{"phrase": " ".join(name), "reason": "stop_name"} for name in usage.stop]
    phrases = pa.Table.from_pylist(rows, schema=PHRASES.arrow)
    return {"phrases": phrases, "senses": pa.table({"weight": usage.weight}, schema=SENSES)}


def from_tables(tables: Mapping[str, pa.Table]) -> Usage:
    """Return the usage that `to_tables` wrote."""
    rows = tables["phrases"].to_pylist()
    fixed = {tuple(r["phrase"].split(" ")): tuple(r["name"].split(" ")) for r in rows if r["name"]}
    return Usage(
        stop=tuple(tuple(r["phrase"].split(" ")) for r in rows if not r["name"]),
        phrases=fixed,
        weight=tables["senses"]["weight"].to_numpy(),
    )


def _stop_names(
    names: Sequence[Phrase],
    read: Sequence[Reading],
    n: Floats,
    n_ends: Floats,
    below: Floats,
    taxonomy: Taxonomy,
) -> Iterator[Phrase]:
    for place in np.flatnonzero((n >= MIN_STOP) & (n_ends < ENDS * n)).tolist():
        labels = read[place].labels
        own = n[place] if len(labels) == 1 else 0
        others = max(below[label] for label in labels) - own
        has_others = any(len(taxonomy.names[label]) > 1 for label in labels)
        if len(names[place]) == 1 and has_others and others < OTHERS * n[place]:
            yield names[place]


def _fixed_phrases(
    used: Used, matcher: Matcher, names: Sequence[Phrase], n: Floats
) -> Iterator[tuple[Phrase, Phrase]]:
    """Yield each fixed phrase with the name that it begins with."""
    pairs = used.pairs.join(used.words, "word", right_suffix="_of_word")
    often = pc.and_(
        pc.greater_equal(pairs["n"], MIN_PHRASE),
        pc.greater_equal(pairs["n"], pc.multiply(pairs["n_of_word"], BOUND)),
    )
    spelled = pc.invert(pc.match_substring_regex(pairs["word"], r"\d"))
    asked = pairs.filter(pc.and_(often, spelled)).sort_by("word")
    asked = asked.append_column("row", pa.array(np.arange(len(asked))))
    rivals = asked.join(used.pairs, "word", join_type="inner", right_suffix="_rival")
    name, rival = (rivals[column].to_numpy() for column in ("name", "name_rival"))
    is_other = alternatives(matcher, name, rival)
    n_others = np.bincount(
        rivals["row"].to_numpy(), rivals["n_rival"].to_numpy() * is_other, len(asked)
    )
    name, n_here = asked["name"].to_numpy(), asked["n"].to_numpy()
    share = n_here / (n_here + n_others)
    n_elsewhere = _of_alternatives(n, matcher)[name]
    expected = n[name] / (n[name] + n_elsewhere)
    is_fixed = (n_elsewhere > 0) & (share >= ALONE) & (share >= LIFT * expected)
    for row in np.flatnonzero(is_fixed).tolist():
        phrase = names[name[row]]
        yield (*phrase, asked["word"][row].as_py()), phrase


def _of_alternatives(n: Floats, matcher: Matcher) -> Floats:
    """Return for each name how often its alternatives are named."""
    by_label = np.bincount(matcher.likeliest, n, matcher.kinds.n).astype(np.float64)
    return matcher.kinds.alternatives_sum(by_label)[matcher.likeliest]


def _families(below: Floats, kinds: Kinds, taxonomy: Taxonomy) -> Floats:
    """Return how often a label of the family of each is named in the mean, the largest family's."""
    mean = below / kinds.below(np.ones(len(taxonomy)))
    return np.array([max(mean[list(p)], default=0.0) if p else 0.0 for p in taxonomy.parents])


def _sums(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    keys = [name for name in schema.names if not name.startswith("n_") and name != "n"]
    values = [name for name in schema.names if name not in keys]
    summed = rows.group_by(keys).aggregate([(name, "sum") for name in values])
    renamed = summed.rename_columns([name.removesuffix("_sum") for name in summed.column_names])
    return renamed.select(schema.names).cast(schema).sort_by([(k, "ascending") for k in keys])
