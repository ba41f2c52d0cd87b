"""All evidence of some images to their candidates.

One sort of integers puts the rows in order; what is left is differences of neighbours and
reductions of runs. Nothing depends on the order of the rows: strengths are compared, counts are
integers.
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

Codes = npt.NDArray[np.int16]


class _United(NamedTuple):
    """What one source says about one (image, label), a row each, sorted."""

    image: Ints
    """Row of the distinct images."""
    label: Ints32
    source: npt.NDArray[np.int16]
    strength: Floats32
    n_pages: Ints32
    n_hosts: Ints32
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
        `labeling.evidence.evidence.SPOKEN`, in any order.
    heard
        `labeling.evidence.evidence.EVIDENCE_ROWS`, in any order.
    covered
        `labeling.evidence.evidence.COVERAGE` of the same images, in any order, rows may repeat.
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
    names, sources = _numbered([table["source"] for table in (spoken, heard, covered)])
    united, images = _unite(spoken, heard, np.concatenate(sources[:2]), len(names))
    united = _opened(united, np.isin(names, sorted(support_only)))
    first = run_starts(united.image, united.label)
    image = united.image[first]
    by_image = _covered(images, ids.to_halves(covered["image_id"]), sources[2], len(names))
    silent = np.take(by_image, image, axis=0)
    candidate = np.repeat(np.arange(len(first)), run_sizes(first, len(united.image)))
    np.put(silent, candidate * silent.shape[1] + united.source, False)
    source_names = pa.array(names.tolist(), pa.string())
    columns = [
        ids.from_halves(images).take(pa.array(image)),
        taxonomy.ids_of(united.label[first]),
        _evidence_lists(united, first, source_names),
        _silent_lists(silent, source_names),
        pa.array(_least(united.ambiguity, first)),
    ]
    return pa.Table.from_arrays(columns, schema=CANDIDATES.arrow)


def _numbered(columns: list[pa.ChunkedArray]) -> tuple[npt.NDArray[np.str_], list[Codes]]:
    """Return the distinct sources, sorted, and each row's place among them for each column."""
    coded = [column.combine_chunks() for column in columns]
    spelled = [column.dictionary.to_pylist() for column in coded]
    names = np.array(sorted({name for some in spelled for name in some}), dtype=np.str_)
    codes = []
    for column, some in zip(coded, spelled, strict=True):
        place = np.searchsorted(names, np.array(some, dtype=np.str_)).astype(np.int16)
        codes.append(place[column.indices.to_numpy()])
    return names, codes


def _unite(
    spoken: pa.Table, heard: pa.Table, source: Codes, n_sources: int
) -> tuple[_United, ids.Halves]:
    """Return what each source says about each pair, and the images in their order."""
    label = _joined("label", spoken, heard)
    halves = np.concatenate([ids.to_halves(table["image_id"]) for table in (spoken, heard)])
    source_bits = max(n_sources - 1, 0).bit_length()
    said = label.astype(np.uint64) << np.uint64(source_bits) | source.astype(np.uint64)
    order = ids.order_by_id(halves, said, int(said.max(initial=0)).bit_length())
    said, halves = said[order], ids.take_ids(halves, order)
    image = run_numbers(halves)
    starts = run_starts(image, said)
    first = order[starts]
    ones = np.ones(len(spoken), np.int32)
    columns = {
        "strength": _joined("strength", spoken, heard),
        "n_pages": np.concatenate([ones, heard["n_pages"].to_numpy()]),
        "n_hosts": np.concatenate([ones, heard["n_hosts"].to_numpy()]),
        "ambiguity": _joined("ambiguity", spoken, heard),
    }
    united = _United(
        image[starts], label[first], source[first], *(values[first] for values in columns.values())
    )
    _reduce(united, order, starts, columns, spoken["host"].to_numpy())
    return united, halves[run_begins(halves)]


def _joined(name: str, *tables: pa.Table) -> npt.NDArray[Any]:
    return np.concatenate([table[name].to_numpy() for table in tables])


def _reduce(
    united: _United,
    order: Ints,
    starts: Ints,
    columns: Mapping[str, npt.NDArray[Any]],
    host: Ints,
) -> None:
    """Put what several rows say together into `united`, which holds what the first of them says.

    Most are said once, so only the runs of several rows are looked at.
    """
    sizes = run_sizes(starts, len(order))
    several = np.flatnonzero(sizes > 1)
    if not len(several):
        return
    sizes = sizes[several]
    rows = order[ranges(starts[several], starts[several] + sizes)[1]]
    runs = np.cumsum(sizes) - sizes
    united.strength[several] = np.maximum.reduceat(columns["strength"][rows], runs)
    united.n_pages[several] = np.add.reduceat(columns["n_pages"][rows], runs)
    united.ambiguity[several] = np.minimum.reduceat(columns["ambiguity"][rows], runs)
    largest = np.maximum.reduceat(columns["n_hosts"][rows], runs)
    is_spoken = rows < len(host)
    run = np.repeat(np.arange(len(runs)), sizes)[is_spoken]
    distinct = _count_distinct(run, host[rows[is_spoken]], len(runs))
    united.n_hosts[several] = np.maximum(largest, distinct)


def _count_distinct(run: Ints, value: Ints, n_runs: int) -> Ints:
    """Return how many distinct values each run has."""
    order = np.lexsort((value, run))
    return np.bincount(run[order[run_starts(run[order], value[order])]], minlength=n_runs)


def _least(values: npt.NDArray[np.int16], starts: Ints) -> npt.NDArray[np.int16]:
    return np.minimum.reduceat(values, starts) if len(starts) else values


def _covered(images: ids.Halves, of_rows: ids.Halves, source: Codes, n_sources: int) -> Mask:
    """Return ``bool[n_images, n]``: which sources cover the image; `n` is a multiple of eight."""
    place, distinct = ids.rank(np.concatenate([images, of_rows]))
    covered = np.zeros((len(distinct), 8 * max(1, -(-n_sources // 8))), bool)
    covered[place[len(images) :], source] = True
    return covered[place[: len(images)]]


def _opened(united: _United, supports: Mask) -> _United:
    """Return the rows of pairs that some source opens."""
    if not supports.any() or not len(united.image):
        return united
    starts = run_starts(united.image, united.label)
    opens = np.logical_or.reduceat(~supports[united.source], starts)
    kept = np.repeat(opens, run_sizes(starts, len(united.image)))
    return _United(*(column[kept] for column in united))


def _evidence_lists(united: _United, first: Ints, names: pa.Array) -> pa.ListArray:
    offsets = pa.array(np.append(first, len(united.image)).astype(np.int32))
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


def _silent_lists(silent: Mask, names: pa.Array) -> pa.ListArray:
    """Return the sources of each row's true columns; their number is a multiple of eight."""
    width = silent.shape[1]
    n_silent = np.bitwise_count(silent.view(np.uint64)).sum(axis=1)
    offsets = np.zeros(len(silent) + 1, np.int32)
    np.cumsum(n_silent, out=offsets[1:])
    source = np.flatnonzero(silent) % width
    return pa.ListArray.from_arrays(pa.array(offsets), names.take(pa.array(source)))
