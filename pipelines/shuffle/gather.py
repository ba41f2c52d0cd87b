"""Gathering: the rows of one bucket, from the chunks of all splits.

A dictionary column comes out with the values that the bucket has, sorted, so that it depends on the
rows alone and not on how they were cut into splits.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipelines.shuffle.partition import Dictionary, Layout, Starts, plain

Tables = Mapping[str, pa.Table]

Combine = Callable[[str, pa.Table], pa.Table]
"""Name of a table and some of its rows, to fewer rows of the same columns."""


class ChunkBytes(NamedTuple):
    """The bytes of one chunk for some consecutive buckets; `starts` is as in the chunk."""

    table: str
    layout: Layout
    starts: Starts
    columns: tuple[Any, ...]


def gather(chunks: Iterable[ChunkBytes], number: int, combine: Combine, max_rows: int) -> Tables:
    """Return the rows of one bucket by table.

    Parameters
    ----------
    chunks
        Bytes of the same consecutive buckets, those of a table one after the other.
    number
        Position of the bucket among these.
    combine, max_rows
        Whenever more than `max_rows` of a table have been collected, `combine` makes fewer of them.
    """
    tables = {}
    for table, of_table in itertools.groupby(chunks, key=lambda chunk: chunk.table):
        parts: list[_Part] = []
        n_rows, limit = 0, max_rows
        for chunk in of_table:
            begin, end = int(chunk.starts[number]), int(chunk.starts[number + 1])
            if begin == end:
                continue
            parts.append(_cut(chunk, begin, end))
            n_rows += parts[-1].n_rows
            if n_rows > limit:
                combined = combine(table, _table(parts)).combine_chunks()
                n_rows = len(combined)
                parts = [_Part(n_rows, combined)]
                # Rows that cannot be combined must not be combined again for each further chunk.
                limit = max(max_rows, 2 * n_rows)
        if parts:
            tables[table] = _table(parts)
    return tables


class _Part(NamedTuple):
    """Rows of a bucket from one chunk: a table, or the bytes of columns."""

    n_rows: int
    rows: pa.Table | None
    schema: bytes = b""
    columns: tuple[memoryview, ...] = ()
    dictionaries: tuple[Dictionary, ...] = ()


def _cut(chunk: ChunkBytes, begin: int, end: int) -> _Part:
    layout = chunk.layout
    columns = tuple(
        memoryview(column)[begin * width : end * width]
        for column, width in zip(chunk.columns, layout.widths, strict=True)
    )
    if layout.is_raw:
        return _Part(end - begin, None, layout.schema, columns, layout.dictionaries)
    schema = pa.ipc.read_schema(pa.py_buffer(layout.schema))
    batch = pa.ipc.read_record_batch(pa.py_buffer(columns[0]), plain(schema))
    table = pa.Table.from_batches([batch])
    for number, field in enumerate(schema):
        if pa.types.is_dictionary(field.type):
            column = table.column(number).dictionary_encode().cast(field.type)
            table = table.set_column(number, field, column)
    return _Part(len(table), table)


def _table(parts: Sequence[_Part]) -> pa.Table:
    alike = itertools.groupby(parts, key=lambda part: part.schema)
    table = pa.concat_tables([_join(schema, list(of_schema)) for schema, of_schema in alike])
    table = table.combine_chunks()
    for number, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(number, field, _with_used_values(table.column(number)))
    return table


def _join(schema: bytes, parts: Sequence[_Part]) -> pa.Table:
    if not schema:
        return pa.concat_tables([part.rows for part in parts])
    fields = pa.ipc.read_schema(pa.py_buffer(schema))
    n_rows = sum(part.n_rows for part in parts)
    arrays = []
    for i, field in enumerate(fields):
        if pa.types.is_dictionary(field.type):
            coded = [(part.columns[i], part.dictionaries[i]) for part in parts]
            arrays.append(_with_one_dictionary(field.type, coded))
        else:
            content = pa.py_buffer(b"".join(part.columns[i] for part in parts))
            arrays.append(pa.Array.from_buffers(field.type, n_rows, [None, content]))
    return pa.Table.from_arrays(arrays, schema=fields)


def _with_one_dictionary(
    arrow_type: pa.DataType, coded: Sequence[tuple[memoryview, Dictionary]]
) -> pa.Array:
    """Return the indices of several parts as one array, with one dictionary."""
    dtype = arrow_type.index_type.to_pandas_dtype()
    dictionaries = {values for _, values in coded if values is not None}
    united = sorted({value for values in dictionaries for value in values})
    code_of = {value: code for code, value in enumerate(united)}
    recoded = {values: np.array([code_of[v] for v in values], dtype) for values in dictionaries}
    codes = [recoded[values][np.frombuffer(part, dtype)] for part, values in coded if values]
    return pa.DictionaryArray.from_arrays(
        pa.array(np.concatenate(codes)), pa.array(united, arrow_type.value_type)
    )


def _with_used_values(column: pa.ChunkedArray) -> pa.Array:
    """Return a dictionary column with only the values that it uses, sorted."""
    array = column.unify_dictionaries().combine_chunks()
    values = array.dictionary.to_pylist()
    indices = array.indices.fill_null(0).to_numpy()
    counts = np.bincount(indices[array.is_valid().to_numpy(zero_copy_only=False)])
    used = sorted(np.flatnonzero(counts), key=values.__getitem__)
    code_of = np.zeros(max(len(values), 1), indices.dtype)
    code_of[used] = np.arange(len(used))
    mask = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    return pa.DictionaryArray.from_arrays(
        pa.array(code_of[indices], mask=mask),
        array.dictionary.take(pa.array(np.array(used, np.int64))),
    )
