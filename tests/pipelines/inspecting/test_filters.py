"""Filters: what they let through is what a plain reading of them says; garbage is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import ConfigError
from pipelines.inspecting.filters import OPERATORS, parse
from pipelines.inspecting.masks import bind, rows_of
from pipelines.inspecting.rows import RunTable, batches, count

ITEM = pa.struct([("source", pa.string()), ("strength", pa.float32())])
SCHEMA = pa.schema(
    {
        "label_id": pa.string(),
        "p_correct": pa.float32(),
        "n_pages": pa.int16(),
        "kept": pa.bool_(),
        "silent": pa.list_(pa.string()),
        "evidence": pa.list_(ITEM),
    }
)
TEXTS = st.text("ab '\"é", max_size=3)
FLOATS = st.sampled_from([0.0, 0.1, 0.25, 0.9, 1.0])
WHOLE = st.integers(-3, 3)
ROWS = st.fixed_dictionaries(
    {
        "label_id": st.none() | TEXTS,
        "p_correct": st.none() | FLOATS,
        "n_pages": st.none() | WHOLE,
        "kept": st.none() | st.booleans(),
        "silent": st.lists(TEXTS, max_size=3),
        "evidence": st.lists(st.fixed_dictionaries({"source": TEXTS, "strength": FLOATS})),
    }
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "label_id": TEXTS,
    "p_correct": FLOATS,
    "n_pages": WHOLE,
    "kept": st.booleans(),
    "silent": TEXTS,
    "evidence.source": TEXTS,
    "evidence.strength": FLOATS,
}

Row = dict[str, Any]
Meaning = Callable[[Row], bool | None]
"""What a filter says of a row: yes, no, or unknown because a value is missing."""

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "~": lambda a, b: b in a,
    "!~": lambda a, b: b not in a,
}


def written(value: object, quote: str) -> str:
    if isinstance(value, str):
        return quote + value.replace(quote, quote * 2) + quote
    return str(value).lower()


def meaning_of(column: str, test: Callable[[Any], bool], is_no: bool) -> Meaning:
    """A condition on a column; for lists, any item, or, where `is_no`, none of the items."""
    name, _, inner = column.partition(".")

    def holds(row: Row) -> bool | None:
        value = row[name]
        if isinstance(value, list):
            items = [item[inner] if inner else item for item in value]
            return not any(map(test, items)) if is_no else any(map(test, items))
        if value is None:
            return None
        return test(value) != is_no

    return holds


@st.composite
def conditions(draw: st.DrawFn) -> tuple[str, Meaning]:
    column = draw(st.sampled_from(sorted(VALUES)))
    quote = draw(st.sampled_from("'\""))
    kind = draw(st.sampled_from(["compare", "in", "null"]))
    name = column.partition(".")[0]
    if kind == "null":
        word = draw(st.sampled_from(["is null", "IS NOT NULL"]))
        is_not = "NOT" in word
        return f"{name} {word}", lambda row: (row[name] is None) != is_not
    if kind == "in":
        values = draw(st.lists(VALUES[column], min_size=1, max_size=3))
        negation = draw(st.sampled_from(["", "not "]))
        listed = ", ".join(written(value, quote) for value in values)
        return (
            f"{column} {negation}in ({listed})",
            meaning_of(column, lambda found: found in values, bool(negation)),
        )
    allowed = OPERATORS
    if column == "kept":
        allowed = ("=", "==", "!=")
    elif column not in ("label_id", "silent", "evidence.source"):
        allowed = tuple(o for o in OPERATORS if "~" not in o)
    operator = draw(st.sampled_from(allowed))
    value = draw(VALUES[column])
    plain = {"!=": "=", "!~": "~"}.get(operator, operator)
    test = COMPARE[plain]
    gap = draw(st.sampled_from(["", " "]))
    return (
        f"{column}{gap}{operator}{gap}{written(value, quote)}",
        meaning_of(column, lambda found: test(found, value), plain != operator),
    )


def negation(part: tuple[str, Meaning]) -> tuple[str, Meaning]:
    text, holds = part

    def inverse(row: Row) -> bool | None:
        found = holds(row)
        return None if found is None else not found

    return f"not ({text})", inverse


def junction(word: str) -> Callable[[list[tuple[str, Meaning]]], tuple[str, Meaning]]:
    def joined(parts: list[tuple[str, Meaning]]) -> tuple[str, Meaning]:
        decisive = word == "or"

        def holds(row: Row) -> bool | None:
            found = [part(row) for _, part in parts]
            if decisive in found:
                return decisive
            return None if None in found else not decisive

        return f" {word} ".join(f"({text})" for text, _ in parts), holds

    return joined


FILTERS = st.recursive(
    conditions(),
    lambda inner: (
        inner.map(negation)
        | st.lists(inner, min_size=1, max_size=3).map(junction("and"))
        | st.lists(inner, min_size=1, max_size=3).map(junction("or"))
    ),
    max_leaves=5,
)


@settings(max_examples=80, deadline=None)
@given(FILTERS, st.lists(ROWS, min_size=1, max_size=8))
def test_a_filter_lets_through_what_it_says(found: tuple[str, Meaning], rows: list[Row]) -> None:
    text, holds = found
    batch = pa.RecordBatch.from_pylist(rows, SCHEMA)
    mask = rows_of(bind(parse(text), text, SCHEMA), batch)
    assert mask.null_count == 0
    assert mask.to_pylist() == [holds(row) is True for row in rows]
    later = batch.slice(1)
    assert rows_of(bind(parse(text), text, SCHEMA), later).to_pylist() == mask.to_pylist()[1:]


WORDS = [
    *OPERATORS,
    "and",
    "or",
    "not",
    "in",
    "is",
    "null",
    "(",
    ")",
    ",",
    "'",
    '"',
    "\x1b",
    "kept",
]
WORDS += [*SCHEMA.names, "evidence.source", "red", "0.9", "1e999", "9" * 40, "-", "true", "ſ", "¹"]
GARBAGE = st.text(max_size=20) | st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(GARBAGE)
def test_garbage_is_refused_with_its_place_or_is_a_filter(text: str) -> None:
    batch = pa.RecordBatch.from_pylist([{}], SCHEMA)
    try:
        rows_of(bind(parse(text), text, SCHEMA), batch)
    except ConfigError as error:
        message, shown, mark = error.message.split("\n")
        assert message
        assert re.fullmatch(r" +\^", mark)
        assert len(mark) <= 2 * len(shown) + 1


@pytest.mark.parametrize("text", ["(" * 100_000, "not " * 100_000, "kept and " * 10_000 + "kept"])
def test_a_filter_of_any_size_is_answered(text: str) -> None:
    with pytest.raises(ConfigError, match=r"50 parentheses|a column is expected|500 conditions"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("p_corect > 0.9", 0, 'did you mean "p_correct"'),
        ("kept and p_correct > high", 21, "p_correct is a number"),
        ("n_pages = 1.5", 10, "n_pages is a whole number of 16 bits"),
        ("n_pages in (1, 99999)", 15, "n_pages is a whole number of 16 bits"),
        ("evidence = alt", 0, "filter by one of them"),
        ("evidence.source is null", 0, "as a whole"),
        ("n_pages ~ 1", 0, "is for texts"),
        ("kept > true", 0, "only"),
        ("label_id and kept", 8, "an operator is expected"),
        ("label_id 'red'", 9, "an operator is expected"),
        ("label_id = 'red", 11, "a quote is not closed"),
        ("(kept or kept", 13, '")" is expected, found the end'),
        ("kept kept", 5, "an operator is expected"),
        ("kept)", 4, '"and", "or" or the end is expected'),
        ("label_id in ()", 13, "a value is expected"),
        ("kept is nothing", 8, '"null" is expected'),
        ("kept ! true", 5, "this sign has no meaning"),
        ("", 0, "a column is expected"),
    ],
)
def test_a_mistake_is_shown_where_it_is(text: str, place: int, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        bind(parse(text), text, SCHEMA)
    message, shown, mark = refused.value.message.split("\n")
    assert expected in message
    assert shown == f"  {text}"
    assert len(mark) == place + 3


def test_numbers_are_found_as_they_are_shown() -> None:
    values = np.array([0.9, 0.1, math.pi], np.float32)
    batch = pa.record_batch({"p": pa.array(values)})
    for row, value in enumerate(values):
        text = f"p = {value}"
        assert rows_of(bind(parse(text), text, batch.schema), batch).to_pylist()[row]


def test_row_groups_without_a_match_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    ids = [f"{number:04d}" for number in range(4000)]
    pq.write_table(pa.table({"id": ids, "n": range(4000)}), path, row_group_size=1000)
    with path.open("r+b") as file:  # damage the first row group's pages
        file.seek(8)
        file.write(b"\xff" * 500)
    table = RunTable("part", "part", (path,), 4000, 0)
    text = "id >= 3990 and not n = 3995"
    mask = bind(parse(text), text, table.schema)
    assert count(table, mask) == 9
    (found,) = batches(table, ["n"], mask, 3)
    assert found.to_pydict() == {"n": [3990, 3991, 3992]}
