"""Groups of candidates that get thresholds of their own, pooled where audits are few.

A candidate is put into the finest group of a chain, such as label, parent, level, that holds
audits enough. Only their number decides, never a verdict: which groups there are says nothing of
how precise they are, so what is proved of each holds as if they had been fixed beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys.arrays import Ints
from labeling.taxonomy.taxonomy import Codes, Taxonomy

MIN_OF_GROUP = 100
"""Audits that a group needs: with fewer, hardly any precision worth asking for can be proved."""


@dataclass(frozen=True, eq=False)
class Partition:
    """One way to part `n` candidates.

    Attributes
    ----------
    code
        ``int64[n]``: place of each candidate's part in `names`; -1 where it is in none.
    names
        What the parts are called.
    """

    code: Ints
    names: tuple[str, ...]


def by_level(label: Codes, taxonomy: Taxonomy) -> list[Partition]:
    """Return the chain that begins with the level of the label: see `find_groups`."""
    names = tuple(f"level {i}" for i in range(int(taxonomy.level.max()) + 1))
    return [Partition(taxonomy.level[label].astype(np.int64), names)]


def by_label(label: Codes, taxonomy: Taxonomy) -> list[Partition]:
    """Return the chain of the label, its parent (the first of several) and its level."""
    names = tuple(taxonomy.display_name(code) for code in range(len(taxonomy)))
    parent = np.array([parents[0] if parents else -1 for parents in taxonomy.parents], np.int64)
    return [
        Partition(label.astype(np.int64), names),
        Partition(parent[label], tuple(f"kinds of {name}" for name in names)),
        *by_level(label, taxonomy),
    ]


def by_sources(parts: Iterable[pa.ChunkedArray]) -> list[Partition]:
    """Return the chain of which sources speak, and how many.

    Parameters
    ----------
    parts
        The column ``evidence`` of `labeling.schemas.CANDIDATES`, in parts.
    """
    patterns, counts = [], [np.zeros(0, np.int64)]
    for evidence in parts:
        n_speaking = np.asarray(pc.list_value_length(evidence), np.int64)
        source = pc.struct_field(pc.list_flatten(evidence), "source")
        offsets = pa.array(np.concatenate([[0], np.cumsum(n_speaking)]), pa.int32())
        lists = pa.ListArray.from_arrays(offsets, source.combine_chunks())
        patterns.append(pc.binary_join(lists, " + ").dictionary_encode())
        counts.append(n_speaking)
    joined = pa.chunked_array(patterns, pa.dictionary(pa.int32(), pa.string()))
    pattern = joined.unify_dictionaries().combine_chunks()
    n_speaking = np.concatenate(counts)
    named = tuple(f"{n} source{'s' * (n != 1)}" for n in range(int(n_speaking.max(initial=0)) + 1))
    return [_in_order(pattern), Partition(n_speaking, named)]


def _in_order(pattern: pa.DictionaryArray) -> Partition:
    """Return texts as a partition whose names are sorted."""
    names = pattern.dictionary.to_pylist()
    order = sorted(range(len(names)), key=lambda i: names[i])
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return Partition(rank[np.asarray(pattern.indices)], tuple(names[i] for i in order))


def find_groups(chain: Sequence[Partition], audited: Ints) -> Partition:
    """Put each candidate into the first part of a chain that holds audits enough.

    A part with `MIN_OF_GROUP` audits is a group; the candidates of the others go on to the next
    partition of the chain, where those that are still without a group are counted anew. What is
    left at the end is a group of its own, or joins the one with the fewest audits where it has too
    few itself.

    Parameters
    ----------
    chain
        Partitions of the same `n` candidates, the finest first.
    audited
        ``int64[m]``: rows of the audited candidates.

    Returns
    -------
    Partition
        With every candidate in a group; the finest groups first.

    Examples
    --------
    >>> one = Partition(np.repeat([0, 1, 2], [150, 50, 60]), ("cat", "dog", "husky"))
    >>> groups = find_groups([one], np.arange(260))
    >>> groups.names, np.bincount(groups.code).tolist()
    (('cat', 'the rest'), [150, 110])
    """
    group = np.full(len(chain[0].code), -1, np.int64)
    names: list[str] = []
    for partition in chain:
        code = np.where(group < 0, partition.code, -1)
        asked = code[audited]
        n_audits = np.bincount(asked[asked >= 0], minlength=len(partition.names))
        full = np.flatnonzero(n_audits >= MIN_OF_GROUP)
        place = np.full(len(partition.names) + 1, -1, np.int64)
        place[full] = len(names) + np.arange(len(full))
        group = np.where(group < 0, place[code], group)
        names += [partition.names[i] for i in full]
    return _with_rest(group, names, audited)


def _with_rest(group: Ints, names: list[str], audited: Ints) -> Partition:
    rest = group < 0
    if not names:
        return Partition(np.zeros(len(group), np.int64), ("all",))
    if not rest.any():
        return Partition(group, tuple(names))
    place = len(names)
    if rest[audited].sum() >= MIN_OF_GROUP:
        names = [*names, "the rest"]
    else:
        asked = group[audited]
        place = int(np.argmin(np.bincount(asked[asked >= 0], minlength=len(names))))
        names = [f"{name} and the rest" if i == place else name for i, name in enumerate(names)]
    return Partition(np.where(rest, place, group), tuple(names))
