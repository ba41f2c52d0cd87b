"""Groups of candidates that get thresholds of their own, pooled where audits are few.

A candidate is put into the finest group of a chain, such as label, parent, level, that has enough
audits. Only their number decides, never a verdict: the groups do not depend on their precision, so
what is proved of each holds as if they had been fixed in advance.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys.arrays import Ints
from labeling.taxonomy.taxonomy import Codes, Taxonomy

MIN_OF_GROUP = 100
"""Audits that a group needs: with fewer, hardly any useful precision can be proved."""


@dataclass(frozen=True, eq=False)
class Partition:
    """A partition of `n` candidates.

    Attributes
    ----------
    code
        ``int[n]``: position of each candidate's part in `names`; -1 for a candidate in no part.
    names
        Names of the parts.
    """

    code: npt.NDArray[np.signedinteger]
    names: tuple[str, ...]


def one_group(n: int) -> Partition:
    """Return the partition of `n` candidates that has one part."""
    return Partition(np.broadcast_to(np.int8(0), n), ("all",))


def by_level(label: Codes, taxonomy: Taxonomy) -> list[Partition]:
    """Return the chain of the level of the label: see `find_groups`."""
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
    """Return the chain of the sources that vote for the label, and their number.

    Parameters
    ----------
    parts
        The column ``evidence`` of `labeling.schemas.CANDIDATES`, in parts.
    """
    number: dict[str, int] = {}
    codes, counts = [np.zeros(0, np.int32)], [np.zeros(0, np.int16)]
    for evidence in parts:
        n_votes = np.asarray(pc.list_value_length(evidence), np.int64)
        source = pc.struct_field(pc.list_flatten(evidence), "source")
        offsets = pa.array(np.concatenate([[0], np.cumsum(n_votes)]), pa.int32())
        lists = pa.ListArray.from_arrays(offsets, source.combine_chunks())
        pattern = pc.binary_join(lists, " + ").dictionary_encode()
        of_part = [number.setdefault(name, len(number)) for name in pattern.dictionary.to_pylist()]
        codes.append(np.array(of_part, np.int32)[np.asarray(pattern.indices)])
        counts.append(n_votes.astype(np.int16))
    names = sorted(number)
    rank = np.empty(len(names), np.int32)
    rank[[number[name] for name in names]] = np.arange(len(names))
    code = rank[np.concatenate(codes)]
    n_votes = np.concatenate(counts)
    numbers = range(int(n_votes.max(initial=0)) + 1)
    return [
        Partition(code, tuple(names)),
        Partition(n_votes, tuple(f"{n} source{'s' * (n != 1)}" for n in numbers)),
    ]


def find_groups(chain: Sequence[Partition], audited: Ints) -> Partition:
    """Put each candidate into the first part of a chain that has enough audits.

    A part with `MIN_OF_GROUP` audits is a group; the other candidates pass to the next partition
    of the chain, in which only candidates without a group are counted. The candidates left at the
    end are a group of their own, or join the group with the fewest audits if they have too few.

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
    >>> labels = Partition(np.repeat([0, 1, 2], [150, 50, 60]), ("cat", "dog", "husky"))
    >>> groups = find_groups([labels], np.arange(260))
    >>> groups.names, np.bincount(groups.code).tolist()
    (('cat', 'the rest'), [150, 110])
    """
    group = np.full(len(chain[0].code), -1, np.int64)
    names: list[str] = []
    for partition in chain:
        code = np.where(group < 0, partition.code, -1)
        n_audits = _count(code[audited], len(partition.names))
        full = np.flatnonzero(n_audits >= MIN_OF_GROUP)
        # One entry more than parts, so that code -1 is looked up as no group.
        group_of_part = np.full(len(partition.names) + 1, -1, np.int64)
        group_of_part[full] = len(names) + np.arange(len(full))
        group = np.where(group < 0, group_of_part[code], group)
        names += [partition.names[i] for i in full]
    return _with_rest(group, names, audited)


def _with_rest(group: Ints, names: list[str], audited: Ints) -> Partition:
    rest = group < 0
    if not names:
        return one_group(len(group))
    if not rest.any():
        return Partition(group, tuple(names))
    joined = len(names)
    if rest[audited].sum() >= MIN_OF_GROUP:
        names = [*names, "the rest"]
    else:
        joined = int(np.argmin(_count(group[audited], len(names))))
        names = [*names[:joined], f"{names[joined]} and the rest", *names[joined + 1 :]]
    return Partition(np.where(rest, joined, group), tuple(names))


def _count(code: Ints, n: int) -> Ints:
    """Count each code in 0…n-1; -1 is ignored."""
    return np.bincount(code[code >= 0], minlength=n)
