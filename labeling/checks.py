"""Checks of tables against their schemas.

`check` runs where a table enters a stage; the kernels after it trust their tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.errors import InputError
from labeling.schemas import Batch, Field, TableSchema

Column: TypeAlias = pa.Array | pa.ChunkedArray


def check(batch: Batch, table: TableSchema, where: str = "") -> None:
    """Raise `InputError` unless `batch` has the columns, types and values of `table`.

    Parameters
    ----------
    batch
        Arrow record batch or table of any length.
    table
        The expected schema.
    where
        Name of the file or stage, for the message.

    Raises
    ------
    InputError
        For the wrong columns, or for the first column with a refused value, with its row.

    Examples
    --------
    >>> from labeling.schemas import TRUTH
    >>> good = pa.table({"image_id": ["0" * 32], "label_id": ["cat"]})
    >>> check(good.cast(TRUTH.arrow), TRUTH)
    >>> check(good.select(["label_id"]), TRUTH, where="truth.parquet")
    Traceback (most recent call last):
    labeling.errors.InputError: table truth: columns differ from the schema
      where: truth.parquet
      image_id: expected string, found nothing
    """
    facts: dict[str, object] = {"where": where} if where else {}
    wrong = _wrong_columns(batch.schema, table)
    if wrong:
        raise InputError(f"table {table.name}: columns differ from the schema", facts=facts | wrong)
    for field in table.fields:
        column = batch.column(field.name)
        for refused, problem in _refused_values(column, field):
            n_refused = pc.sum(refused).as_py() or 0
            if n_refused:
                first = int(np.argmax(np.asarray(pc.fill_null(refused, False), bool)))
                raise InputError(
                    f"table {table.name}: {n_refused:,} of {len(column):,} values of {field.name} "
                    f"are {problem}",
                    facts=facts
                    | {"column": field.name, "meaning": field.meaning}
                    | {"first": f"row {first}: {column[first].as_py()!r}"},
                )


def refuse_repeated_columns(names: Sequence[object], wanted: Iterable[object], where: str) -> None:
    """Raise `InputError` if one of the wanted columns is among the names more than once."""
    repeated = [str(name) for name in wanted if names.count(name) > 1]
    if repeated:
        raise InputError(
            "a table has columns of the same name",
            facts={"where": where, "repeated": ", ".join(repeated)},
            help="rename or leave out all but one of them",
        )


def conform(batch: Batch, table: TableSchema, where: str = "") -> pa.Table:
    """Return a table of another program as a table of exactly the schema.

    Extra columns are left out, missing nullable ones are filled with nulls. A column is cast only
    if no value changes (``int32`` to ``int64``, ``large_string`` to ``string``), but numbers with a
    fraction may lose digits.

    Parameters
    ----------
    batch, table, where
        See `check`.

    Raises
    ------
    InputError
        For missing columns, a column of the wrong type, or a refused value.
    """
    expected = [f.name for f in table.fields if not f.nullable]
    missing = [name for name in expected if name not in batch.schema.names]
    if missing:
        raise InputError(
            f"table {table.name}: columns are missing",
            facts={
                "where": where,
                "missing": ", ".join(missing),
                "expected": ", ".join(expected),
                "found": ", ".join(batch.schema.names),
            },
            help="the columns of each table are listed in docs/reference/schemas.md",
        )
    refuse_repeated_columns(batch.schema.names, table.arrow.names, where)
    columns = [_conform_column(batch, f, table, where) for f in table.fields]
    result = pa.Table.from_arrays(columns, schema=table.arrow)
    check(result, table, where)
    return result


def _wrong_columns(schema: pa.Schema, table: TableSchema) -> dict[str, object]:
    wrong: dict[str, object] = {}
    for field in table.fields:
        index = schema.get_field_index(field.name)
        actual = schema.field(index).type if index >= 0 else "nothing"
        if actual != field.type:
            wrong[field.name] = f"expected {field.type}, found {actual}"
    known = {field.name for field in table.fields}
    return wrong | {n: "not a column of this table" for n in schema.names if n not in known}


def _refused_values(column: Column, field: Field) -> Iterator[tuple[Column, str]]:
    """Yield a mask of refused values for each rule of the field, and the problem."""
    if not field.nullable and column.null_count:
        yield pc.is_null(column), "null"
    if pa.types.is_floating(field.type):
        yield pc.invert(pc.is_finite(column)), "not finite"
    if field.low is not None:
        yield pc.less(column, field.low), f"below {field.low}"
    if field.high is not None:
        yield pc.greater(column, field.high), f"above {field.high}"
    if field.pattern is not None and not _all_match(pc.unique(column), field.pattern):
        yield (
            pc.invert(pc.match_substring_regex(column, field.pattern)),
            f"not of the form {field.pattern}",
        )
    if field.one_of is not None:
        known = pc.is_in(column, value_set=pa.array(field.one_of))
        yield pc.invert(known), f"not one of {', '.join(field.one_of)}"


def _all_match(values: pa.Array, pattern: str) -> bool:
    matched: bool = pc.all(pc.match_substring_regex(values, pattern), min_count=0).as_py()
    return matched


def _conform_column(batch: Batch, field: Field, table: TableSchema, where: str) -> Column:
    if field.name not in batch.schema.names:
        return pa.nulls(batch.num_rows, field.type)
    column = batch.column(field.name)
    if field.type == column.type:
        return column
    try:
        return pc.cast(column, field.type, safe=not pa.types.is_floating(field.type))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise InputError(
            f"table {table.name}: column {field.name} has the wrong type",
            facts={"where": where, "expected": field.type, "found": column.type, "cause": error},
        ) from error
