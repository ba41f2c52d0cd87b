"""Segments: the rows of a split, ordered by bucket, in one file written once from end to end.

A split's rows are cut into *chunks* of bounded size. A chunk holds rows of one table ordered by
bucket, and an index: where each bucket begins. Columns of fixed width without nulls are laid down
as they are, one after the other; a bucket is then one range of each, and neither writing nor
reading does anything for a single bucket but copy its bytes. Rows with texts, lists or nulls are an
Arrow record batch a bucket instead, without the schema, which the chunk holds once. Of a dictionary
column the indices are laid down, and the chunk holds its dictionary; it comes out with the values
that the bucket has, sorted, so that it depends on the rows alone.

The file::

    index of chunk 0 | its columns … | index of chunk 1 | its columns … | footer (JSON: the chunks)

Readers fetch ranges, some buckets at a time, and never map the file. An engine that carries the
rows itself gets the same bytes: `carry` cuts them out of the chunks.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeling import ids
from pipelines import storage

CHUNK_ROWS = 1_000_000
CHUNK_BYTES = 48 << 20
"""Rows are collected up to either before they are partitioned: memory of a worker."""

WINDOW_BYTES = 24 << 20
"""Bytes of consecutive buckets that are fetched at once, where they are small."""

Tables = Mapping[str, pa.Table]

Combine = Callable[[str, pa.Table], pa.Table]
"""Name of a table and some of its rows, to fewer rows of the same columns."""

Dictionary = tuple[str, ...] | None
"""Values of a dictionary column; None for other columns."""

Starts = npt.NDArray[np.int64]


class Chunk(NamedTuple):
    """Rows of one table in the order of their buckets.

    `starts` has one number more than there are buckets: where the bucket begins in each column, in
    units of the column's width. `columns` are bytes: raw columns, or record batches back to back.
    """

    table: str
    schema: bytes
    is_raw: bool
    widths: tuple[int, ...]
    dictionaries: tuple[Dictionary, ...]
    n_rows: int
    starts: Starts
    columns: tuple[Any, ...]


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
    """Where some rows of one table and split are: in a segment, or at hand as a chunk."""

    table: str
    split_id: str
    number: int
    place: Segment | int
    chunk: Any


class Rows(NamedTuple):
    """The bytes of a part for some consecutive buckets, and where each begins in its columns."""

    table: str
    schema: bytes
    is_raw: bool
    widths: tuple[int, ...]
    dictionaries: tuple[Dictionary, ...]
    starts: Starts
    columns: tuple[Any, ...]


# Partitioning


def chunks(
    rows: Iterable[tuple[str, pa.Table]], keys: Mapping[str, str], n_buckets: int
) -> Iterator[Chunk]:
    """Collect the rows of each table, and yield them partitioned."""
    waiting: dict[str, list[pa.Table]] = {}
    for table, some in rows:
        for part in _cut(some):
            of_table = waiting.setdefault(table, [])
            of_table.append(part)
            if _is_full(of_table):
                yield partition(table, pa.concat_tables(of_table), keys[table], n_buckets)
                waiting[table] = []
    for table in sorted(waiting):
        if waiting[table]:
            yield partition(table, pa.concat_tables(waiting[table]), keys[table], n_buckets)


def _cut(rows: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, len(rows), CHUNK_ROWS):
        yield rows.slice(start, CHUNK_ROWS)


def _is_full(tables: Sequence[pa.Table]) -> bool:
    n_rows = sum(map(len, tables))
    return n_rows >= CHUNK_ROWS or sum(t.get_total_buffer_size() for t in tables) >= CHUNK_BYTES


def partition(table: str, rows: pa.Table, key: str, n_buckets: int) -> Chunk:
    """Return rows in the order of their buckets; within one they keep their order."""
    buckets = bucket_of(rows[key], n_buckets)
    order = np.argsort(buckets, kind="stable")
    counts = np.bincount(buckets, minlength=n_buckets)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    schema = rows.schema.serialize().to_pybytes()
    coded = list(map(_coded, rows.columns))
    if all(_is_raw(column) for column, _ in coded):
        widths = tuple(column.type.bit_width // 8 for column, _ in coded)
        columns = tuple(_taken(column, order) for column, _ in coded)
        dictionaries = tuple(dictionary for _, dictionary in coded)
        return Chunk(table, schema, True, widths, dictionaries, len(rows), starts, columns)
    ordered = rows.cast(_plain(rows.schema)).take(pa.array(order)).combine_chunks()
    batches = [_batch(ordered, *ends) for ends in zip(starts[:-1], starts[1:], strict=True)]
    sizes = [0 if batch is None else batch.size for batch in batches]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    content = b"".join(batch for batch in batches if batch is not None)
    return Chunk(table, schema, False, (1,), (None,), len(rows), starts, (content,))


def bucket_of(key: pa.ChunkedArray, n_buckets: int) -> npt.NDArray[np.unsignedinteger]:
    """Return the bucket of each id by its first bits; ``n_buckets`` is a power of two to 2**16.

    They are of the least width that holds them, which makes sorting them cheap.
    """
    least = np.dtype(np.uint8 if n_buckets <= 256 else np.uint16)
    bits = n_buckets.bit_length() - 1
    if bits == 0:
        return np.zeros(len(key), least)
    if key.type != ids.BINARY:
        return ids.bucket(ids.to_words(key), n_buckets).astype(least)
    column = key.combine_chunks()
    octets = np.frombuffer(column.buffers()[1], ">u2")[8 * column.offset :: 8][: len(column)]
    return (octets.astype(np.uint16) >> np.uint16(16 - bits)).astype(least)


def _coded(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, Dictionary]:
    """Return the indices and values of a dictionary of texts, other columns as they are."""
    if not pa.types.is_dictionary(column.type) or column.type.value_type != pa.string():
        return column, None
    array = column.unify_dictionaries().combine_chunks()
    if array.dictionary.null_count:
        return column, None
    return pa.chunked_array([array.indices]), tuple(array.dictionary.to_pylist())


def _plain(schema: pa.Schema) -> pa.Schema:
    """Return a schema without dictionaries, which record batches alone do not hold."""
    return pa.schema(
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in schema
    )


def _is_raw(column: pa.ChunkedArray) -> bool:
    kind = column.type
    fixed = pa.types.is_primitive(kind) or pa.types.is_fixed_size_binary(kind)
    return fixed and not pa.types.is_boolean(kind) and column.null_count == 0


def _taken(column: pa.ChunkedArray, order: npt.NDArray[np.int64]) -> memoryview:
    array = column.combine_chunks()
    width = array.type.bit_width // 8
    item = np.dtype(f"V{width}") if width not in (1, 2, 4, 8) else np.dtype(f"u{width}")
    values = np.frombuffer(array.buffers()[1], np.uint8)
    start = array.offset * width
    items = values[start : start + len(array) * width].view(item)
    return np.take(items, order, mode="clip").view(np.uint8).data


def _batch(ordered: pa.Table, start: int, stop: int) -> pa.Buffer | None:
    if start == stop:
        return None
    (batch,) = ordered.slice(start, stop - start).to_batches()
    return batch.serialize()


# Carrying


def write_segment(writer: storage.Writer, parts: Iterable[Chunk]) -> tuple[int, dict[str, int]]:
    """Write chunks and the footer; return where that begins, and the rows of each table."""
    described = []
    n_rows: dict[str, int] = {}
    for chunk in parts:
        index = writer.write(chunk.starts.tobytes())
        columns = [writer.write(column) for column in chunk.columns]
        schema = base64.b64encode(chunk.schema).decode()
        about = [chunk.table, schema, chunk.is_raw, chunk.widths, chunk.dictionaries]
        described.append([*about, index, columns])
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
            for column, width in zip(chunk.columns, chunk.widths, strict=True)
        )
        cut.append(chunk._replace(starts=starts - starts[0], columns=columns))
    return Carried(split_id, first, tuple(cut))


# Collecting


def parts_of(found: Iterable[Segment | Carried]) -> list[Part]:
    """Return the parts in the order in which kernels get them: by table, split and place in it."""
    parts = []
    for one in found:
        if isinstance(one, Carried):
            for number, carried in enumerate(one.parts):
                chunk = Chunk(*carried)
                parts.append(Part(chunk.table, one.split_id, number, one.first, chunk))
        else:
            with storage.reading(one.path) as file:
                footer = storage.read_range(file, one.footer, one.n_bytes - one.footer)
            for number, described in enumerate(json.loads(footer)):
                parts.append(Part(described[0], one.split_id, number, one, described))
    return sorted(parts, key=lambda part: part[:3])


class Reader:
    """Reads what splits hold for consecutive buckets, as many of them at a time as are small."""

    def __init__(self, found: Iterable[Segment | Carried], n_buckets: int, last: int) -> None:
        found = list(found)
        n_bytes = sum(one.n_bytes for one in found if isinstance(one, Segment))
        self._parts = parts_of(found)
        self._window = max(1, WINDOW_BYTES * n_buckets // max(n_bytes, 1))
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


def fetch(part: Part, first: int, last: int) -> Rows:
    """Return what a part holds for the buckets from `first` up to `last`."""
    if isinstance(part.place, int):
        chunk = part.chunk
        starts = chunk.starts[first - part.place : last - part.place + 1]
        about = (part.table, chunk.schema, chunk.is_raw, chunk.widths, chunk.dictionaries)
        return Rows(*about, starts, chunk.columns)
    table, schema, is_raw, widths, dictionaries, index, columns = part.chunk
    with storage.reading(part.place.path) as file:
        content = storage.read_range(file, index + 8 * first, 8 * (last - first + 1))
        starts = np.frombuffer(content, np.int64)
        begin, end = int(starts[0]), int(starts[-1])
        fetched = tuple(
            storage.read_range(file, at + begin * width, (end - begin) * width)
            for at, width in zip(columns, widths, strict=True)
        )
    values = tuple(None if d is None else tuple(d) for d in dictionaries)
    return Rows(table, base64.b64decode(schema), is_raw, widths, values, starts - begin, fetched)


def collect(found: Iterable[Rows], number: int, combine: Combine, most: int) -> Tables:
    """Return the rows of the bucket at place `number` of what was fetched, by table.

    Whenever more than `most` rows of a table have come together, `combine` makes fewer of them.
    """
    tables = {}
    for table, of_table in itertools.groupby(found, key=lambda rows: rows.table):
        pieces: list[_Piece] = []
        n_rows, limit = 0, most
        for rows in of_table:
            begin, end = int(rows.starts[number]), int(rows.starts[number + 1])
            if begin == end:
                continue
            pieces.append(_piece(rows, begin, end))
            n_rows += pieces[-1].n_rows
            if n_rows > limit:
                combined = combine(table, _table(pieces)).combine_chunks()
                n_rows = len(combined)
                pieces = [_Piece(n_rows, combined, b"", (), ())]
                limit = max(most, 2 * n_rows)
        if pieces:
            tables[table] = _table(pieces)
    return tables


class _Piece(NamedTuple):
    """Rows of a bucket from one part: a table, or the bytes of columns."""

    n_rows: int
    rows: pa.Table | None
    schema: bytes
    columns: tuple[memoryview, ...]
    dictionaries: tuple[Dictionary, ...]


def _piece(rows: Rows, begin: int, end: int) -> _Piece:
    columns = tuple(
        memoryview(column)[begin * width : end * width]
        for column, width in zip(rows.columns, rows.widths, strict=True)
    )
    if rows.is_raw:
        return _Piece(end - begin, None, rows.schema, columns, rows.dictionaries)
    schema = pa.ipc.read_schema(pa.py_buffer(rows.schema))
    batch = pa.ipc.read_record_batch(pa.py_buffer(columns[0]), _plain(schema))
    table = pa.Table.from_batches([batch])
    for number, field in enumerate(schema):
        if pa.types.is_dictionary(field.type):
            column = table.column(number).dictionary_encode().cast(field.type)
            table = table.set_column(number, field, column)
    return _Piece(len(table), table, b"", (), ())


def _table(pieces: Sequence[_Piece]) -> pa.Table:
    alike = itertools.groupby(pieces, key=lambda piece: piece.schema)
    tables = [_joined(schema, list(of_schema)) for schema, of_schema in alike]
    table = pa.concat_tables(tables).combine_chunks()
    for number, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(number, field, _in_use(table.column(number)))
    return table


def _joined(schema: bytes, pieces: Sequence[_Piece]) -> pa.Table:
    if not schema:
        return pa.concat_tables([piece.rows for piece in pieces])
    fields = pa.ipc.read_schema(pa.py_buffer(schema))
    n_rows = sum(piece.n_rows for piece in pieces)
    arrays = []
    for i, field in enumerate(fields):
        if pa.types.is_dictionary(field.type):
            arrays.append(_united(field.type, [(p.columns[i], p.dictionaries[i]) for p in pieces]))
        else:
            content = pa.py_buffer(b"".join(piece.columns[i] for piece in pieces))
            arrays.append(pa.Array.from_buffers(field.type, n_rows, [None, content]))
    return pa.Table.from_arrays(arrays, schema=fields)


def _united(kind: pa.DataType, coded: Sequence[tuple[memoryview, Dictionary]]) -> pa.Array:
    """Return the indices of several parts as one array, with one dictionary."""
    dtype = kind.index_type.to_pandas_dtype()
    dictionaries = {values for _, values in coded if values is not None}
    united = sorted({value for values in dictionaries for value in values})
    place = {value: number for number, value in enumerate(united)}
    places = {values: np.array([place[v] for v in values], dtype) for values in dictionaries}
    codes = [places[values][np.frombuffer(part, dtype)] for part, values in coded if values]
    return pa.DictionaryArray.from_arrays(
        pa.array(np.concatenate(codes)), pa.array(united, kind.value_type)
    )


def _in_use(column: pa.ChunkedArray) -> pa.Array:
    """Return a dictionary column with the values that it has, sorted."""
    array = column.unify_dictionaries().combine_chunks()
    values = array.dictionary.to_pylist()
    indices = array.indices.fill_null(0).to_numpy()
    counts = np.bincount(indices[array.is_valid().to_numpy(zero_copy_only=False)])
    used = sorted(np.flatnonzero(counts), key=values.__getitem__)
    place = np.zeros(max(len(values), 1), indices.dtype)
    place[used] = np.arange(len(used))
    mask = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    return pa.DictionaryArray.from_arrays(
        pa.array(place[indices], mask=mask),
        array.dictionary.take(pa.array(np.array(used, np.int64))),
    )
