from __future__ import annotations

import bz2
import functools
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from labeling.errors import InputError, UnreadableFile
from labeling.readers.image_files import Locator
from labeling.readers.table_files import text_files
from labeling.readers.table_files.csv_files import GUESSED, Format
from labeling.readers.table_files.tables import read_signals
from labeling.readers.table_files.tabular import read_batches
from labeling.readers.table_files.text_files import encoding_of, text_lines

COLUMNS = {"image": "file", "text": "words"}
ROWS = [("a", "café"), ("b", "thé"), ("c", "olé")]


def as_csv(rows: list[tuple[str, str]] = ROWS) -> str:
    return "file,words\n" + "".join(f"{image},{text}\n" for image, text in rows)


def read(path: Path, form: Format = GUESSED) -> tuple[list[tuple[str, str]], list[str]]:
    batches = list(read_batches(path, COLUMNS, ("image", "text"), form=form))
    rows = [(row["image"], row["text"]) for batch in batches for row in batch.table.to_pylist()]
    return rows, [row.reason for batch in batches for row in batch.bad]


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


PACKERS = {
    ".gz": gzip.compress,
    ".bz2": functools.partial(bz2.compress, compresslevel=1),
    ".xz": lzma.compress,
    ".zst": zstd,
}


@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize("kind", [".csv", ".CSV", ".jsonl", ".ndjson"])
def test_packed_files_are_read(tmp_path: Path, ending: str, kind: str) -> None:
    lines = [f'{{"file": "{image}", "words": "{text}"}}\n' for image, text in ROWS]
    content = as_csv() if kind.lower() == ".csv" else "".join(lines)
    path = tmp_path / f"t{kind}{ending.upper()}"
    path.write_bytes(PACKERS[ending](content.encode()))
    assert read(path) == (ROWS, [])


@pytest.mark.parametrize("ending", PACKERS)
def test_several_packed_files_in_one_are_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t.csv{ending}"
    path.write_bytes(PACKERS[ending](as_csv().encode()) + PACKERS[ending](b"d,e\n"))
    assert read(path)[0] == [*ROWS, ("d", "e")]


@pytest.mark.parametrize("ending", PACKERS)
def test_a_packed_file_that_is_cut_is_reported_and_its_whole_lines_are_used(
    tmp_path: Path, ending: str
) -> None:
    rows = [(f"image {n * n}", f"text {n * 7919 % 9973}") for n in range(20_000)]
    content = PACKERS[ending](as_csv(rows).encode())
    path = tmp_path / f"t.csv{ending}"
    path.write_bytes(content[: len(content) * 9 // 10])
    kept_rows, reasons = read(path)
    assert reasons == ["truncated"]
    assert kept_rows == rows[: len(kept_rows)]
    assert len(kept_rows) > 10_000
    tables = list(read_signals(path, COLUMNS, "alt", Locator(tmp_path, []), Format(name="x/t")))
    rejects = [row for name, table in tables if name == "rejects" for row in table.to_pylist()]
    assert [row["where"] for row in rejects if row["reason"] == "truncated"] == ["x/t#"]


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz"])
@pytest.mark.parametrize("position", [0, 1, 3, -1])
def test_damage_anywhere_in_a_second_packed_file_is_reported(
    tmp_path: Path, ending: str, position: int
) -> None:
    second = bytearray(PACKERS[ending](b"d,e\n"))
    second[position] ^= 0x55
    path = tmp_path / f"t.csv{ending}"
    path.write_bytes(PACKERS[ending](as_csv().encode()) + second)
    rows, reasons = read(path)
    assert (rows[:3], reasons) == (ROWS, ["truncated"])


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz"])
def test_zeros_may_follow_packed_files(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t.csv{ending}"
    parts = PACKERS[ending](as_csv().encode()), bytes(5000), PACKERS[ending](b"d,e\n"), bytes(8)
    path.write_bytes(b"".join(parts))
    assert read(path) == ([*ROWS, ("d", "e")], [])


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz"])
def test_the_lines_before_a_damage_are_read(tmp_path: Path, ending: str) -> None:
    rows = [(f"image {n * n}", f"text {n * 7919 % 9973}") for n in range(9_000)]
    path = tmp_path / f"t.csv{ending}"
    path.write_bytes(PACKERS[ending](as_csv(rows).encode()) + b"no more")
    assert read(path) == (rows, ["truncated"])
    content = PACKERS[ending](as_csv(rows[:5_000]).encode())
    path.write_bytes(content + PACKERS[ending](as_csv(rows[5_000:]).encode()[11:])[:-1])
    assert read(path) == (rows, ["truncated"])


@pytest.mark.parametrize("ending", PACKERS)
def test_what_is_not_packed_is_cut(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"t.csv{ending}").write_bytes(b"not packed at all" * 10)
    assert read(tmp_path / f"t.csv{ending}") == ([], ["truncated"])


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "FREE_BYTES", 1 << 20)
    monkeypatch.setattr(text_files, "MAX_RATIO", 100)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"file,words\n" + b"a,b\n" * 1_000_000))
    with pytest.raises(InputError, match="more than 100 times its size"):
        read(tmp_path / "t.csv.gz")


def utf16(order: str, mark: str) -> Callable[[str], bytes]:
    return lambda text: (mark + text).encode(f"utf-16-{order}")


@pytest.mark.parametrize(
    ("encode", "expected"),
    [
        (lambda text: text.encode(), "utf-8"),
        (lambda text: text.encode("utf-8-sig"), "utf-8"),
        (utf16("le", "\ufeff"), "utf-16"),
        (utf16("be", "\ufeff"), "utf-16"),
        (utf16("le", ""), "utf-16-le"),
        (utf16("be", ""), "utf-16-be"),
        (lambda text: text.encode("utf-32"), "utf-32"),
        (lambda text: text.encode("latin-1"), "windows-1252"),
    ],
)
def test_the_encoding_is_guessed(
    tmp_path: Path, encode: Callable[[str], bytes], expected: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(encode(as_csv()))
    assert (read(path), encoding_of(path)) == ((ROWS, []), expected)


def test_an_encoding_can_be_set(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(as_csv([("a", "小狗")]).encode("gbk"))
    assert read(tmp_path / "t.csv", Format(encoding="gbk")) == ([("a", "小狗")], [])
    assert read(tmp_path / "t.csv")[1] == ["bad_row"]


@pytest.mark.parametrize("encoding", ["gbk", "shift_jis", "big5", "euc-kr", "koi8-r"])
def test_other_encodings_are_not_read_as_windows_1252(tmp_path: Path, encoding: str) -> None:
    text = {
        "gbk": "小狗 毛衣",
        "big5": "小狗 毛衣",
        "shift_jis": "子犬 セーター",
        "euc-kr": "강아지",
    }
    rows = [(f"{n}", text.get(encoding, "щенок")) for n in range(20)]
    (tmp_path / "t.csv").write_bytes(as_csv(rows).encode(encoding))
    assert set(read(tmp_path / "t.csv")[1]) == {"bad_row"}


def test_bytes_that_are_not_of_the_encoding_cost_their_row(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    content = as_csv().encode("utf-16-le").replace("b,thé".encode("utf-16-le"), b"b\0,\0\x00\xd8")
    path.write_bytes(b"\xff\xfe" + content)
    assert read(path) == ([ROWS[0], ROWS[2]], ["bad_row"])
    path.write_bytes(b"\xff\xfe" + as_csv().encode("utf-16-le") + b"d\0,\0e")
    assert read(path) == (ROWS, ["bad_row"])


def test_lines_of_old_macs_are_lines(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(as_csv().replace("\n", "\r"), encoding="utf-8", newline="")
    assert read(tmp_path / "t.csv") == (ROWS, [])


def test_blocks_are_whole_lines_with_the_number_of_the_first(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"".join(b"%d\n" % n for n in range(1000)) + b"end")
    blocks = list(text_lines(tmp_path / "t", None, 100))
    assert [block.is_last for block in blocks] == [False] * (len(blocks) - 1) + [True]
    for block in blocks:
        assert block.content.split(b"\n")[0] in (b"%d" % (block.first - 1), b"end", b"")
    assert b"".join(block.content for block in blocks).endswith(b"999\nend\n")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_file_without_the_mark_of_its_encoding_is_unreadable(
    tmp_path: Path, encoding: str
) -> None:
    (tmp_path / "t").write_bytes(as_csv().encode())
    with pytest.raises(UnreadableFile, match="not of its encoding"):
        list(text_lines(tmp_path / "t", encoding, 100))
    (tmp_path / "t").write_text(as_csv(), encoding)
    assert (
        b"".join(lines.content for lines in text_lines(tmp_path / "t", encoding, 100)).decode()
        == as_csv()
    )


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_table_without_the_ending_is_unreadable(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "t.csv").write_bytes(pack(as_csv().encode()))
    with pytest.raises(UnreadableFile, match="cannot be read"):
        read(tmp_path / "t.csv")
