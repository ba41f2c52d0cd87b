from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from labeling.errors import InputError
from labeling.frames.signals import signals_from_texts

ROWS = pa.table({"image": ["https://a.org/1.jpg", "https://a.org/2.jpg"], "text": ["cat", "dog"]})


@pytest.mark.parametrize(
    "cast",
    [
        lambda column: column.cast(pa.large_string()),
        lambda column: column.dictionary_encode(),
        lambda column: column.cast(pa.large_string()).dictionary_encode(),
    ],
    ids=["large", "dictionary", "large dictionary"],
)
def test_every_type_of_text_is_read(cast) -> None:
    table = pa.table([cast(column) for column in ROWS.columns], names=ROWS.column_names)
    assert signals_from_texts(table).equals(signals_from_texts(ROWS))


def test_rows_without_an_image_or_a_text_are_left_out() -> None:
    frame = pd.DataFrame({"image": ["a.jpg", None, "b.jpg", ""], "text": ["cat", "dog", "", "cow"]})
    assert signals_from_texts(frame)["text"].tolist() == ["cat"]


@pytest.mark.parametrize("null", ["N/A", " ", "nan", "-"])
def test_rows_whose_image_or_page_is_a_null_are_left_out(null: str) -> None:
    columns = {"image": ["a.jpg", null, "b.jpg"], "page": ["p", "p", null], "text": ["x", "y", "z"]}
    assert signals_from_texts(pa.table(columns), page="page")["text"].to_pylist() == ["x"]


def test_numbers_are_refused_as_texts() -> None:
    with pytest.raises(InputError, match="does not contain texts"):
        signals_from_texts(pa.table({"image": [1], "text": ["a"]}))
