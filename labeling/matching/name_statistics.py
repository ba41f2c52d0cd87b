"""Statistics of the names of labels in the texts of a run, counted before labels are assigned.

Three things are learnt from a sample of the texts, without any audits:

- **Fixed phrases.** "Red Tape" is a brand: "tape" follows hardly anything but "red", and never
  another colour. In a phrase whose meaning is not that of its parts, no part can be exchanged for
  one of similar meaning (Lin 1999, "Automatic Identification of Non-compositional Phrases", ACL);
  here these are alternatives in the taxonomy (`labeling.taxonomy.alternatives`). A name in such a
  phrase modifies it.
- **Stop names.** "Have" is a name of the haves. A name that is hardly ever at the end of a phrase,
  of a label whose other names are hardly used, does not mean the label.
- **Senses.** "Dog" is an animal and an andiron. The more the other names of a sense are used, and
  those of the labels below it and of its siblings, the more probable it is (McCarthy et al. 2004,
  "Finding Predominant Word Senses in Untagged Text", ACL, with the taxonomy as the thesaurus).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys.arrays import Floats
from labeling.matching.matcher import Matcher, are_alternatives, phrases
from labeling.matching.surface_forms import NameStatistics, Phrase, Senses, surface_forms
from labeling.schemas import PHRASES
from labeling.taxonomy.alternatives import Alternatives
from labeling.taxonomy.taxonomy import Taxonomy
from labeling.text.words import split_words

SAMPLE = 1_000_000
"""Texts that are counted of a larger run, about."""

MIN_PHRASE = 5
"""Texts with a fixed phrase, at least."""

BOUND = 0.8
"""Share of the uses of a fixed phrase's last word that follow the name, at least."""

ALONE = 0.95
"""Share of the name among its alternatives before that word, at least."""

LIFT = 4.0
"""Ratio of this share to the one before any word, at least."""

MIN_STOP = 30
"""Texts with a stop name, at least."""

ENDS, OTHERS = 0.08, 0.1
"""Upper limits for a stop name, relative to its uses: of those at the end of a phrase, and of the
uses of the other names of its labels and of the labels below them."""

NAMES = pa.schema([("name", pa.int32()), ("n", pa.int64()), ("n_ends", pa.int64())])
"""One name, by its number: its uses, and those at the end of a phrase."""

PAIRS = pa.schema([("name", pa.int32()), ("word", pa.string()), ("n", pa.int64())])
"""One name and the word after it in the same phrase, if that is not part of a name."""

WORDS = pa.schema([("word", pa.string()), ("n", pa.int64())])
"""One word outside of names."""

SENSES = pa.schema([("weight", pa.float64())])
"""One label, in the order of the codes: its weight as a sense of a name that it shares."""


class NameCounts(NamedTuple):
    """`NAMES`, `PAIRS` and `WORDS` of some texts; rows with the same keys add up."""

    names: pa.Table
    pairs: pa.Table
    words: pa.Table


def count_names(texts: pa.Array, matcher: Matcher) -> NameCounts:
    """Count the names of a matcher in some texts, equal texts once."""
    words = split_words(texts.unique().drop_null())
    mentions = matcher.trie.find(words)
    n_words = len(words.row)
    ends = mentions.start + mentions.n_words
    after = np.minimum(ends, n_words - 1)
    opened = np.bincount(mentions.start, minlength=n_words + 1)
    inside = np.cumsum(opened - np.bincount(ends, minlength=n_words + 1))[:-1] > 0
    next_word = mentions._replace(start=after, n_words=np.ones_like(mentions.n_words))
    is_end = (ends == n_words) | (phrases(words, next_word)[0] != phrases(words, mentions)[1])
    follows = ~is_end & ~inside[after]
    texts_of = words.to_arrow()
    pairs = {"name": mentions.name[follows], "word": texts_of.take(pa.array(after[follows]))}
    return NameCounts(
        _count({"name": mentions.name, "n_ends": is_end.astype(np.int64)}, NAMES),
        _count(pairs, PAIRS),
        _count({"word": texts_of.filter(pa.array(~inside))}, WORDS),
    )


def fit_statistics(counts: NameCounts, matcher: Matcher, taxonomy: Taxonomy) -> NameStatistics:
    """Return the statistics of a sample of the texts.

    Parameters
    ----------
    counts
        From `count_names`; counts of parts may be concatenated.
    matcher
        The matcher that counted, compiled without statistics.
    taxonomy
        Its taxonomy.
    """
    counts = NameCounts(*(_sums(table, table.schema) for table in counts))
    forms = surface_forms(taxonomy)
    names = list(forms)
    n, n_ends = np.zeros(len(names)), np.zeros(len(names))
    number = counts.names["name"].to_numpy()
    n[number] = counts.names["n"].to_numpy()
    n_ends[number] = counts.names["n_ends"].to_numpy()
    by_label = np.zeros(len(taxonomy))
    sole = np.flatnonzero(np.diff(matcher.first) == 1)
    np.add.at(by_label, matcher.labels[matcher.first[sole]], n[sole])
    below = matcher.alternatives.sum_below(by_label)
    often = np.flatnonzero((n >= MIN_STOP) & (n_ends < ENDS * n)).tolist()
    stop = [
        names[i] for i in often if _is_stop_name(names[i], forms[names[i]], n[i], below, taxonomy)
    ]
    return NameStatistics(
        stop=tuple(stop),
        phrases=dict(sorted(_fixed_phrases(counts, matcher, names, n))),
        weight=1 + below + _families(below, matcher.alternatives, taxonomy),
    )


def to_tables(statistics: NameStatistics) -> dict[str, pa.Table]:
    """Return ``phrases`` (`labeling.schemas.PHRASES`) and ``senses`` (`SENSES`)."""
    rows = [
        {"phrase": " ".join(phrase), "reason": "fixed_phrase", "name": " ".join(name)}
        for phrase, name in statistics.phrases.items()
    ]
    rows += [{"phrase": " ".join(name), "reason": "stop_name"} for name in statistics.stop]
    phrases = pa.Table.from_pylist(rows, schema=PHRASES.arrow)
    return {"phrases": phrases, "senses": pa.table({"weight": statistics.weight}, schema=SENSES)}


def from_tables(tables: Mapping[str, pa.Table]) -> NameStatistics:
    """Return the statistics that `to_tables` returned as tables."""
    rows = tables["phrases"].to_pylist()
    fixed = {tuple(r["phrase"].split(" ")): tuple(r["name"].split(" ")) for r in rows if r["name"]}
    return NameStatistics(
        stop=tuple(tuple(r["phrase"].split(" ")) for r in rows if not r["name"]),
        phrases=fixed,
        weight=tables["senses"]["weight"].to_numpy(),
    )


def _is_stop_name(
    name: Phrase, senses: Senses, n: float, below: Floats, taxonomy: Taxonomy
) -> bool:
    """Return whether the other names of a name's labels are hardly used, given n uses of it."""
    has_others = any(len(taxonomy.names[label]) > 1 for label in senses.labels)
    if len(name) > 1 or not has_others:
        return False
    itself = n if len(senses.labels) == 1 else 0
    return bool(max(below[label] for label in senses.labels) - itself < OTHERS * n)


def _fixed_phrases(
    counts: NameCounts, matcher: Matcher, names: Sequence[Phrase], n: Floats
) -> Iterator[tuple[Phrase, Phrase]]:
    """Yield each fixed phrase with the name at its beginning, given the uses of each name."""
    pairs = counts.pairs.join(counts.words, "word", right_suffix="_of_word")
    often = pc.and_(
        pc.greater_equal(pairs["n"], MIN_PHRASE),
        pc.greater_equal(pairs["n"], pc.multiply(pairs["n_of_word"], BOUND)),
    )
    no_digits = pc.invert(pc.match_substring_regex(pairs["word"], r"\d"))
    pairs = pairs.filter(pc.and_(often, no_digits)).sort_by("word")
    pairs = pairs.append_column("row", pa.array(np.arange(len(pairs))))
    rivals = pairs.join(counts.pairs, "word", join_type="inner", right_suffix="_rival")
    is_alternative = are_alternatives(
        matcher, rivals["name"].to_numpy(), rivals["name_rival"].to_numpy()
    )
    n_rivals = np.bincount(
        rivals["row"].to_numpy(), rivals["n_rival"].to_numpy() * is_alternative, len(pairs)
    )
    name, n_here = pairs["name"].to_numpy(), pairs["n"].to_numpy()
    share = n_here / (n_here + n_rivals)
    n_anywhere = _of_alternatives(n, matcher)[name]
    expected = n[name] / (n[name] + n_anywhere)
    is_fixed = (n_anywhere > 0) & (share >= ALONE) & (share >= LIFT * expected)
    for row in np.flatnonzero(is_fixed).tolist():
        phrase = names[name[row]]
        yield (*phrase, pairs["word"][row].as_py()), phrase


def _of_alternatives(n: Floats, matcher: Matcher) -> Floats:
    """Return for each name the uses of its alternatives."""
    alternatives = matcher.alternatives
    by_label = np.bincount(matcher.likeliest, n, alternatives.n).astype(np.float64)
    return alternatives.sum_alternatives(by_label)[matcher.likeliest]


def _families(below: Floats, alternatives: Alternatives, taxonomy: Taxonomy) -> Floats:
    """Return the mean uses of a label of each label's family, that of the parent with most uses."""
    mean = below / alternatives.sum_below(np.ones(len(taxonomy)))
    return np.array([max(mean[list(p)], default=0.0) if p else 0.0 for p in taxonomy.parents])


def _count(columns: dict[str, Any], schema: pa.Schema) -> pa.Table:
    """Return the number of equal rows as the column ``n`` of a schema."""
    rows = pa.table(columns)
    return _sums(rows.append_column("n", pa.repeat(1, len(rows))), schema)


def _sums(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the sums of the counts for each combination of the other columns, sorted."""
    keys = [name for name in schema.names if name not in ("n", "n_ends")]
    summed = rows.group_by(keys).aggregate(
        [(name, "sum") for name in schema.names if name not in keys]
    )
    renamed = summed.rename_columns([name.removesuffix("_sum") for name in summed.column_names])
    return renamed.select(schema.names).cast(schema).sort_by([(k, "ascending") for k in keys])
