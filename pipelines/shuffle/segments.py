"""Segments: what a split holds for all buckets, in one file written once from end to end.

The file::

    index of chunk 0 | its columns … | index of chunk 1 | its columns … | footer (JSON: the chunks)

Readers fetch ranges, some buckets at a time, and never map the file. An engine that carries the
rows itself gets the same bytes: `carry` cuts them out of the chunks (see
`pipelines.shuffle.partition`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from pipelines.shuffle import storage
from pipelines.shuffle.gather import Combine, Rows, Tables, collect
from pipelines.shuffle.partition import Chunk, Layout, Starts

WINDOW_BYTES = 16 << 20
"""Bytes of consecutive buckets that are fetched at once, where they are small."""


class Segment(NamedTuple):
    """A pointer to what a split wrote."""

    split_id: str
    path: str
    footer: int
    n_bytes: int


class Carried(NamedTuple):
    """What a split holds for some consecutive buckets from `first` on, carried by the engine."""

    split_id: str
    first: int
    parts: tuple[Chunk, ...]


class Part(NamedTuple):
    """The rows of one table and split for the buckets from `first` on, in one chunk.

    Its columns are at hand, or begin at these bytes of the file at `path`.
    """

    table: str
    split_id: str
    number: int
    first: int
    starts: Starts
    layout: Layout
    columns: tuple[Any, ...]
    path: str = ""


def write_segment(writer: storage.Writer, parts: Iterable[Chunk]) -> tuple[int, dict[str, int]]:
    """Write chunks and the footer; return where that begins, and the rows of each table."""
    described = []
    n_rows: dict[str, int] = {}
    for chunk in parts:
        index = writer.write(chunk.starts.tobytes())
        columns = [writer.write(column) for column in chunk.columns]
        schema = base64.b64encode(chunk.layout.schema).decode()
        described.append([chunk.table, schema, *chunk.layout[1:], index, columns])
        n_rows[chunk.table] = n_rows.get(chunk.table, 0) + chunk.n_rows
    footer = writer.write(json.dumps(described).encode())
    return footer, n_rows


def carry(split_id: str, parts: Iterable[Chunk], first: int, last: int) -> Carried:
    """Cut out of chunks what they hold for the buckets from `first` up to `last`."""
    cut = []
    for chunk in parts:
        starts = chunk.starts[first : last + 1]
        columns = tuple(
            bytes(memoryview(column)[starts[0] * width : starts[-1] * width])
            for column, width in zip(chunk.columns, chunk.layout.widths, strict=True)
        )
        cut.append(chunk._replace(starts=starts - starts[0], columns=columns))
    return Carried(split_id, first, tuple(cut))


def parts_of(found: Iterable[Segment | Carried], first: int, last: int) -> list[Part]:
    """Return the parts in the order in which kernels get them: by table, split and place in it."""
    parts: list[Part] = []
    for one in found:
        parts += _carried(one) if isinstance(one, Carried) else _stored(one, first, last)
    return sorted(parts, key=lambda part: part[:3])


def _carried(one: Carried) -> Iterator[Part]:
    for number, carried in enumerate(one.parts):
        chunk = Chunk(*carried)
        layout = Layout(*chunk.layout)
        key = (chunk.table, one.split_id, number)
        yield Part(*key, one.first, chunk.starts, layout, chunk.columns)


def _stored(one: Segment, first: int, last: int) -> Iterator[Part]:
    with storage.reading(one.path) as file:
        footer = storage.read_range(file, one.footer, one.n_bytes - one.footer)
        for number, described in enumerate(json.loads(footer)):
            table, schema, is_raw, widths, dictionaries, index, columns = described
            content = storage.read_range(file, index + 8 * first, 8 * (last - first + 1))
            starts = np.frombuffer(content, np.int64)
            for at, width in zip(columns, widths, strict=True):
                begin, end = int(starts[0]), int(starts[-1])
                storage.expect(file, at + begin * width, (end - begin) * width)
            values = tuple(None if d is None else tuple(d) for d in dictionaries)
            layout = Layout(base64.b64decode(schema), is_raw, tuple(widths), values)
            key = (table, one.split_id, number)
            yield Part(*key, first, starts, layout, tuple(columns), one.path)


class Reader:
    """Reads what splits hold for consecutive buckets, as many of them at a time as are small."""

    def __init__(self, found: Iterable[Segment | Carried], first: int, last: int) -> None:
        self._parts = parts_of(found, first, last)
        n_bytes = sum(map(_n_bytes, self._parts))
        self._window = max(1, WINDOW_BYTES * (last - first) // max(n_bytes, 1))
        self._last = last
        self._fetched: list[Rows] = []
        self._range = range(0)

    def tables(self, bucket: int, combine: Combine, most: int) -> Tables:
        """Return the rows of a bucket by table, in the order that the engine promises."""
        if self._window == 1:
            rows = (fetch(part, bucket, bucket + 1) for part in self._parts)
            return collect(rows, 0, combine, most)
        if bucket not in self._range:
            self._range = range(bucket, min(bucket + self._window, self._last))
            self._fetched = []
            self._fetched = [fetch(p, bucket, self._range.stop) for p in self._parts]
        return collect(self._fetched, bucket - self._range.start, combine, most)


def _n_bytes(part: Part) -> int:
    """Return how much there is to fetch of a part."""
    n = int(part.starts[-1] - part.starts[0])
    return n * sum(part.layout.widths) if part.path else 0


def fetch(part: Part, first: int, last: int) -> Rows:
    """Return what a part holds for the buckets from `first` up to `last`."""
    starts = part.starts[first - part.first : last - part.first + 1]
    if not part.path:
        return Rows(part.table, part.layout, starts, part.columns)
    begin, n = int(starts[0]), int(starts[-1] - starts[0])
    with storage.reading(part.path) as file:
        fetched = tuple(
            storage.read_range(file, at + begin * width, n * width)
            for at, width in zip(part.columns, part.layout.widths, strict=True)
        )
    return Rows(part.table, part.layout, starts - begin, fetched)
