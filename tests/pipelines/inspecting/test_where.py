"""Filters: the rows that they keep are those that a plain reading keeps; garbage is refused."""

from __future__ import annotations

import math
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
from labeling.taxonomy.confusables import visible
from pipelines.inspecting.tables import TableFiles, batches, count
from pipelines.inspecting.where import OPERATORS, read_filter

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
Meaning = Callable[[Row], bool]

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "~": lambda a, b: b in a,
}
NEGATED = {"!=": "=", "!~": "~"}


def written(value: object, quote: str) -> str:
    if isinstance(value, str):
        return quote + value.replace(quote, quote * 2) + quote
    return str(value).lower()


@st.composite
def conditions(draw: st.DrawFn) -> tuple[str, Meaning]:
    column = draw(st.sampled_from(sorted(VALUES)))
    is_text = column in ("label_id", "silent", "evidence.source")
    operator = draw(st.sampled_from([o for o in OPERATORS if is_text or "~" not in o]))
    is_negated, test = operator in NEGATED, COMPARE[NEGATED.get(operator, operator)]
    value = draw(VALUES[column])
    gap, quote = draw(st.sampled_from(["", " "])), draw(st.sampled_from("'\""))
    name, _, inner = column.partition(".")

    def holds(row: Row) -> bool:
        held = row[name]
        if isinstance(held, list):
            return is_negated != any(test(item[inner] if inner else item, value) for item in held)
        return held is not None and is_negated != test(held, value)

    return f"{column}{gap}{operator}{gap}{written(value, quote)}", holds


@settings(max_examples=80, deadline=None)
@given(
    st.lists(conditions(), min_size=1, max_size=3),
    st.sampled_from([" and ", " AND\n"]),
    st.lists(ROWS, min_size=1, max_size=8),
)
def test_a_filter_keeps_the_rows_that_it_describes(
    parts: list[tuple[str, Meaning]], joint: str, rows: list[Row]
) -> None:
    numbered = SCHEMA.append(pa.field("row", pa.int64()))
    listed = [{**row, "row": number} for number, row in enumerate(rows)]
    batch = pa.RecordBatch.from_pylist(listed, numbered)
    expected = [row["row"] for row in listed if all(holds(row) for _, holds in parts)]
    texts = [text for text, _ in parts]
    for wheres in (texts, [joint.join(texts)]):
        assert read_rows(wheres, batch) == expected
    assert read_rows(texts, batch.slice(1)) == [number for number in expected if number]


def read_rows(wheres: list[str], batch: pa.RecordBatch) -> list[int]:
    rows = read_filter(wheres, batch.schema)
    kept = [rows.of_lists(part) for part in pa.table(batch).filter(rows.plain).to_batches()]
    return [number for part in kept for number in part["row"].to_pylist()]


WORDS = [*OPERATORS, "and", "or", "not", "in", "(", ")", ",", "'", '"', "\x1b", "kept"]
WORDS += [*SCHEMA.names, "evidence.source", "red", "0.9", "1e999", "9" * 40, "-", "true", "ſ", "¹"]
GARBAGE = st.text(st.characters(), max_size=20) | st.lists(st.sampled_from(WORDS), max_size=12).map(
    " ".join
)


@settings(max_examples=200, deadline=None)
@given(GARBAGE)
def test_garbage_is_refused_or_is_a_filter(text: str) -> None:
    table = pa.Table.from_pylist([{}], SCHEMA)
    try:
        table.filter(read_filter([text], SCHEMA).plain)
    except ConfigError as error:
        assert error.message == visible(error.message)


@pytest.mark.parametrize("text", ["(" * 100_000, "kept " * 100_000, "kept = true and " * 10_000])
def test_a_filter_of_any_size_is_answered(text: str) -> None:
    with pytest.raises(ConfigError):
        read_filter([text + "kept = true"], SCHEMA)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p_corect > 0.9", 'no column "p_corect" (did you mean "p_correct"?)'),
        ("kept = true and p_correct > high", '"high" does not fit the column p_correct'),
        ("n_pages = 1.5", '"1.5" does not fit the column n_pages'),
        ("n_pages = 99999", '"99999" does not fit the column n_pages'),
        ("evidence = alt", '(did you mean "evidence.source"?)'),
        ("n_pages ~ 1", '"~" is for texts only'),
        ("kept", '"kept" is not a condition'),
        ("kept = true or kept = false", '"kept = true or kept = false" is not a condition'),
        ("kept = true and not kept = false", '"not kept = false" is not a condition'),
        ("(kept = true)", '"(kept = true)" is not a condition'),
        ("label_id in (red, blue)", "is not a condition"),
        ("label_id is null", "is not a condition"),
        ("label_id = red shirt", "is not a condition"),
        ("label_id = 'red", "is not a condition"),
        ("kept = true and ", "a condition is missing"),
        ("", "a condition is missing"),
    ],
)
def test_a_mistake_is_shown_with_its_remedy(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_filter([text], SCHEMA)
    assert expected in refused.value.message
    assert refused.value.help or "evidence.source" in str(refused.value.facts["columns"])
    if "condition" in expected:
        assert "DuckDB" in refused.value.help


def test_numbers_are_found_as_they_are_shown() -> None:
    values = np.array([0.9, 0.1, math.pi], np.float32)
    batch = pa.record_batch({"p": pa.array(values), "row": range(3)})
    for row, value in enumerate(values):
        assert read_rows([f"p = {value}"], batch) == [row]


def test_row_groups_without_a_match_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    ids = [f"{number:04d}" for number in range(4000)]
    lists = [[number % 7] for number in range(4000)]
    pq.write_table(pa.table({"id": ids, "n": range(4000), "l": lists}), path, row_group_size=1000)
    with path.open("r+b") as file:  # damage the first row group's pages
        file.seek(8)
        file.write(b"\xff" * 500)
    table = TableFiles("part", "part", (path,), 4000, 0)
    rows = read_filter(["id >= 3990 and n != 3995"], table.schema)
    assert count(table, rows) == 9
    (batch,) = batches(table, ["n"], rows, 3)
    assert batch.to_pydict() == {"n": [3990, 3991, 3992]}
    rows = read_filter(["id >= 3990", "l = 1"], table.schema)
    assert count(table, rows) == 2
    (batch,) = batches(table, ["n"], rows, None)
    assert batch.to_pydict() == {"n": [3991, 3998]}
