"""Tables of callers: pandas or Arrow, checked against a schema, returned as the same kind."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, TypeVar, cast

import pyarrow as pa

from labeling.checks import conform, refuse_repeated_columns
from labeling.errors import InputError
from labeling.schemas import Batch, Field, TableSchema

Frame = TypeVar("Frame")
"""A `pandas.DataFrame` or a `pyarrow.Table`: functions return the kind of their argument."""


def to_table(frame: object, schema: TableSchema, name: str) -> pa.Table:
    """Return a frame as an Arrow table of exactly a schema.

    Parameters
    ----------
    frame
        `pandas.DataFrame`, `pyarrow.Table`, record batch, or an object with a method ``to_arrow``.
        Columns beyond the schema are left out.
    schema
        Columns that it must have, with their types and values.
    name
        Name of the argument, for messages.

    Raises
    ------
    InputError
        For a frame of another kind, missing columns (with those expected and found), or a value
        that the schema refuses.

    Examples
    --------
    >>> import pandas as pd
    >>> from labeling.schemas import TRUTH
    >>> to_table(pd.DataFrame({"image_id": ["0" * 32], "label_id": ["cat"]}), TRUTH, "truth").shape
    (1, 2)
    >>> to_table(pa.table({"label_id": ["cat"]}), TRUTH, "truth")
    Traceback (most recent call last):
    labeling.errors.InputError: table truth: columns are missing
      where: truth
      missing: image_id
      expected: image_id, label_id
      found: label_id
      help: the columns of each table are listed in docs/reference/schemas.md
    """
    return conform(to_arrow(frame, schema, name), schema, name)


def to_arrow(frame: object, schema: TableSchema, name: str) -> pa.Table:
    """Return a frame as an Arrow table; only columns of pandas are of the types of the schema."""
    given = pandas_or_arrow(frame, name)
    if _is_pandas(given):
        return _from_pandas(given, schema, name)
    return pa.table(given) if isinstance(given, pa.RecordBatch) else given


def pandas_or_arrow(frame: object, name: str) -> Any:
    """Return a `pandas.DataFrame`, `pyarrow.Table` or record batch; raises as `to_table` does."""
    if not _is_pandas(frame) and hasattr(frame, "to_arrow"):
        frame = frame.to_arrow()
    if not _is_pandas(frame) and not isinstance(frame, Batch):
        raise InputError(
            f"{name} is not a table",
            facts={"expected": "a pandas.DataFrame or a pyarrow.Table", "found": type(frame)},
            help="put the rows into one of them",
        )
    return frame


def like(table: pa.Table, frame: Frame) -> Frame:
    """Return a table as a `pandas.DataFrame` if `frame` is one, else unchanged."""
    return cast(Frame, table.to_pandas() if _is_pandas(frame) else table)


def _is_pandas(frame: object) -> bool:
    """Return whether a frame is of pandas, without importing pandas, which takes half a second."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(frame, pandas.DataFrame)


def _from_pandas(frame: Any, schema: TableSchema, name: str) -> pa.Table:
    refuse_repeated_columns(list(frame.columns), schema.arrow.names, name)
    known = [field for field in schema.fields if field.name in frame.columns]
    return pa.table({field.name: _column(frame[field.name], field, name) for field in known})


def _column(values: Any, field: Field, name: str) -> pa.Array:
    try:
        # With the type, because the inferred one is wrong for empty lists; NaN is a missing value.
        return pa.array(values, type=field.type, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"{name}: column {field.name} has the wrong type",
            facts={"expected": field.type, "found": values.dtype, "cause": error}
            | first_refused(values, field.type),
            help="docs/reference/schemas.md lists the type of each column",
        ) from error


def first_refused(values: Iterable[object], kind: pa.DataType) -> dict[str, str]:
    """Return the first value that cannot be of a type, with its row, as facts of an error."""
    for row, value in enumerate(values):
        try:
            pa.array([value], type=kind, from_pandas=True)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            return {"first": f"row {row}: {value!r:.100}"}
    return {}
