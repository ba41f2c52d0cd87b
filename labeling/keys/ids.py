"""Ids: 128-bit digests as 32 hexadecimal digits, as 16 bytes or as two integers.

Public tables contain the digits; tables within the passes contain the bytes (`BINARY`), which need
half the memory and have the same order. Kernels compute with the integers.
"""

from __future__ import annotations

import hashlib
from io import BufferedReader

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeling.keys.arrays import Ints
from labeling.keys.runs import run_begins, run_numbers

Halves = npt.NDArray[np.uint64]
"""``uint64[n, 2]``: high and low half of each id."""

BINARY = pa.binary(16)
"""Arrow type of an id within the passes."""

_DIGITS = np.frombuffer(b"".join(b"%02x" % n for n in range(256)), dtype=np.uint16)
"""Both digits of each byte."""


def digest(content: bytes | str) -> str:
    """Return the id of some bytes, or of the UTF-8 of a text: half of the SHA-256, 32 digits.

    Examples
    --------
    >>> digest("https://example.org/cat.jpg")
    'ebec1c51c646ff59fae2d9ed877a1bd1'
    """
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()[:32]


def digest_file(file: BufferedReader) -> str:
    """Return `digest` of the content of a file, without reading it into memory at once."""
    return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def digests(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return `digest` of each text; equal texts are hashed once."""
    return from_halves(digest_halves(texts))


def digest_halves(texts: pa.Array | pa.ChunkedArray) -> Halves:
    """Return `digests` as ``uint64[n, 2]``."""
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    coded = column.dictionary_encode()
    distinct = pa.array([digest(text) for text in coded.dictionary.to_pylist()], pa.string())
    return np.take(to_halves(distinct), np.asarray(coded.indices), axis=0)


def to_halves(ids: pa.Array | pa.ChunkedArray) -> Halves:
    """Return checked ids, hexadecimal or `BINARY`, as ``uint64[n, 2]`` in the same order.

    Examples
    --------
    >>> to_halves(pa.array(["0000000000000001" + "00000000000000ff"])).tolist()
    [[1, 255]]
    """
    column = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    if len(column) == 0:
        return np.empty((0, 2), np.uint64)
    if column.type == BINARY:
        content = np.frombuffer(column.buffers()[1], ">u8").reshape(-1, 2)
        return content[column.offset : column.offset + len(column)].astype(np.uint64)
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset :]
    start, stop = int(offsets[0]), int(offsets[len(column)])
    text = np.frombuffer(column.buffers()[2], np.uint8)[start:stop].reshape(len(column), 32)
    nibbles = np.where(text >= ord("a"), text - (ord("a") - 10), text - ord("0"))
    octets = (nibbles[:, 0::2] << 4) | nibbles[:, 1::2]
    return np.ascontiguousarray(octets).view(">u8").astype(np.uint64)


def from_halves(halves: Halves) -> pa.Array:
    """Return ``uint64[n, 2]`` as an Arrow array of 32 hexadecimal digits each.

    Examples
    --------
    >>> from_halves(np.array([[1, 255]], dtype=np.uint64)).to_pylist()
    ['000000000000000100000000000000ff']
    """
    octets = np.ascontiguousarray(halves.astype(">u8")).view(np.uint8)
    text = _DIGITS[octets]
    offsets = np.arange(0, 32 * (len(halves) + 1), 32, dtype=np.int32)
    return pa.StringArray.from_buffers(len(halves), pa.py_buffer(offsets), pa.py_buffer(text))


def to_binary(ids: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return checked hexadecimal ids as `BINARY`.

    Examples
    --------
    >>> to_binary(pa.array(["0000000000000001" + "00000000000000ff"])).to_pylist()[0].hex()
    '000000000000000100000000000000ff'
    """
    return halves_to_binary(to_halves(ids))


def halves_to_binary(halves: Halves) -> pa.Array:
    """Return ``uint64[n, 2]`` as an Arrow array of `BINARY`."""
    content = pa.py_buffer(np.ascontiguousarray(halves.astype(">u8")))
    return pa.FixedSizeBinaryArray.from_buffers(BINARY, len(halves), [None, content])


def rank(halves: Halves) -> tuple[Ints, Halves]:
    """Return the index of each id among the distinct ids, and the distinct ids, sorted.

    Examples
    --------
    >>> index, distinct = rank(np.array([[7, 1], [5, 0], [7, 1]], np.uint64))
    >>> index.tolist(), distinct.tolist()
    ([1, 0, 1], [[5, 0], [7, 1]])
    """
    order = order_by_id(halves, np.zeros(len(halves), np.uint64), 0)
    ordered = take_ids(halves, order)
    index = np.empty(len(halves), np.int64)
    index[order] = run_numbers(ordered)
    return index, ordered[run_begins(ordered)]


def order_by_id(halves: Halves, more: npt.NDArray[np.uint64], n_bits: int) -> Ints:
    """Return an order of rows by their id, then by an integer of at most `n_bits` bits.

    Rows are sorted by the leading bits of the ids, which distinguish the ids of a bucket; if two
    ids share them, by all bits.

    Parameters
    ----------
    halves
        ``uint64[n, 2]``: ids.
    more
        ``uint64[n]``, below ``2**n_bits``.
    n_bits
        Bits of the integers, at most 63.
    """
    if not len(halves):
        return np.empty(0, np.int64)
    lead = halves[:, 0] - halves[:, 0].min()
    lead_bits = int(lead.max()).bit_length()
    kept = min(lead_bits, 64 - n_bits)
    lead >>= np.uint64(lead_bits - kept)
    # Of equal rows any order will do; the stable sort takes four times as long (numpy 2.4, AVX512).
    order = np.argsort(lead << np.uint64(n_bits) | more)
    ordered = lead[order]
    if (run_begins(take_ids(halves, order))[1:] & (ordered[1:] == ordered[:-1])).any():
        return np.asarray(np.lexsort((more, halves[:, 1], halves[:, 0])))
    return order


def take_ids(halves: Halves, rows: Ints) -> Halves:
    """Return the ids of some rows; copying 16 bytes at once is faster than two halves."""
    whole = np.ascontiguousarray(halves).view("V16").reshape(len(halves))
    return np.take(whole, rows).view(np.uint64).reshape(len(rows), 2)


def bucket(halves: Halves, n_buckets: int) -> Ints:
    """Return the bucket of each id by its high bits: buckets are ordered as the ids are.

    ``n_buckets`` is a power of two up to 2**31.
    """
    bits = n_buckets.bit_length() - 1
    if bits == 0:
        return np.zeros(len(halves), np.int64)
    return (halves[:, 0] >> np.uint64(64 - bits)).astype(np.int64)
