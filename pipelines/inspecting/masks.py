"""Filters held against rows: checked against a schema, evaluated on batches, and for row groups.

Columns within lists are reached by their path (``evidence.source``): a condition on one is met by a
row if any item of its list meets it. Numbers are rounded to the type of the column, so that what is
shown can be asked for.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.inspecting.filters import All, Condition, Filter, refuse

_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": pc.equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_MAX_DIGITS = 30


@dataclass(frozen=True)
class Bound:
    """A condition with values of its column's type (an Arrow array), maybe on items of a list."""

    path: tuple[str, ...]
    operator: str
    values: pa.Array
    negated: bool
    is_listed: bool = False


@dataclass(frozen=True)
class Junction:
    """All of some bound conditions, or any."""

    is_all: bool
    parts: tuple[Bound | Junction, ...]


Mask = Bound | Junction

Names = tuple[pa.Array, pa.Array]
"""Ids of labels, and the name shown for each."""


def bind(tree: Filter, text: str, schema: pa.Schema, names: Names | None = None) -> Mask:
    """Return a filter checked against the columns that it is for.

    Parameters
    ----------
    tree, text
        What `filters.parse` made, and of what, for messages.
    schema
        Columns of the rows.
    names
        Where given, ``label`` is a column too: the name of the row's ``label_id``.

    Raises
    ------
    ConfigError
        If there is no such column, or it cannot be compared like that; with the place.
    """
    if isinstance(tree, Condition):
        return _bind_one(tree, text, schema, names)
    parts = tuple(bind(part, text, schema, names) for part in tree.parts)
    return Junction(isinstance(tree, All), parts)


def rows_of(mask: Mask, batch: pa.RecordBatch) -> pa.Array:
    """Return for each row of a batch whether it is let through: booleans without nulls.

    Examples
    --------
    >>> from pipelines.inspecting.filters import parse
    >>> batch = pa.record_batch({"label_id": ["red", "blue", None], "n": [1, 2, 3]})
    >>> text = "not label_id = blue or n >= 3"
    >>> rows_of(bind(parse(text), text, batch.schema), batch).to_pylist()
    [True, False, True]
    """
    if isinstance(mask, Bound):
        return _one(mask, batch.column(mask.path[0]))
    combine = pc.and_ if mask.is_all else pc.or_
    return functools.reduce(combine, (rows_of(part, batch) for part in mask.parts))


def for_row_groups(mask: Mask) -> pc.Expression | None:
    """Return a weaker filter on plain columns, or None: for ruling out row groups by statistics."""
    if isinstance(mask, Bound):
        return _weak(mask)
    parts = [for_row_groups(part) for part in mask.parts]
    known = [part for part in parts if part is not None]
    if not known or (len(known) < len(parts) and not mask.is_all):
        return None
    return functools.reduce(pc.and_kleene if mask.is_all else pc.or_kleene, known)


def columns_of(mask: Mask) -> set[str]:
    """Return the columns of the table that a mask looks at."""
    if isinstance(mask, Bound):
        return {mask.path[0]}
    return set().union(*(columns_of(part) for part in mask.parts))


def leaves(schema: pa.Schema) -> Iterator[tuple[tuple[str, ...], pa.DataType, bool]]:
    """Yield each path that can be filtered by, the type of its values, and whether it is a list."""
    for field in schema:
        is_list = pa.types.is_list(field.type)
        inner = field.type.value_type if is_list else field.type
        if pa.types.is_struct(inner):
            for number in range(inner.num_fields):
                child = inner.field(number)
                yield (field.name, child.name), child.type, is_list
        else:
            yield (field.name,), inner, is_list


def nearest(name: str, known: list[str]) -> str:
    """Return `` (did you mean "…"?)``, or nothing where no name is near."""
    near = difflib.get_close_matches(name[:100], known, n=1, cutoff=0.5)
    return f' (did you mean "{near[0]}"?)' if near else ""


# Binding


def _bind_one(one: Condition, text: str, schema: pa.Schema, names: Names | None) -> Bound:
    if one.column == "label" and names is not None and "label" not in schema.names:
        return _bind_label(one, text, names)
    kinds = {".".join(path): (path, kind, is_list) for path, kind, is_list in leaves(schema)}
    if one.operator == "null" and one.column in schema.names:
        is_nested = pa.types.is_nested(schema.field(one.column).type)
        return Bound((one.column,), "null", pa.nulls(0), one.negated, is_nested)
    if one.column not in kinds:
        _refuse_column(one, text, schema, list(kinds))
    path, kind, is_list = kinds[one.column]
    if one.operator == "null":
        refuse(text, one.place, f"{path[0]} as a whole is null or not", f"write {path[0]} is null")
    _check_operator(one, text, kind)
    values = [
        _value(one.column, kind, value, text, place)
        for value, place in zip(one.values, one.value_places, strict=True)
    ]
    if one.operator == "true":
        values = [True]
    return Bound(path, one.operator, pa.array(values, kind), one.negated, is_list)


def _bind_label(one: Condition, text: str, names: Names) -> Bound:
    """Return the condition on ``label_id`` that stands for one on the names of labels."""
    ids, shown = names
    batch = pa.record_batch({"label": shown})
    meets = rows_of(_bind_one(one, text, batch.schema, None), batch)
    return Bound(("label_id",), "in", ids.filter(meets), False)


def _refuse_column(one: Condition, text: str, schema: pa.Schema, known: list[str]) -> NoReturn:
    inner = [name for name in known if name.startswith(f"{one.column}.")]
    if inner:
        message = f'"{one.column}" holds several columns: filter by one of them'
        refuse(text, one.place, message, ", ".join(inner))
    near = nearest(one.column, known)
    message = f'there is no column "{one.column[:100]}"{near}'
    refuse(text, one.place, message, f"columns: {', '.join(known)}")


def _check_operator(one: Condition, text: str, kind: pa.DataType) -> None:
    if one.operator == "true" and not pa.types.is_boolean(kind):
        place = one.place + len(one.column)
        refuse(text, place, f"an operator is expected: {one.column} is a {_named(kind)}")
    if one.operator == "~" and not pa.types.is_string(kind):
        refuse(text, one.place, f'"~" is for texts: {one.column} is a {_named(kind)}')
    if pa.types.is_boolean(kind) and one.operator not in ("=", "in", "true"):
        refuse(text, one.place, f'{one.column} is true or false: only "=" is for it')


def _value(column: str, kind: pa.DataType, written: str, text: str, place: int) -> object:
    """Return a value as the column's type holds it, or refuse it with its place."""
    if pa.types.is_string(kind):
        return written
    if pa.types.is_boolean(kind) and written.lower() in ("true", "false"):
        return written.lower() == "true"
    if pa.types.is_floating(kind) and len(written) <= _MAX_DIGITS and _NUMBER.fullmatch(written):
        return float(written)
    if pa.types.is_integer(kind) and len(written) <= _MAX_DIGITS and _WHOLE.fullmatch(written):
        number = int(written)
        try:
            pa.scalar(number, kind)
        except (pa.ArrowInvalid, OverflowError):
            refuse(text, place, f"{column} is a {_named(kind)}: this cannot be one")
        return number
    refuse(text, place, f"{column} is a {_named(kind)}")


def _named(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind):
        return f"whole number of {kind.bit_width} bits"
    if pa.types.is_floating(kind):
        return "number"
    if pa.types.is_boolean(kind):
        return "column of true and false"
    return "text" if pa.types.is_string(kind) else str(kind)


# Evaluating


def _one(one: Bound, column: pa.Array) -> pa.Array:
    if one.operator == "null":
        return column.is_valid() if one.negated else column.is_null()
    values = _inner(pc.list_flatten(column) if one.is_listed else column, one.path)
    met = _met(one, values)
    if not one.is_listed:
        return pc.and_(pc.invert(met), values.is_valid()) if one.negated else met
    with_one = np.zeros(len(column), bool)
    with_one[pc.list_parent_indices(column).filter(met).to_numpy()] = True
    return pa.array(with_one != one.negated)


def _inner(column: pa.Array, path: tuple[str, ...]) -> pa.Array:
    return pc.struct_field(column, path[1]) if len(path) > 1 else column


def _met(one: Bound, values: pa.Array) -> pa.Array:
    if one.operator in ("in", "true"):
        found = pc.is_in(values, value_set=one.values, skip_nulls=True)
    elif one.operator == "~":
        found = pc.match_substring(values, one.values[0].as_py())
    else:
        found = _COMPARE[one.operator](values, one.values[0])
    return pc.fill_null(found, False)


def _weak(one: Bound) -> pc.Expression | None:
    if len(one.path) > 1 or one.is_listed or one.negated or one.operator in ("~", "true"):
        return None
    field = pc.field(one.path[0])
    if one.operator == "null":
        return field.is_null()
    if one.operator == "in":
        return field.isin(one.values)
    return _COMPARE[one.operator](field, one.values[0])
