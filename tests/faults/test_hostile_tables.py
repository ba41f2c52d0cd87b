"""Tables of unknown origin, Parquet above all."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeling.errors import InputError
from labeling.readers.table_files import sandboxed_parquet
from labeling.readers.table_files.rows import unreadable
from labeling.readers.table_files.sandboxed_parquet import read_here, read_parquet
from labeling.readers.table_files.tabular import read_batches

ROWS, BYTES = 50_000, 16 << 20


class Foreign(pa.ExtensionType):
    def __init__(self) -> None:
        super().__init__(pa.string(), "winnow.foreign")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""


def here(path: Path, columns: Sequence[str]) -> list[dict[str, str | None]]:
    """Return the good rows of a file, or raise where one is bad."""
    rows = []
    for part in read_here(str(path), columns, ROWS, BYTES):
        for row in part.to_pylist():
            _, problem = row.pop("\0position"), row.pop("\0problem")
            if problem:
                raise unreadable(path, problem)
            rows.append(row)
    return rows


def guarded(path: Path) -> int:
    return sum(len(rows.table) for rows in read_parquet(path, ["a"], ROWS, BYTES))


def not_utf8() -> pa.Array:
    offsets, data = struct.pack("<ii", 0, 2), b"\xff\xfe"
    return pa.StringArray.from_buffers(1, pa.py_buffer(offsets), pa.py_buffer(data))


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["1", None, "ü"]),
        pa.array(["1", None, "ü"], pa.large_string()),
        pa.array(["1", None, "ü"]).dictionary_encode(),
        pa.array([b"1", None, "ü".encode()]),
    ],
)
def test_texts_of_every_kind_become_strings(tmp_path: Path, column: pa.Array) -> None:
    pq.write_table(pa.table({"b": [1, 2, 3], "a": column}), tmp_path / "t.parquet")
    expected = [{"a": "1", "b": "1"}, {"a": None, "b": "2"}, {"a": "ü", "b": "3"}]
    assert here(tmp_path / "t.parquet", ["a", "b"]) == expected


@pytest.mark.parametrize(
    ("column", "column_type"),
    [
        (pa.array([["x"]]), "list<element: string>"),
        (pa.array([{"b": {"c": 1}}]), "struct<b: struct<c: int64>>"),
        (pa.array([uuid.UUID(int=1).bytes], pa.uuid()), "extension<arrow.uuid>"),
        (pa.ExtensionArray.from_storage(Foreign(), pa.array(["x"])), "string"),
        (not_utf8(), "Invalid UTF8"),
        (pa.array([b"\xff"]), "Invalid UTF8"),
    ],
)
def test_other_columns_are_refused_with_what_was_found(
    tmp_path: Path, column: pa.Array, column_type: str
) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": column, "b": [1]}), path)
    with pytest.raises(InputError) as caught:
        here(path, ["b", "a"])
    assert "t.parquet" in str(caught.value)
    assert column_type in str(caught.value)
    assert here(path, ["b"]) == [{"b": "1"}]


def test_a_column_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    twice = pa.Table.from_arrays([pa.array(["x"]), pa.array([1])], names=["a", "a"])
    pq.write_table(twice, tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("a,a\nx,y\n")
    with pytest.raises(InputError, match="found string and int64"):
        here(tmp_path / "t.parquet", ["a"])
    with pytest.raises(InputError, match="'a' more than once"):
        list(read_batches(tmp_path / "t.csv", {"image": "a"}, ()))


def test_too_many_columns_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandboxed_parquet, "MAX_COLUMNS", 100)
    pq.write_table(pa.table({f"a{n}": [n] for n in range(101)}), tmp_path / "t.parquet")
    with pytest.raises(InputError, match="too many columns"):
        here(tmp_path / "t.parquet", ["a1"])


def flip_and_read(folder: str) -> None:
    """Read a file three hundred times, each time with another bit wrong."""
    path = Path(folder) / "t.parquet"
    table = pa.table({"a": [f"text {n % 7}" for n in range(200)], "b": range(200)})
    pq.write_table(table, path, compression="none", row_group_size=90)
    good, draw, n_refused = path.read_bytes(), random.Random(0), 0
    for _ in range(300):
        bad = bytearray(good)
        bad[draw.randrange(len(bad))] ^= 1 << draw.randrange(8)
        path.write_bytes(bad)
        try:
            here(path, ["a", "b"])
        except InputError:
            n_refused += 1
    print(n_refused)


def test_a_flipped_bit_is_read_or_refused_but_never_crashes(tmp_path: Path) -> None:
    code = f"from {__name__} import flip_and_read; flip_and_read({str(tmp_path)!r})"
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | paths
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 50


def varint(number: int) -> bytes:
    low = number & 0x7F
    return bytes([low]) if number < 128 else bytes([low | 0x80]) + varint(number >> 7)


def deeply_nested(depth: int) -> bytes:
    """Return a file whose footer (Thrift's compact protocol) has a column of that many groups."""

    def group(name: bytes) -> bytes:
        return b"\x35\x02\x18" + varint(len(name)) + name + b"\x15\x02\x00"

    leaf = b"\x15\x02\x25\x02\x18\x01x\x00"
    schema = b"\x19\xfc" + varint(depth + 2) + group(b"schema") + group(b"a") * depth + leaf
    footer = b"\x15\x02" + schema + b"\x16\x00\x19\x0c\x00"
    return b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1"


def test_a_file_that_crashes_the_reader_is_an_error_of_that_file(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(deeply_nested(3))
    with pytest.raises(InputError, match="found struct"):
        here(path, ["a"])
    path.write_bytes(deeply_nested(100_000))
    with pytest.raises(InputError, match=r"t\.parquet"):
        guarded(path)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import os; os.kill(os.getpid(), 11)", "was ended by SIGSEGV"),
        ("import os; os.write(1, b'x' * 9999); os.kill(os.getpid(), 9)", "was ended by SIGKILL"),
        ("import sys; sys.exit(1)", "its reader failed"),
        ("raise SystemError('bug')", "its reader failed"),
    ],
)
def test_the_death_of_the_reader_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, expected: str
) -> None:
    monkeypatch.setattr(sandboxed_parquet, "_COMMAND", (sys.executable, "-S", "-c", code))
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=expected) as caught:
        guarded(tmp_path / "t.parquet")
    assert "t.parquet" in str(caught.value)


@pytest.mark.parametrize(
    ("n_rows", "n_bytes", "expected"),
    [(5_000, 1_000_000, "Memory"), (2_000_000, 50, "more than 500 times its size")],
)
def test_a_bomb_is_refused(tmp_path: Path, n_rows: int, n_bytes: int, expected: str) -> None:
    path = tmp_path / "t.parquet"
    indices = pa.array([0]).take(pa.array([0] * n_rows)).cast(pa.int32())
    bomb = pa.DictionaryArray.from_arrays(indices, pa.array(["x" * n_bytes]))
    pq.write_table(pa.table({"a": bomb}), path, compression="zstd", row_group_size=n_rows)
    assert path.stat().st_size < 20_000
    with pytest.raises(InputError, match=expected):
        guarded(path)


@pytest.mark.parametrize(
    "line",
    [
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' + b"9" * 10_000 + b"}",
        b'{"a": ["x"]}',
        b'{"a": {"b": 1}}',
        b'["a"]',
        b"3",
        b'{"a": "\xff"}',
        b'{"a": "x"',
        b'{"a": "' + b"x" * (5 << 20) + b'"}',
    ],
)
def test_a_hostile_line_of_json_costs_that_line(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"a": "x"}\n\n' + line + b'\n{"a": "y"}\n')
    batches = list(read_batches(path, {"image": "a"}, ()))
    assert [text for batch in batches for text in batch.table["image"].to_pylist()] == ["x", "y"]
    (bad,) = [row for batch in batches for row in batch.bad]
    assert (bad.position, bad.reason) == (2, "bad_row")
    assert [row for batch in batches for row in batch.rows.tolist()] == [0, 3]


def test_a_damaged_row_group_costs_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    texts = [f"text {n}" for n in range(300)]
    pq.write_table(pa.table({"a": texts}), path, row_group_size=100, compression="zstd")
    column = pq.read_metadata(path).row_group(1).column(0)
    content = bytearray(path.read_bytes())
    content[column.data_page_offset : column.data_page_offset + 4] = b"\xff" * 4
    path.write_bytes(content)
    batches = list(read_batches(path, {"image": "a"}, ()))
    good = [text for batch in batches for text in batch.table["image"].to_pylist()]
    assert good == texts[:100] + texts[200:]
    bad = [row for batch in batches for row in batch.bad]
    assert [row.position for row in bad] == list(range(100, 200))
    assert {row.reason for row in bad} == {"bad_row"}


def test_a_value_that_is_not_text_costs_its_row(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [b"x", b"\xff", b"y"]}), tmp_path / "t.parquet")
    batches = list(read_batches(tmp_path / "t.parquet", {"image": "a"}, ()))
    assert [t for batch in batches for t in batch.table["image"].to_pylist()] == ["x", "y"]
    assert [row.position for batch in batches for row in batch.bad] == [1]


def test_a_column_of_json_lines_may_mix_values_of_every_type(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    lines = ['{"a": "x"}', '{"a": 1}', "", '{"a": 0.5}', '{"a": true}', '{"a": null}', "{}"]
    path.write_text("\n".join([*lines, '{"a": "\\ud800"}']))
    (batch,) = read_batches(path, {"image": "a"}, ())
    assert batch.table["image"].to_pylist() == ["x", "1", "0.5", "true", None, None, "?"]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_columns_that_nobody_asked_for_take_no_memory(tmp_path: Path, kind: str) -> None:
    """Arrow's readers took 5 GB for either file when they were let read all columns."""
    path = tmp_path / f"t.{kind}"
    if kind == "csv":
        names = ",".join(f"c{n}" for n in range(200_000))
        path.write_text(f"a,{names}\n" + ("x" + ",1" * 200_000 + "\n") * 5)
    else:
        path.write_text("".join(f'{{"a": "x", "c{n}": 1}}\n' for n in range(20_000)))
    before = pa.total_allocated_bytes()
    pool = pa.default_memory_pool()
    n_rows = sum(len(batch.table) for batch in read_batches(path, {"image": "a"}, ()))
    assert n_rows == (5 if kind == "csv" else 20_000)
    assert (pool.max_memory() or 0) - before < 2 << 30
