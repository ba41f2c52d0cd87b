from __future__ import annotations

import pyarrow as pa
import pytest

from labeling.checks import check, conform
from labeling.errors import InputError
from labeling.schemas import CANDIDATES, SCORED, SIGNALS, TABLES

ID = "0123456789abcdef" * 2


def scored(**columns: object) -> pa.Table:
    return pa.table({"image_id": [ID], "label_id": ["cat"], "p_correct": [0.5], **columns})


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_an_empty_table_fits_its_schema(table: object) -> None:
    check(table.empty(), table)  # type: ignore[attr-defined]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_field_has_a_description(table: object) -> None:
    assert all(len(f.meaning) > 10 for f in table.fields)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"p_correct": [float("nan")]}, "1 of 1 values of p_correct are not finite"),
        ({"p_correct": [float("inf")]}, "not finite"),
        ({"p_correct": [-0.1]}, "below 0"),
        ({"p_correct": [1.5]}, "above 1"),
        ({"p_correct": pa.array([None], pa.float32())}, "null"),
        ({"p_correct": ["high"]}, "wrong type"),
        ({"image_id": ["x.y"]}, "not of the form"),
        ({"label_id": ["a/b"]}, "row 0: 'a/b'"),
    ],
)
def test_bad_values_are_refused_with_their_column_and_row(
    columns: dict[str, object], expected: str
) -> None:
    with pytest.raises(InputError) as caught:
        conform(scored(**columns), SCORED, "scored.parquet")
    assert expected in str(caught.value)
    assert "scored.parquet" in str(caught.value)


def test_check_takes_no_other_type_and_no_other_column() -> None:
    with pytest.raises(InputError, match="expected float, found double"):
        check(scored(), SCORED)
    table = conform(scored(extra=[1]), SCORED)
    assert table.column_names == ["image_id", "label_id", "p_correct"]
    with pytest.raises(InputError, match="not a column of this table"):
        check(table.append_column("extra", pa.array([1])), SCORED)


def test_conform_names_missing_columns_and_fills_nullable_ones() -> None:
    with pytest.raises(InputError, match="missing: label_id"):
        conform(scored().drop_columns(["label_id"]), SCORED)
    row = {"image_id": [ID], "page_id": [ID], "host": ["h"], "source": ["alt"]}
    table = conform(pa.table({**row, "text": ["a cat"], "weight": [1.0]}), SIGNALS)
    assert table["lang"].null_count == 1


def test_conform_takes_candidates_made_elsewhere() -> None:
    row = {
        "image_id": ID,
        "label_id": "cat",
        "evidence": [{"source": "alt", "strength": 1.0, "n_pages": 1, "n_hosts": 1}],
        "silent": ["title"],
        "ambiguity": 1,
    }
    assert conform(pa.Table.from_pylist([row]), CANDIDATES).num_rows == 1
