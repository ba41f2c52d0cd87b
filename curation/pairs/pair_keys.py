"""Pairs of an image and a label as numbers: hashes to draw and order by, and joins.

A hash depends on the ids and the seed alone, so that draws and ties are the same on any machine and
for any order of rows.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from labeling.keys.arrays import Ints
from labeling.keys.hashing import GOLDEN, Hashes, scramble
from labeling.keys.ids import Halves, digest_halves, to_halves
from labeling.schemas import Batch

PAIR = ["image_id", "label_id"]
"""Columns that identify a candidate."""


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
    of_label = digest_halves(pairs.column("label_id"))[:, 0]
    return _mix(image_hash(pairs.column("image_id"), seed) + of_label)


def find_pairs(pairs: Batch, among: Batch) -> Ints:
    """Return the row of each pair in `among`, or -1 if it is missing.

    Parameters
    ----------
    pairs, among
        Tables with ``image_id`` and ``label_id``. If `among` holds a pair twice, any of its rows
        may be returned.

    Examples
    --------
    >>> among = pa.table({"image_id": ["0" * 32, "1" * 32], "label_id": ["cat", "dog"]})
    >>> find_pairs(among.take([1]), among), find_pairs(among, among.take([1]))
    (array([1]), array([-1,  0]))
    """
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


def codes_of(ids: pa.Array | pa.ChunkedArray) -> Ints:
    """Return one integer for each text, ``int64[n]``: equal where the texts are equal.

    Examples
    --------
    >>> codes_of(pa.array(["dog", "cat", "dog"])).tolist()
    [0, 1, 0]
    """
    return np.asarray(_unchunked(ids).dictionary_encode().indices, np.int64)


def _joint_codes(first: Batch, second: Batch) -> Ints:
    """Return one integer for each pair of both tables: equal where the pairs are equal."""
    images, labels = (
        pa.chunked_array(
            [_unchunked(first.column(name)), _unchunked(second.column(name))]
        ).combine_chunks()
        for name in PAIR
    )
    image, label = images.dictionary_encode(), labels.dictionary_encode()
    n_labels = np.int64(max(len(label.dictionary), 1))
    return np.asarray(image.indices, np.int64) * n_labels + np.asarray(label.indices, np.int64)


def _unchunked(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _mix(state: Hashes) -> Hashes:
    return scramble(state + GOLDEN)
