from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import InputError
from labeling.readers.table_files import csv_files, tabular
from labeling.readers.table_files.csv_files import Format
from labeling.readers.table_files.tabular import read_batches
from labeling.readers.table_files.text_files import BLOCK_BYTES

COLUMNS = {"image": "file", "text": "words"}
Outcome = tuple[list[tuple[str | None, str | None]], list[int], list[int]]


def outcome(path: Path, form: Format = csv_files.GUESSED) -> Outcome:
    """Return image and text of the rows, the lines of these, and those of bad rows."""
    batches = list(read_batches(path, COLUMNS, ("image", "text"), form=form))
    rows = [(row["image"], row["text"]) for batch in batches for row in batch.table.to_pylist()]
    lines = [row + 1 for batch in batches for row in batch.rows.tolist()]
    return rows, lines, [row.position + 1 for batch in batches for row in batch.bad]


def read(tmp_path: Path, content: bytes) -> Outcome:
    (tmp_path / "t.csv").write_bytes(content)
    return outcome(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"b,c,d", "a comma too many"),
        (b"b", "a comma too few"),
        (b"b,caf\xe9", "a byte that is not UTF-8"),
        (b"b,\xed\xa0\x80", "half a pair of UTF-16"),
        (b'b,"c', "an open quote"),
        (b'"b,c', "an open quote in the first column"),
        (b"b\rc,d", "an end of a line of old Macs"),
    ],
)
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@pytest.mark.parametrize("others", ["plain", "quoted", "several lines"])
def test_a_malformed_row_costs_that_row(
    tmp_path: Path, line: bytes, name: str, ending: bytes, others: str
) -> None:
    after = {"plain": b"e,f", "quoted": b'"e","f"', "several lines": b'e,"f\ng"'}[others]
    rows, lines, bad = read(
        tmp_path, ending.join([b"file,words", b"a,x", line, after, b"h,i", b""])
    )
    text = {"several lines": "f\ng"}.get(others, "f")
    assert rows == [("a", "x"), ("e", text), ("h", "i")], name
    assert (lines[:2], bad) == ([2, 4], [3])


@pytest.mark.parametrize("n", [6, 400])
@pytest.mark.parametrize("column", [0, 1])
def test_an_open_quote_does_not_swallow_what_follows(tmp_path: Path, n: int, column: int) -> None:
    fields = ['"open', "x"] if column == 0 else ["x", '"open']
    lines = ["file,words", ",".join(fields), *[f"a{i},b{i}" for i in range(1, n)], ""]
    rows, _, bad = read(tmp_path, "\n".join(lines).encode())
    assert (rows, bad) == ([(f"a{i}", f"b{i}") for i in range(1, n)], [2])


@pytest.mark.parametrize(
    "value",
    [
        '"red" apple',
        '"red"apple',
        '""red',
        '"""red" apple',
        '"a ""red"" b" c',
        '"red" ',
        '"a"" b" c"',
    ],
)
@pytest.mark.parametrize("others", [b"e,f", b'"e","f"', b'e,"x, ""y"" z"', b'e,"x,""y"" z"'])
@pytest.mark.parametrize("column", [0, 1])
def test_a_value_that_continues_after_its_closing_quote_is_a_bad_row(
    tmp_path: Path, value: str, others: bytes, column: int
) -> None:
    line = ",".join([value, "x"] if column == 0 else ["x", value]).encode()
    rows, lines, bad = read(tmp_path, b"\n".join([b"file,words", line, others, b"h,i", b""]))
    assert (len(rows), rows[-1], lines, bad) == (2, ("h", "i"), [3, 4], [2])


@pytest.mark.parametrize("value", ['5" apple', 'apple 5"', 'the "red" apple', 'a""b', 'a "" b'])
def test_a_quote_within_a_value_without_quotes_is_part_of_it(tmp_path: Path, value: str) -> None:
    rows, _, bad = read(tmp_path, f"file,words\na,{value}\n{value},b\n".encode())
    assert (rows, bad) == ([("a", value), (value, "b")], [])


def test_an_open_quote_on_the_last_line_is_a_bad_row(tmp_path: Path) -> None:
    for end in (b"", b"\n"):
        assert read(tmp_path, b'file,words\na,b\nc,"d' + end) == ([("a", "b")], [2], [3])


def test_quoted_values_may_have_line_breaks_and_cross_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f'line\n{"x" * (n % 7)}\n\n,;"{n}"' for n in range(200)]
    out = io.StringIO()
    csv.writer(out).writerows([["file", "words"], *[["a", text] for text in texts]])
    whole = read(tmp_path, out.getvalue().encode())
    assert [text for _, text in whole[0]] == texts
    assert (whole[1], whole[2]) == ([4 * n + 2 for n in range(200)], [])
    for block_bytes in (1, 30, 64, 1000):
        monkeypatch.setattr(tabular, "BATCH_BYTES", block_bytes)
        assert outcome(tmp_path / "t.csv") == whole


def test_empty_lines_are_skipped_and_counted_as_lines(tmp_path: Path) -> None:
    content = b"\n\r\nfile,words\n\na,b\n\n\nc,d\n"
    assert read(tmp_path, content) == ([("a", "b"), ("c", "d")], [5, 8], [])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_guessed_by_the_header(tmp_path: Path, delimiter: str) -> None:
    lines = [["no", "words", "file"], ["1", "b", "a"]]
    content = "".join(delimiter.join(line) + "\n" for line in lines)
    assert read(tmp_path, content.encode()) == ([("a", "b")], [2], [])


def test_a_delimiter_can_be_set(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file:words\na,b:c\n")
    assert outcome(tmp_path / "t.csv", Format(":"))[0] == [("a,b", "c")]
    (tmp_path / "t.tsv").write_text("file\twords\na,b\tc\n")
    assert outcome(tmp_path / "t.tsv")[0] == [("a,b", "c")]


def test_a_missing_column_is_named_with_those_of_the_header(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column 'file'") as caught:
        read(tmp_path, b"image,words\na,b\n")
    assert caught.value.facts["columns"] == "image, words"


def test_a_line_without_end_costs_that_line(tmp_path: Path) -> None:
    long = b"c," + b"x" * (2 * BLOCK_BYTES) + b"\n"
    rows, lines, bad = read(tmp_path, b"file,words\na,b\n" + long + b"d,e\n")
    assert (rows, lines, bad) == ([("a", "b"), ("d", "e")], [2, 4], [3])


FIELD = st.text("ab\"',; \n\r\u00e9", max_size=5)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(FIELD, FIELD), max_size=12), st.integers(1, 60))
def test_what_the_csv_module_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], block_bytes: int
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerows([("file", "words"), *rows])
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    expected = [(a or None, b or None) for a, b in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tabular, "BATCH_BYTES", block_bytes)
        assert outcome(path)[0] == expected


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=200), st.integers(1, 60))
def test_any_bytes_are_rows_or_bad_rows(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, block_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    good = b"".join(b"a%d,b\n" % n for n in range(csv_files.MAX_ROW_LINES + 2))
    path.write_bytes(b"file,words\n" + content + b"\n" + good)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tabular, "BATCH_BYTES", block_bytes)
        rows, _, _ = outcome(path, Format(",", "utf-8"))
    assert ("a101", "b") in rows
