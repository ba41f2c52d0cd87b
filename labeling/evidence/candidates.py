"""All evidence of some images to their candidates.

The rows are sorted once by integers; the rest is comparisons of neighbours and reductions of runs.
Nothing depends on the order of the rows: strengths are compared, counts are integers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeling.keys import ids
from labeling.keys.arrays import Floats32, Ints, Ints32, Mask
from labeling.keys.runs import ranges, run_begins, run_numbers, run_sizes, run_starts
from labeling.schemas import CANDIDATES, EVIDENCE_ITEM
from labeling.taxonomy.taxonomy import Taxonomy

SourceCodes = npt.NDArray[np.int16]


class _Votes(NamedTuple):
    """The evidence of one source for one (image, label) per row, sorted by these three.

    ``image`` is the row of the image among the distinct images.
    """

    image: Ints
    label: Ints32
    source: SourceCodes
    strength: Floats32
    n_pages: Ints32
    n_hosts: Ints32
    ambiguity: npt.NDArray[np.int16]


def merge(
    mentions: pa.Table,
    evidence: pa.Table,
    coverage: pa.Table,
    taxonomy: Taxonomy,
    support_only: Collection[str] = (),
) -> pa.Table:
    """Merge all evidence of some images into their candidates.

    Several rows of a source about an (image, label) are merged: strength is the largest,
    ``n_pages`` the sum (a page counts for each distinct text of the source that names the label),
    ``n_hosts`` the number of distinct hosts of the mentions or the largest number of a row, and
    ambiguity the smallest.

    Parameters
    ----------
    mentions
        `labeling.evidence.evidence.PAGE_MENTIONS`, in any order.
    evidence
        `labeling.evidence.evidence.EVIDENCE_ROWS`, in any order.
    coverage
        `labeling.evidence.evidence.COVERAGE` of the same images, in any order, rows may repeat.
    taxonomy
        The taxonomy of the label codes.
    support_only
        Sources that support a candidate but do not make one: a pair with votes of these sources
        alone is left out.

    Returns
    -------
    Table
        `labeling.schemas.CANDIDATES`, sorted by image and label.
    """
    names, sources = _source_codes([table["source"] for table in (mentions, evidence, coverage)])
    votes, images = _sorted_votes(mentions, evidence, np.concatenate(sources[:2]), len(names))
    votes = _without_unopened(votes, np.isin(names, sorted(support_only)))
    first = run_starts(votes.image, votes.label)
    image = votes.image[first]
    by_image = _covered(images, ids.to_halves(coverage["image_id"]), sources[2], len(names))
    silent = np.take(by_image, image, axis=0)
    candidate = np.repeat(np.arange(len(first)), run_sizes(first, len(votes.image)))
    np.put(silent, candidate * silent.shape[1] + votes.source, False)
    source_names = pa.array(names.tolist(), pa.string())
    columns = [
        ids.from_halves(images).take(pa.array(image)),
        taxonomy.ids_of(votes.label[first]),
        _evidence_lists(votes, first, source_names),
        _silent_lists(silent, source_names),
        pa.array(_least(votes.ambiguity, first)),
    ]
    return pa.Table.from_arrays(columns, schema=CANDIDATES.arrow)


def _source_codes(
    columns: list[pa.ChunkedArray],
) -> tuple[npt.NDArray[np.str_], list[SourceCodes]]:
    """Return the distinct sources, sorted, and for each column the code of each row's source."""
    coded = [column.combine_chunks() for column in columns]
    known = [np.array(column.dictionary.to_pylist(), np.str_) for column in coded]
    names = np.unique(np.concatenate(known))
    codes = [
        np.searchsorted(names, some).astype(np.int16)[column.indices.to_numpy()]
        for column, some in zip(coded, known, strict=True)
    ]
    return names, codes


def _sorted_votes(
    mentions: pa.Table, evidence: pa.Table, source: SourceCodes, n_sources: int
) -> tuple[_Votes, ids.Halves]:
    """Return the votes, and the distinct images, sorted."""
    label = _joined("label", mentions, evidence)
    halves = np.concatenate([ids.to_halves(table["image_id"]) for table in (mentions, evidence)])
    source_bits = max(n_sources - 1, 0).bit_length()
    key = label.astype(np.uint64) << np.uint64(source_bits) | source.astype(np.uint64)
    order = ids.order_by_id(halves, key, int(key.max(initial=0)).bit_length())
    key, halves = key[order], ids.take_ids(halves, order)
    image = run_numbers(halves)
    starts = run_starts(image, key)
    first = order[starts]
    columns = {
        "strength": _joined("strength", mentions, evidence),
        "n_pages": np.concatenate([mentions["n_texts"].to_numpy(), evidence["n_pages"].to_numpy()]),
        "n_hosts": np.concatenate(
            [np.ones(len(mentions), np.int32), evidence["n_hosts"].to_numpy()]
        ),
        "ambiguity": _joined("ambiguity", mentions, evidence),
    }
    votes = _Votes(
        image[starts], label[first], source[first], *(values[first] for values in columns.values())
    )
    _reduce(votes, order, starts, columns, mentions["host"].to_numpy())
    return votes, halves[run_begins(halves)]


def _joined(name: str, *tables: pa.Table) -> npt.NDArray[Any]:
    return np.concatenate([table[name].to_numpy() for table in tables])


def _reduce(
    votes: _Votes,
    order: Ints,
    starts: Ints,
    columns: Mapping[str, npt.NDArray[Any]],
    host: Ints,
) -> None:
    """Merge the rows of each vote into `votes`, which has the values of the first row of each."""
    # Most votes have one row, so that only the runs of several rows are reduced.
    sizes = run_sizes(starts, len(order))
    several = np.flatnonzero(sizes > 1)
    if not len(several):
        return
    sizes = sizes[several]
    rows = order[ranges(starts[several], starts[several] + sizes)[1]]
    runs = np.cumsum(sizes) - sizes
    votes.strength[several] = np.maximum.reduceat(columns["strength"][rows], runs)
    votes.n_pages[several] = np.add.reduceat(columns["n_pages"][rows], runs)
    votes.ambiguity[several] = np.minimum.reduceat(columns["ambiguity"][rows], runs)
    largest = np.maximum.reduceat(columns["n_hosts"][rows], runs)
    is_mention = rows < len(host)
    run = np.repeat(np.arange(len(runs)), sizes)[is_mention]
    distinct = _count_distinct(run, host[rows[is_mention]], len(runs))
    votes.n_hosts[several] = np.maximum(largest, distinct)


def _count_distinct(run: Ints, value: Ints, n_runs: int) -> Ints:
    """Return the number of distinct values of each run."""
    order = np.lexsort((value, run))
    return np.bincount(run[order[run_starts(run[order], value[order])]], minlength=n_runs)


def _least(values: npt.NDArray[np.int16], starts: Ints) -> npt.NDArray[np.int16]:
    return np.minimum.reduceat(values, starts) if len(starts) else values


def _covered(images: ids.Halves, of_rows: ids.Halves, source: SourceCodes, n_sources: int) -> Mask:
    """Return ``bool[n_images, n]``: the sources that cover each image.

    `n` is a multiple of eight, so that eight flags can be counted as one integer.
    """
    rank, distinct = ids.rank(np.concatenate([images, of_rows]))
    covered = np.zeros((len(distinct), 8 * max(1, -(-n_sources // 8))), bool)
    covered[rank[len(images) :], source] = True
    return covered[rank[: len(images)]]


def _without_unopened(votes: _Votes, supports: Mask) -> _Votes:
    """Return the votes for pairs with a vote of another source than those that only support."""
    if not supports.any() or not len(votes.image):
        return votes
    starts = run_starts(votes.image, votes.label)
    opens = np.logical_or.reduceat(~supports[votes.source], starts)
    kept = np.repeat(opens, run_sizes(starts, len(votes.image)))
    return _Votes(*(column[kept] for column in votes))


def _evidence_lists(votes: _Votes, first: Ints, names: pa.Array) -> pa.ListArray:
    offsets = pa.array(np.append(first, len(votes.image)).astype(np.int32))
    by_name = {
        "source": names.take(pa.array(votes.source)),
        "strength": pa.array(votes.strength),
        "n_pages": pa.array(votes.n_pages),
        "n_hosts": pa.array(votes.n_hosts),
    }
    items = pa.StructArray.from_arrays(
        [by_name[f.name] for f in EVIDENCE_ITEM], fields=list(EVIDENCE_ITEM)
    )
    return pa.ListArray.from_arrays(offsets, items)


def _silent_lists(silent: Mask, names: pa.Array) -> pa.ListArray:
    """Return the sources of the true columns of each row; the width is a multiple of eight."""
    width = silent.shape[1]
    n_silent = np.bitwise_count(silent.view(np.uint64)).sum(axis=1)
    offsets = np.zeros(len(silent) + 1, np.int32)
    np.cumsum(n_silent, out=offsets[1:])
    source = np.flatnonzero(silent) % width
    return pa.ListArray.from_arrays(pa.array(offsets), names.take(pa.array(source)))
