"""Partitioning: rows of a split in the order of their buckets, ready to be carried there.

A split's rows are cut into *chunks* of bounded size. A chunk holds rows of one table ordered by
bucket, and an index: where each bucket begins. Columns of fixed width without nulls are laid down
as they are, one after the other; a bucket is then one range of each, and neither writing nor
reading does anything for a single bucket but copy its bytes. Rows with texts, lists or nulls are an
Arrow record batch a bucket instead, without the schema, which the chunk holds once. Of a dictionary
column the indices are laid down, and the chunk holds its dictionary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeling.keys import ids

CHUNK_ROWS = 500_000
CHUNK_BYTES = 32 << 20
"""Rows are collected up to either before they are partitioned: memory of a worker."""

Dictionary = tuple[str, ...] | None
"""Values of a dictionary column; None for other columns."""

Starts = npt.NDArray[np.int64]


class Layout(NamedTuple):
    """Layout of rows as bytes: Arrow schema, and the width of each column of bytes.

    Where `is_raw`, the columns are those of the schema; else there is one, of record batches.
    """

    schema: bytes
    is_raw: bool
    widths: tuple[int, ...]
    dictionaries: tuple[Dictionary, ...]


class Chunk(NamedTuple):
    """Rows of one table in the order of their buckets.

    `starts` has one number more than there are buckets: where the bucket begins in each column, in
    units of the column's width.
    """

    table: str
    layout: Layout
    n_rows: int
    starts: Starts
    columns: tuple[Any, ...]


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
        layout = Layout(schema, True, widths, dictionaries)
        return Chunk(table, layout, len(rows), starts, columns)
    ordered = rows.cast(plain(rows.schema)).take(pa.array(order)).combine_chunks()
    batches = [_batch(ordered, *ends) for ends in zip(starts[:-1], starts[1:], strict=True)]
    sizes = [0 if batch is None else batch.size for batch in batches]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    content = b"".join(batch for batch in batches if batch is not None)
    return Chunk(table, Layout(schema, False, (1,), (None,)), len(rows), starts, (content,))


def bucket_of(key: pa.ChunkedArray, n_buckets: int) -> npt.NDArray[np.unsignedinteger]:
    """Return the bucket of each id by its first bits; ``n_buckets`` is a power of two to 2**16.

    They are of the least width that holds them, which makes sorting them cheap.
    """
    least = np.dtype(np.uint8 if n_buckets <= 256 else np.uint16)
    bits = n_buckets.bit_length() - 1
    if bits == 0:
        return np.zeros(len(key), least)
    if key.type != ids.BINARY:
        return ids.bucket(ids.to_halves(key), n_buckets).astype(least)
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


def plain(schema: pa.Schema) -> pa.Schema:
    """Return a schema without dictionaries, which record batches alone do not hold."""
    return pa.schema(
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in schema
    )


def _is_raw(column: pa.ChunkedArray) -> bool:
    dtype = column.type
    fixed = pa.types.is_primitive(dtype) or pa.types.is_fixed_size_binary(dtype)
    return fixed and not pa.types.is_boolean(dtype) and column.null_count == 0


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
