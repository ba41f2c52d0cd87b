"""Tables of pairs in a third of the memory: ids as bytes, labels and reasons as numbers.

A packed table has the columns and rows of the table that it was made from. What reads pairs
(`curation.pairs.pair_keys`) takes both forms; files and callers get the spelled one.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from labeling.keys.ids import BINARY, from_halves, to_binary, to_halves
from labeling.schemas import TableSchema


def is_packed(table: pa.Table) -> bool:
    """Return whether the ids of a table are packed."""
    return bool(table["image_id"].type == BINARY)


def pack(table: pa.Table) -> pa.Table:
    """Return a table with packed ``image_id``, ``label_id`` and ``reason``.

    Examples
    --------
    >>> pairs = pa.table({"image_id": ["0" * 32, "1" * 32], "label_id": ["cat", "cat"]})
    >>> [str(column.type) for column in pack(pairs)], spell(pack(pairs)).equals(pairs)
    (['fixed_size_binary[16]', 'dictionary<values=string, indices=int32, ordered=0>'], True)
    """
    for name in table.column_names:
        column = table[name]
        if name == "image_id" and column.type != BINARY:
            table = _with(table, name, to_binary(column))
        elif name in ("label_id", "reason") and not pa.types.is_dictionary(column.type):
            table = _with(table, name, column.dictionary_encode())
    return table


def spell(table: pa.Table) -> pa.Table:
    """Return a table with texts in its columns again."""
    for name in table.column_names:
        column = table[name]
        if column.type == BINARY:
            table = _with(table, name, from_halves(to_halves(column)))
        elif pa.types.is_dictionary(column.type):
            table = _with(table, name, column.cast(pa.string()))
    return table


def join_packed(parts: Iterable[pa.Table], schema: TableSchema, columns: list[str]) -> pa.Table:
    """Return the rows of all parts as one packed table, whose labels have one numbering.

    Parameters
    ----------
    parts
        Tables with the columns, packed or not.
    schema, columns
        Schema of the parts, and those of its columns that they have.
    """
    empty = pack(schema.arrow.empty_table().select(columns))
    table = pa.concat_tables([empty, *map(pack, parts)]).unify_dictionaries()
    for name in columns:
        # Ids of images are read in parts anyway, and a copy of them is the largest.
        if name != "image_id":
            table = _with(table, name, table[name].combine_chunks())
    return table


def _with(table: pa.Table, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, column)
