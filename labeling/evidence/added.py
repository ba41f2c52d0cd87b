"""Evidence of further sources: rows of any file to votes on candidates that exist already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys import ids
from labeling.keys.arrays import Floats, Ints, Ints32, Mask
from labeling.keys.runs import run_begins, run_numbers, run_sizes, run_starts
from labeling.schemas import CANDIDATES, EVIDENCE_ITEM
from labeling.taxonomy.taxonomy import Codes, Taxonomy


class Votes(NamedTuple):
    """Votes of further sources, sorted by image, label and source, each of these three once.

    Attributes
    ----------
    image
        ``uint64[n, 2]``: ids (`labeling.keys.ids`).
    label
        ``int32[n]``: codes of the taxonomy.
    source
        ``int32[n]``: indices in `sources`.
    strength
        ``float64[n]``: finite in the units of the source; above 0 and at most 1 after `graded`.
    sources
        Names, sorted.
    """

    image: ids.Halves
    label: Codes
    source: Ints32
    strength: Floats
    sources: tuple[str, ...]

    def take(self, rows: Ints | Mask) -> Votes:
        """Return some of the votes."""
        return Votes(
            self.image[rows],
            self.label[rows],
            self.source[rows],
            self.strength[rows],
            self.sources,
        )


def strongest(votes: Votes) -> Votes:
    """Return the votes sorted, and of those of a source on one pair the strongest."""
    order = np.lexsort(
        (-votes.strength, votes.source, votes.label, votes.image[:, 1], votes.image[:, 0])
    )
    ordered = votes.take(order)
    return ordered.take(run_starts(ordered.image, ordered.label, ordered.source))


def graded(votes: Votes) -> Votes:
    """Return the votes with strengths in (0, 1]: the mean rank in the source over its votes.

    Only the order of the strengths of a source counts, so that any unit is possible; the audits
    give it its meaning.

    Examples
    --------
    >>> image = np.array([[0, 1], [0, 2], [0, 3], [0, 4]], np.uint64)
    >>> rest = np.zeros(4, np.int32), np.zeros(4, np.int32)
    >>> graded(Votes(image, *rest, np.array([-7.0, 90, 90, 0]), ("clip",))).strength.tolist()
    [0.25, 0.875, 0.875, 0.5]
    """
    order = np.lexsort((votes.strength, votes.source))
    source, strength = votes.source[order], votes.strength[order]
    starts = run_starts(source, strength)
    n_equal = run_sizes(starts, len(order))
    first = np.flatnonzero(run_begins(source))
    n_of_source = run_sizes(first, len(order))
    below = starts - first[run_numbers(source)[starts]]
    rank = (below + (n_equal + 1) / 2) / n_of_source[run_numbers(source)[starts]]
    grade = np.empty(len(order))
    grade[order] = np.repeat(rank, n_equal)
    return votes._replace(strength=grade)


def find_votes(votes: Votes, pairs: pa.Table, taxonomy: Taxonomy) -> Ints:
    """Return the candidate of each vote, ``int64[n]``, -1 where its pair is not a candidate.

    Parameters
    ----------
    pairs
        Table with ``image_id`` and ``label_id`` of candidates, in any order.
    """
    n = len(pairs)
    both = np.concatenate([ids.to_halves(pairs["image_id"]), votes.image])
    label = np.concatenate([taxonomy.codes(pairs["label_id"]), votes.label])
    bits = max(int(label.max(initial=0)), 1).bit_length()
    order = ids.order_by_id(both, label.astype(np.uint64), bits)
    pair = np.empty(len(order), np.int64)
    pair[order] = run_numbers(ids.take_ids(both, order), label[order])
    row_of = np.full(len(order), -1, np.int64)
    row_of[pair[:n]] = np.arange(n)
    return row_of[pair[n:]]


def _covered(votes: Votes, image: ids.Halves) -> Mask:
    """Return whether each source has a vote on each image, ``bool[n, n_sources]``."""
    n = len(image)
    code = ids.rank(np.concatenate([image, votes.image]))[0]
    covered = np.zeros((code.max(initial=-1) + 1, len(votes.sources)), bool)
    covered[code[n:], votes.source] = True
    return covered[code[:n]]


def add_votes(candidates: pa.Table, votes: Votes, row: Ints) -> pa.Table:
    """Add the votes of further sources to candidates.

    A source that votes on an image and not on a candidate of it is silent there; an image without
    a vote is not covered.

    Parameters
    ----------
    candidates
        `labeling.schemas.CANDIDATES`, without evidence of these sources.
    votes
        All votes on their images, each source once on a pair, with strengths in (0, 1] where the
        pair is a candidate.
    row
        ``int64[n]``: the candidate of each vote (`find_votes`), -1 for none.

    Returns
    -------
    Table
        The candidates in the same order.
    """
    used = row >= 0
    covered = _covered(votes, ids.to_halves(candidates["image_id"]))
    covered[row[used], votes.source[used]] = False
    columns = {
        "evidence": _with_items(candidates["evidence"], votes.take(used), row[used]),
        "silent": _with_silent(candidates["silent"], covered, votes.sources),
    }
    for name, column in columns.items():
        candidates = candidates.set_column(candidates.column_names.index(name), name, column)
    return candidates.cast(CANDIDATES.arrow)


def without_sources(candidates: pa.Table, sources: Sequence[str]) -> pa.Table:
    """Return candidates, or some of their columns, without the votes and silences of sources."""
    named = pa.array(sources, pa.string())
    for number, name in enumerate(candidates.column_names):
        if name not in ("evidence", "silent"):
            continue
        lists = _plain(candidates[name])
        items = pc.list_flatten(lists)
        source = pc.struct_field(items, "source") if name == "evidence" else items
        stays = pc.invert(pc.is_in(source, value_set=named))
        row = _row_of_items(lists)[np.asarray(stays)]
        column = _lists(items.filter(stays), row, len(candidates))
        candidates = candidates.set_column(number, name, column)
    return candidates.cast(pa.schema([CANDIDATES.arrow.field(n) for n in candidates.column_names]))


def _with_items(evidence: pa.ChunkedArray, votes: Votes, row: Ints) -> pa.ListArray:
    lists = _plain(evidence)
    ones = pa.array(np.ones(len(row), np.int32))
    names = pa.array(votes.sources, pa.string()).take(pa.array(votes.source))
    added = pa.StructArray.from_arrays(
        [names, pa.array(votes.strength.astype(np.float32)), ones, ones], fields=[*EVIDENCE_ITEM]
    )
    items = pa.concat_arrays([pc.list_flatten(lists).cast(EVIDENCE_ITEM), added])
    return _sorted_lists(items, pc.struct_field(items, "source"), lists, row)


def _with_silent(
    silent: pa.ChunkedArray, is_silent: Mask, sources: tuple[str, ...]
) -> pa.ListArray:
    lists = _plain(silent)
    row, source = np.nonzero(is_silent)
    added = pa.array(sources, pa.string()).take(pa.array(source))
    names = pa.concat_arrays([pc.list_flatten(lists), added])
    return _sorted_lists(names, names, lists, row)


def _sorted_lists(items: pa.Array, source: pa.Array, lists: pa.ListArray, row: Ints) -> pa.Array:
    """Return lists of items of `lists` and of further ones, by their rows, sorted by source."""
    rows = np.concatenate([_row_of_items(lists), row])
    coded = source.dictionary_encode()
    rank = np.argsort(np.argsort(np.array(coded.dictionary.to_pylist(), np.str_)))
    order = np.lexsort((rank[np.asarray(coded.indices)], rows)) if len(rows) else rows
    return _lists(items.take(pa.array(order)), rows[order], len(lists))


def _row_of_items(lists: pa.ListArray) -> Ints:
    return np.asarray(pc.list_parent_indices(lists), np.int64)


def _lists(items: pa.Array, row: Ints, n: int) -> pa.ListArray:
    """Return `n` lists of items, by the row of each, ascending."""
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), items)


def _plain(column: pa.ChunkedArray) -> pa.ListArray:
    return column.combine_chunks()
