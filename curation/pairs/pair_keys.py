"""Pairs of an image and a label as numbers: hashes to draw and order by, and joins.

A hash depends on the ids and the seed alone, so that draws and ties are the same on any machine and
for any order of rows.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys.arrays import Ints, Ints32
from labeling.keys.hashing import GOLDEN, Hashes, scramble
from labeling.keys.ids import BINARY, Halves, digest_halves, from_halves, to_binary, to_halves
from labeling.keys.runs import run_begins
from labeling.schemas import HEX_ID, Batch

PAIR = ["image_id", "label_id"]
"""Columns that identify a candidate."""

N_AT_ONCE = 1 << 18
"""Pairs that are hashed together: bounds the memory."""


def image_hash(images: pa.Array | pa.ChunkedArray, seed: int = 0) -> Hashes:
    """Return a hash of each image id and the seed.

    Examples
    --------
    >>> image_hash(pa.array(["0" * 32, "0" * 31 + "1"]), seed=7) % np.uint64(10)
    array([4, 0], dtype=uint64)
    """
    return hash_halves(to_halves(images), seed)


def hash_halves(halves: Halves, seed: int = 0) -> Hashes:
    """Return `image_hash` of ids that `labeling.keys.ids.to_halves` has read, ``uint64[n, 2]``."""
    start = np.array([(seed * int(GOLDEN)) % 2**64], np.uint64)
    return _mix(_mix(start + halves[:, 0]) + halves[:, 1])


def pair_hash(pairs: Batch, seed: int = 0) -> Hashes:
    """Return a hash of each ``(image_id, label_id)`` and the seed."""
    hashes = np.empty(pairs.num_rows, np.uint64)
    for start in range(0, len(hashes), N_AT_ONCE):
        part = pairs.slice(start, N_AT_ONCE)
        of_label = digest_halves(part.column("label_id"))[:, 0]
        hashes[start : start + len(of_label)] = _mix(
            image_hash(part.column("image_id"), seed) + of_label
        )
    return hashes


def find_pairs(pairs: Batch, among: Batch) -> Ints:
    """Return the row of each pair in `among`, or -1 if it is missing.

    Parameters
    ----------
    pairs, among
        Tables with ``image_id`` and ``label_id``, one or both of them packed
        (`curation.pairs.packed`). If `among` holds a pair twice, any of its rows may be returned.
        The time is about that of one look at each image of the longer table.

    Examples
    --------
    >>> among = pa.table({"image_id": ["0" * 32, "1" * 32], "label_id": ["cat", "dog"]})
    >>> find_pairs(among.take([1]), among), find_pairs(among, among.take([1]))
    (array([1]), array([-1,  0]))
    """
    rows = np.full(pairs.num_rows, -1, np.int64)
    if pairs.num_rows <= among.num_rows:
        some = _of_images(among, pairs)
        row_of_some = _find_all(pairs, among.select(PAIR).take(pa.array(some)))
        is_there = row_of_some >= 0
        rows[is_there] = some[row_of_some[is_there]]
    else:
        some = _of_images(pairs, among)
        rows[some] = _find_all(pairs.select(PAIR).take(pa.array(some)), among)
    return rows


def _of_images(pairs: Batch, others: Batch) -> Ints:
    """Return the rows of pairs whose image one of the others has."""
    images, of_others = pairs.column("image_id"), others.column("image_id")
    if images.type != of_others.type:
        of_others = _in_form(of_others, images.type)
    return np.flatnonzero(np.asarray(pc.is_in(images, value_set=_unchunked(of_others)), bool))


def _find_all(pairs: Batch, among: Batch) -> Ints:
    n_among = among.num_rows
    codes = _joint_codes(among, pairs)
    order = np.argsort(codes[:n_among], kind="stable")
    keys, wanted = codes[:n_among][order], codes[n_among:]
    at = np.searchsorted(keys, wanted)
    is_present = at < n_among
    is_present[is_present] = keys[at[is_present]] == wanted[is_present]
    rows = np.full(len(wanted), -1, np.int64)
    rows[is_present] = order[at[is_present]]
    return rows


def image_codes(images: pa.Array | pa.ChunkedArray) -> Ints32:
    """Return `codes_of` ids of images, in little memory where rows of an image are adjacent.

    Examples
    --------
    >>> image_codes(pa.array(["1" * 32, "1" * 32, "0" * 32])).tolist()
    [0, 0, 1]
    """
    begins, before, hashes = np.zeros(len(images), bool), None, [np.zeros(0, np.uint64)]
    for start in range(0, len(images), N_AT_ONCE):
        halves = to_halves(images.slice(start, N_AT_ONCE))
        of_part = run_begins(halves)
        of_part[0] = before is None or (halves[0] != before).any()
        before = halves[-1]
        begins[start : start + len(halves)] = of_part
        hashes.append(hash_halves(halves[of_part]))
    of_runs = np.sort(np.concatenate(hashes))
    is_adjacent = not (of_runs[1:] == of_runs[:-1]).any()
    return np.cumsum(begins, dtype=np.int32) - np.int32(1) if is_adjacent else codes_of(images)


def codes_of(ids: pa.Array | pa.ChunkedArray) -> Ints32:
    """Return one integer for each text, ``int32[n]``: equal where the texts are equal.

    Examples
    --------
    >>> codes_of(pa.array(["dog", "cat", "dog"])).tolist()
    [0, 1, 0]
    """
    return np.asarray(_unchunked(ids).dictionary_encode().indices, np.int32)


def dictionary_of(ids: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the text of each number of `codes_of`.

    Examples
    --------
    >>> dictionary_of(pa.array(["dog", "cat", "dog"])).to_pylist()
    ['dog', 'cat']
    """
    return _unchunked(ids).dictionary_encode().dictionary


def _joint_codes(first: Batch, second: Batch) -> Ints:
    """Return one integer for each pair of both tables: equal where the pairs are equal."""
    images, labels = (
        pa.chunked_array([_text(first.column(name)), _text(second.column(name))]).combine_chunks()
        for name in PAIR
    )
    image, label = images.dictionary_encode(), labels.dictionary_encode()
    n_labels = np.int64(max(len(label.dictionary), 1))
    return np.asarray(image.indices, np.int64) * n_labels + np.asarray(label.indices, np.int64)


def _text(ids: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return ids or labels as texts."""
    column = _unchunked(ids)
    if column.type == BINARY:
        return from_halves(to_halves(column))
    return column.cast(pa.string())


def _in_form(images: pa.Array | pa.ChunkedArray, form: pa.DataType) -> pa.Array:
    """Return image ids as texts or bytes; texts of another form are left out."""
    column = _text(images)
    if form != BINARY:
        return column
    return to_binary(column.filter(pc.match_substring_regex(column, HEX_ID)))


def _unchunked(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.Array):
        return column
    # Combining copies, even where there is one chunk.
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _mix(state: Hashes) -> Hashes:
    return scramble(state + GOLDEN)
