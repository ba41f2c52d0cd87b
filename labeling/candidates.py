"""All evidence of some images to their candidates.

One sort of a packed integer puts the rows in order; what is left is differences of neighbours and
reductions of runs. Nothing depends on the order of the rows: strengths are compared, counts are
integers.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeling import ids
from labeling.schemas import CANDIDATES, EVIDENCE_ITEM
from labeling.taxonomy import Taxonomy

Longs = npt.NDArray[np.int64]

LABEL_BITS = 31
"""Bits of a label's code."""


class _United(NamedTuple):
    """What one source says about one (image, label), a row each, sorted."""

    pair: Longs
    """The image's rank, shifted by `LABEL_BITS`, and the label's code."""
    source: Longs
    strength: npt.NDArray[np.float32]
    n_pages: npt.NDArray[np.int32]
    n_hosts: npt.NDArray[np.int32]
    ambiguity: npt.NDArray[np.int16]


def merge(
    spoken: pa.Table,
    heard: pa.Table,
    covered: pa.Table,
    taxonomy: Taxonomy,
    support_only: Collection[str] = (),
) -> pa.Table:
    """Merge all evidence of some images into their candidates.

    What a source says about an (image, label) in several rows is united: strength is the largest,
    ``n_pages`` the sum (each row of `spoken` is a page), ``n_hosts`` the number of distinct hosts
    or the largest number of a row, and ambiguity the smallest.

    Parameters
    ----------
    spoken
        `labeling.evidence.SPOKEN`, in any order.
    heard
        `labeling.evidence.EVIDENCE_ROWS`, in any order.
    covered
        `labeling.evidence.COVERAGE` of the same images, in any order, rows may repeat.
    taxonomy
        What the label codes mean.
    support_only
        Sources that support a candidate but do not open one: a pair for which only they speak is
        left out.

    Returns
    -------
    Table
        `labeling.schemas.CANDIDATES`, sorted by image and label: the same whatever the order of
        the rows.
    """
    tables = (spoken, heard, covered)
    names, sources = _numbered([table["source"] for table in tables])
    words = np.concatenate([ids.to_words(table["image_id"]) for table in tables])
    rank, images = ids.rank(words)
    n_rows = len(spoken) + len(heard)
    supports = np.isin(names, sorted(support_only))
    united = _opened(_unite(spoken, heard, rank[:n_rows], np.concatenate(sources[:2])), supports)
    first = _starts(united.pair)
    pair = united.pair[first]
    quiet = np.zeros((len(images), max(8, -(-len(names) // 8) * 8)), bool)
    quiet[rank[n_rows:], sources[2]] = True
    image, label = pair >> LABEL_BITS, pair & ((1 << LABEL_BITS) - 1)
    silent = quiet[image]
    silent[np.repeat(np.arange(len(first)), _sizes(first, len(united.pair))), united.source] = False
    sources_by_code = pa.array(names.tolist(), pa.string())
    columns = [
        ids.from_words(images).take(pa.array(image)),
        taxonomy.ids_of(label.astype(np.int32)),
        _evidence_lists(united, first, sources_by_code),
        _silent_lists(silent, sources_by_code),
        pa.array(_reduce(np.minimum, united.ambiguity, first)),
    ]
    return pa.Table.from_arrays(columns, schema=CANDIDATES.arrow)


def _numbered(columns: list[pa.ChunkedArray]) -> tuple[npt.NDArray[np.str_], list[Longs]]:
    """Return the distinct sources, sorted, and each row's place among them for each column."""
    coded = [column.combine_chunks() for column in columns]
    spelled = [column.dictionary.to_pylist() for column in coded]
    names = np.array(sorted({name for some in spelled for name in some}), dtype=np.str_)
    codes = []
    for column, some in zip(coded, spelled, strict=True):
        place = np.searchsorted(names, np.array(some, dtype=np.str_)).astype(np.int64)
        codes.append(place[column.indices.to_numpy()])
    return names, codes


def _unite(spoken: pa.Table, heard: pa.Table, rank: Longs, source: Longs) -> _United:
    labels = [table["label"].to_numpy() for table in (spoken, heard)]
    pair = rank << LABEL_BITS | np.concatenate(labels)
    order, pair, source = _sorted(pair, source)
    starts = _starts(pair, source)
    sizes = _sizes(starts, len(pair))
    ones = np.ones(len(spoken), np.int32)
    n_pages = np.concatenate([ones, heard["n_pages"].to_numpy()])
    n_hosts = np.concatenate([ones, heard["n_hosts"].to_numpy()])
    host = np.concatenate([spoken["host"].to_numpy(), np.zeros(len(heard), np.int64)])
    by_name = {
        name: np.concatenate([table[name].to_numpy() for table in (spoken, heard)])
        for name in ("strength", "ambiguity")
    }
    # Most are said once, so only the runs of several rows are reduced.
    first = order[starts]
    several = sizes > 1
    rows = order[np.repeat(several, sizes)]
    runs = np.cumsum(sizes[several]) - sizes[several]
    united = _United(
        pair[starts],
        source[starts],
        by_name["strength"][first],
        n_pages[first],
        n_hosts[first],
        by_name["ambiguity"][first],
    )
    if len(rows):
        united.strength[several] = np.maximum.reduceat(by_name["strength"][rows], runs)
        united.n_pages[several] = np.add.reduceat(n_pages[rows], runs)
        largest = np.maximum.reduceat(n_hosts[rows], runs)
        said = rows < len(spoken)
        run = np.repeat(np.arange(len(runs)), sizes[several])
        distinct = _count_distinct(run[said], host[rows[said]], len(runs))
        united.n_hosts[several] = np.maximum(largest, distinct)
        united.ambiguity[several] = np.minimum.reduceat(by_name["ambiguity"][rows], runs)
    return united


def _sorted(pair: Longs, source: Longs) -> tuple[Longs, Longs, Longs]:
    """Return the order of the rows by pair and source, and both in that order.

    Everything, with the row's number, is packed into one integer where it fits: integers are
    sorted several times as fast as places.
    """
    n_bits = max(len(pair) - 1, 0).bit_length()
    source_bits = int(source.max(initial=0)).bit_length()
    image = pair >> LABEL_BITS
    label = pair & ((1 << LABEL_BITS) - 1)
    label_bits = int(label.max(initial=0)).bit_length()
    if int(image.max(initial=0)).bit_length() + label_bits + source_bits + n_bits > 63:
        order = np.lexsort((source, pair))
        return order, pair[order], source[order]
    key = ((image << label_bits | label) << source_bits | source) << n_bits
    key |= np.arange(len(pair))
    key.sort()
    order = key & ((1 << n_bits) - 1)
    key >>= n_bits
    source = key & ((1 << source_bits) - 1)
    key >>= source_bits
    return order, key >> label_bits << LABEL_BITS | key & ((1 << label_bits) - 1), source


def _starts(*columns: Longs) -> Longs:
    """Return the first row of each run of rows that are equal in all columns."""
    new = np.ones(len(columns[0]), bool)
    np.not_equal(columns[0][1:], columns[0][:-1], out=new[1:])
    for column in columns[1:]:
        new[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(new)


def _sizes(starts: Longs, n_rows: int) -> Longs:
    return np.diff(starts, append=n_rows)


def _count_distinct(run: Longs, value: Longs, n_runs: int) -> Longs:
    """Return how many distinct values each run has."""
    _, code = np.unique(value, return_inverse=True)
    keys = run * (int(code.max(initial=0)) + 1) + code
    keys.sort()
    new = np.ones(len(keys), bool)
    new[1:] = keys[1:] != keys[:-1]
    return np.bincount(keys[new] // (int(code.max(initial=0)) + 1), minlength=n_runs)


def _reduce(
    function: np.ufunc, values: npt.NDArray[np.int16], starts: Longs
) -> npt.NDArray[np.int16]:
    return np.asarray(function.reduceat(values, starts)) if len(starts) else values


def _opened(united: _United, supports: npt.NDArray[np.bool_]) -> _United:
    """Return the rows of pairs that some source opens."""
    if not supports.any() or not len(united.pair):
        return united
    starts = _starts(united.pair)
    opens = np.logical_or.reduceat(~supports[united.source], starts)
    kept = np.repeat(opens, _sizes(starts, len(united.pair)))
    return _United(*(column[kept] for column in united))


def _evidence_lists(united: _United, first: Longs, names: pa.Array) -> pa.ListArray:
    offsets = pa.array(np.append(first, len(united.pair)).astype(np.int32))
    by_name = {
        "source": names.take(pa.array(united.source)),
        "strength": pa.array(united.strength),
        "n_pages": pa.array(united.n_pages),
        "n_hosts": pa.array(united.n_hosts),
    }
    items = pa.StructArray.from_arrays(
        [by_name[f.name] for f in EVIDENCE_ITEM], fields=list(EVIDENCE_ITEM)
    )
    return pa.ListArray.from_arrays(offsets, items)


def _silent_lists(silent: npt.NDArray[np.bool_], names: pa.Array) -> pa.ListArray:
    """Return the sources of each row's true columns; their number is a multiple of eight."""
    width = silent.shape[1]
    n_silent = np.bitwise_count(silent.view(np.uint64)).sum(axis=1)
    offsets = np.zeros(len(silent) + 1, np.int32)
    np.cumsum(n_silent, out=offsets[1:])
    source = np.flatnonzero(silent) % width
    return pa.ListArray.from_arrays(pa.array(offsets), names.take(pa.array(source)))
