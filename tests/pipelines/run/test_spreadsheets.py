from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.run.spreadsheets import neutral, restored

TEXTS = st.text(alphabet="=+-@'\t\r\n; a,\"＝") | st.text()
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@given(TEXTS)
def test_a_neutral_text_comes_back(text: str) -> None:
    assert restored(neutral(text)) == text


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@given(TEXTS)
def test_no_cell_begins_like_a_formula(delimiter: str, text: str) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(["id", neutral(text), "end"])
    rows = csv.reader(io.StringIO(out.getvalue(), newline=""), delimiter=delimiter)
    cells = [cell for row in rows for cell in row]
    assert not any(cell.lstrip(" ").startswith(FORMULAS) for cell in cells)


@pytest.mark.parametrize("text", ["", "a", "1-2", "a=b", "'quoted'", "a; b", "e-mail@a.org"])
def test_other_texts_are_left_as_they_are(text: str) -> None:
    assert neutral(text) == restored(text) == text
