"""Segments: the chunks of one split for all buckets, in one file written from end to end.

The file::

    starts of chunk 0 | its columns … | starts of chunk 1 | its columns … | footer (JSON)

Readers fetch ranges, some buckets at a time, and never map the file. An engine that carries the
rows itself gets the same bytes: `cut` takes them out of the chunks (see
`pipelines.shuffle.partition`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from pipelines.shuffle import storage
from pipelines.shuffle.gather import ChunkBytes, Combine, Tables, gather
from pipelines.shuffle.partition import Chunk, Layout, Starts

WINDOW_BYTES = 16 << 20
"""Bytes of consecutive small buckets that are fetched at once."""


class Segment(NamedTuple):
    """A pointer to the segment that a split wrote."""

    split_id: str
    path: str
    footer: int
    n_bytes: int


class SegmentSlice(NamedTuple):
    """The chunks of a split for some consecutive buckets, from `first` on."""

    split_id: str
    first: int
    chunks: tuple[Chunk, ...]


class _ChunkPointer(NamedTuple):
    """One chunk for consecutive buckets, from `first` on.

    `columns` are bytes, or where they begin in the file at `path`.
    """

    table: str
    split_id: str
    number: int
    first: int
    starts: Starts
    layout: Layout
    columns: tuple[Any, ...]
    path: str = ""


def write_segment(writer: storage.Writer, chunks: Iterable[Chunk]) -> tuple[int, dict[str, int]]:
    """Write chunks and the footer; return where that begins, and the rows of each table."""
    described = []
    n_rows: dict[str, int] = {}
    for chunk in chunks:
        index = writer.write(chunk.starts.tobytes())
        columns = [writer.write(column) for column in chunk.columns]
        schema = base64.b64encode(chunk.layout.schema).decode()
        described.append([chunk.table, schema, *chunk.layout[1:], index, columns])
        n_rows[chunk.table] = n_rows.get(chunk.table, 0) + chunk.n_rows
    footer = writer.write(json.dumps(described).encode())
    return footer, n_rows


def cut(split_id: str, chunks: Iterable[Chunk], first: int, last: int) -> SegmentSlice:
    """Return the part of some chunks for the buckets from `first` up to `last`."""
    parts = []
    for chunk in chunks:
        starts = chunk.starts[first : last + 1]
        columns = tuple(
            bytes(memoryview(column)[starts[0] * width : starts[-1] * width])
            for column, width in zip(chunk.columns, chunk.layout.widths, strict=True)
        )
        parts.append(chunk._replace(starts=starts - starts[0], columns=columns))
    return SegmentSlice(split_id, first, tuple(parts))


class Reader:
    """Reads consecutive buckets of all splits, several at a time where they are small."""

    def __init__(self, segments: Iterable[Segment | SegmentSlice], first: int, last: int) -> None:
        chunks = [chunk for segment in segments for chunk in _chunks(segment, first, last)]
        # Kernels get rows by table, split and number of the chunk, whatever came first.
        self._chunks = sorted(chunks, key=lambda chunk: chunk[:3])
        n_bytes = sum(map(_n_bytes, self._chunks))
        self._window = max(1, WINDOW_BYTES * (last - first) // max(n_bytes, 1))
        self._last = last
        self._fetched: list[ChunkBytes] = []
        self._range = range(0)

    def tables(self, bucket: int, combine: Combine, max_rows: int) -> Tables:
        """Return the rows of a bucket by table, in the order that the engine promises."""
        if self._window == 1:
            fetched = (_fetch(chunk, bucket, bucket + 1) for chunk in self._chunks)
            return gather(fetched, 0, combine, max_rows)
        if bucket not in self._range:
            self._range = range(bucket, min(bucket + self._window, self._last))
            self._fetched = []  # before the next ones are there: memory
            self._fetched = [_fetch(chunk, bucket, self._range.stop) for chunk in self._chunks]
        return gather(self._fetched, bucket - self._range.start, combine, max_rows)


def _chunks(segment: Segment | SegmentSlice, first: int, last: int) -> Iterator[_ChunkPointer]:
    if isinstance(segment, Segment):
        yield from _stored_chunks(segment, first, last)
        return
    for number, carried in enumerate(segment.chunks):
        chunk = Chunk(*carried)  # Beam turns named tuples into plain ones
        key = (chunk.table, segment.split_id, number)
        yield _ChunkPointer(*key, segment.first, chunk.starts, Layout(*chunk.layout), chunk.columns)


def _stored_chunks(segment: Segment, first: int, last: int) -> Iterator[_ChunkPointer]:
    with storage.reading(segment.path) as file:
        footer = storage.read_range(file, segment.footer, segment.n_bytes - segment.footer)
        for number, described in enumerate(json.loads(footer)):
            table, schema, is_raw, widths, dictionaries, index, columns = described
            content = storage.read_range(file, index + 8 * first, 8 * (last - first + 1))
            starts = np.frombuffer(content, np.int64)
            for at, width in zip(columns, widths, strict=True):
                begin, end = int(starts[0]), int(starts[-1])
                storage.prefetch(file, at + begin * width, (end - begin) * width)
            values = tuple(None if d is None else tuple(d) for d in dictionaries)
            layout = Layout(base64.b64decode(schema), is_raw, tuple(widths), values)
            key = (table, segment.split_id, number)
            yield _ChunkPointer(*key, first, starts, layout, tuple(columns), segment.path)


def _n_bytes(chunk: _ChunkPointer) -> int:
    """Return how many bytes of a chunk are to be fetched."""
    n = int(chunk.starts[-1] - chunk.starts[0])
    return n * sum(chunk.layout.widths) if chunk.path else 0


def _fetch(chunk: _ChunkPointer, first: int, last: int) -> ChunkBytes:
    """Return the bytes of a chunk for the buckets from `first` up to `last`."""
    starts = chunk.starts[first - chunk.first : last - chunk.first + 1]
    if not chunk.path:
        return ChunkBytes(chunk.table, chunk.layout, starts, chunk.columns)
    begin, n = int(starts[0]), int(starts[-1] - starts[0])
    with storage.reading(chunk.path) as file:
        columns = tuple(
            storage.read_range(file, at + begin * width, n * width)
            for at, width in zip(chunk.columns, chunk.layout.widths, strict=True)
        )
    return ChunkBytes(chunk.table, chunk.layout, starts - begin, columns)
