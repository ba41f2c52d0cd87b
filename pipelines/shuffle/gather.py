"""Gathering: the rows of one bucket, from what all splits have laid down for it.

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


class Rows(NamedTuple):
    """The bytes of one chunk for some consecutive buckets; `starts` is as in the chunk."""

    table: str
    layout: Layout
    starts: Starts
    columns: tuple[Any, ...]


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
                pieces = [_Piece(n_rows, combined)]
                limit = max(most, 2 * n_rows)
        if pieces:
            tables[table] = _table(pieces)
    return tables


class _Piece(NamedTuple):
    """Rows of a bucket from one part: a table, or the bytes of columns."""

    n_rows: int
    rows: pa.Table | None
    schema: bytes = b""
    columns: tuple[memoryview, ...] = ()
    dictionaries: tuple[Dictionary, ...] = ()


def _piece(rows: Rows, begin: int, end: int) -> _Piece:
    columns = tuple(
        memoryview(column)[begin * width : end * width]
        for column, width in zip(rows.columns, rows.layout.widths, strict=True)
    )
    layout = rows.layout
    if layout.is_raw:
        return _Piece(end - begin, None, layout.schema, columns, layout.dictionaries)
    schema = pa.ipc.read_schema(pa.py_buffer(layout.schema))
    batch = pa.ipc.read_record_batch(pa.py_buffer(columns[0]), plain(schema))
    table = pa.Table.from_batches([batch])
    for number, field in enumerate(schema):
        if pa.types.is_dictionary(field.type):
            column = table.column(number).dictionary_encode().cast(field.type)
            table = table.set_column(number, field, column)
    return _Piece(len(table), table)


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
