"""The filters of `winnow inspect --where`: conditions on columns, all of which a row must meet.

::

    label_id = red and p_correct >= 0.9 and evidence.source = alt and text ~ "buy now"

A condition is a column, one of `OPERATORS` and a value. A value with a space or a sign is quoted,
and a quote in it doubled. A missing value meets no condition. The name of a column within a list is
its path; the column meets a condition if any item does, and one with ``!=`` or ``!~`` if no item
equals or contains the value. A filter is parsed by a regular expression and never evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.errors import ConfigError
from labeling.hints import did_you_mean
from labeling.taxonomy.confusables import visible

MAX_CONDITIONS = 100
"""More would nest an Arrow expression so deep that its evaluation can overflow the stack."""

OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": pc.equal,
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
    "~": lambda texts, part: pc.match_substring(texts, part.as_py()),
    "!~": lambda texts, part: pc.invert(pc.match_substring(texts, part.as_py())),
}
_NEGATED = {"!=": "=", "!~": "~"}

_CONDITION = re.compile(
    r"""\s* (?P<column>[^\s"'=<>~!(),]+)
    \s* (?P<operator>==|!=|<=|>=|!~|[=<>~])
    \s* (?P<value>"(?:[^"]|"")*"|'(?:[^']|'')*'|[^\s"'=<>~!(),]+)
    \s* (?:$|(?P<more>\band\s))""",
    re.VERBOSE | re.IGNORECASE,
)
_HELP = (
    f"write COLUMN OP VALUE, with and between conditions; OP is one of {' '.join(OPERATORS)};"
    " quote values with spaces or signs. For or, not, in and null, query the Parquet files with"
    " DuckDB: docs/how-to/inspecting.md shows the line"
)


class Condition(NamedTuple):
    """A column, a key of `OPERATORS`, and a value as the filter has it."""

    column: str
    operator: str
    value: str


class ListCondition(NamedTuple):
    """A condition on the items of a list, or on the field `inner` of them."""

    column: str
    inner: str
    operator: str
    value: pa.Scalar

    def rows(self, batch: pa.RecordBatch) -> pa.Array:
        """Return whether each row of a batch meets the condition: booleans without nulls."""
        lists = batch.column(self.column)
        items = pc.list_flatten(lists)
        if self.inner:
            items = pc.struct_field(items, self.inner)
        operator = _NEGATED.get(self.operator, self.operator)
        met = pc.fill_null(OPERATORS[operator](items, self.value), False)
        is_met = np.zeros(len(lists), bool)
        is_met[pc.list_parent_indices(lists).filter(met).to_numpy()] = True
        return pa.array(is_met != (self.operator in _NEGATED))


@dataclass(frozen=True, eq=False)
class Filter:
    """Conditions that rows must meet.

    Attributes
    ----------
    plain
        Those on columns without lists: one expression, by whose statistics a reader of Parquet
        skips row groups.
    on_lists
        Those on lists, which Arrow's expressions cannot hold.
    """

    plain: pc.Expression
    on_lists: tuple[ListCondition, ...] = ()

    def of_lists(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows of a batch that meet all conditions on lists."""
        for condition in self.on_lists:
            batch = batch.filter(condition.rows(batch))
        return batch


def parse(text: str) -> Iterator[Condition]:
    """Yield the conditions of a filter.

    Raises
    ------
    ConfigError
        With the part of the text that is not a condition.

    Examples
    --------
    >>> [tuple(condition) for condition in parse("p_correct >= 0.9 and label = 'red shirt'")]
    [('p_correct', '>=', '0.9'), ('label', '=', 'red shirt')]
    """
    match, end = None, 0
    while match is None or match["more"]:
        match = _CONDITION.match(text, end)
        if match is None:
            rest = text[end:].strip()
            raise ConfigError(
                f'"{visible(rest)}" is not a condition' if rest else "a condition is missing",
                facts={"--where": visible(text)},
                help=_HELP,
            )
        value, end = match["value"], match.end()
        if value[0] in "\"'":
            value = value[1:-1].replace(value[0] * 2, value[0])
        yield Condition(match["column"], match["operator"], value)


def read_filter(wheres: Sequence[str], schema: pa.Schema, names: pa.Table | None = None) -> Filter:
    """Return a filter for the columns of a table.

    Parameters
    ----------
    wheres
        Texts of filters, all of which a row must meet.
    schema
        Columns of the table.
    names
        Columns ``label_id`` and ``label``: where given, ``label`` is a column too.

    Raises
    ------
    ConfigError
        If a text is not a filter, or does not fit the columns.

    Examples
    --------
    >>> table = pa.table({"label_id": ["red", "blue", None], "n": [1, 2, 3]})
    >>> rows = read_filter(["label_id != blue and n < 9"], table.schema)
    >>> table.filter(rows.plain)["n"].to_pylist()
    [1]
    """
    conditions = [condition for text in wheres for condition in parse(text)]
    if len(conditions) > MAX_CONDITIONS:
        raise ConfigError(
            f"a filter has more than {MAX_CONDITIONS} conditions",
            facts={"conditions": len(conditions)},
            help=_HELP,
        )
    plain, on_lists = pc.scalar(True), []
    for condition in conditions:
        if condition.column == "label" and names is not None:
            _refuse_unknown(condition, names)
            chosen = names.filter(_bind(condition, names.schema))
            plain &= pc.field("label_id").isin(chosen["label_id"].combine_chunks())
            continue
        if condition.column == "label_id" and names is not None:
            _refuse_unknown(condition, names)
        bound = _bind(condition, schema)
        if isinstance(bound, ListCondition):
            on_lists.append(bound)
        else:
            plain &= bound
    return Filter(plain, tuple(on_lists))


def _refuse_unknown(condition: Condition, names: pa.Table) -> None:
    """Raise `ConfigError` for a label that the taxonomy does not have: no row could be of it."""
    known = names[condition.column].to_pylist()
    if condition.operator in ("=", "==", "!=") and condition.value not in known:
        raise ConfigError(
            f'there is no {condition.column} "{visible(condition.value[:100])}"'
            f"{did_you_mean(condition.value, known)}",
            facts={"labels": len(known)},
            help=f"write {condition.column} ~ TEXT for the labels that contain a text",
        )


def _bind(condition: Condition, schema: pa.Schema) -> pc.Expression | ListCondition:
    """Return a condition with a value of its column's type."""
    types = dict(_types(schema))
    name, operator, _ = condition
    if name not in types:
        raise ConfigError(
            f'there is no column "{visible(name[:100])}"{did_you_mean(name, list(types))}',
            facts={"columns": ", ".join(types)},
            help="name a column of the list",
        )
    value = _value(condition, types[name])
    column, _, inner = name.partition(".")
    if pa.types.is_list(schema.field(column).type):
        return ListCondition(column, inner, operator, value)
    return OPERATORS[operator](pc.field(column), value)


def _types(schema: pa.Schema) -> Iterator[tuple[str, pa.DataType]]:
    """Yield the columns that can be filtered by, and the type of their values."""
    for field in schema:
        dtype = field.type.value_type if pa.types.is_list(field.type) else field.type
        if pa.types.is_struct(dtype):
            yield from ((f"{field.name}.{inner.name}", inner.type) for inner in dtype)
        else:
            yield field.name, dtype


def _value(condition: Condition, dtype: pa.DataType) -> pa.Scalar:
    column, operator, value = condition
    if "~" in operator and not pa.types.is_string(dtype):
        raise ConfigError(
            f'"{operator}" is for texts only', facts={"column": column, "type": dtype}, help=_HELP
        )
    try:
        # Rounded to the type of the column, so that a number is found as it is shown.
        return pa.scalar(value, pa.string()).cast(dtype)
    except (ValueError, pa.ArrowException):
        raise ConfigError(
            f'"{visible(value[:100])}" does not fit the column {column}',
            facts={"type": dtype},
            help=_HELP,
        ) from None
