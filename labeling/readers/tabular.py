"""CSV, Parquet and JSON Lines files to batches of text columns, in bounded memory."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv

from labeling.errors import InputError
from labeling.keys.arrays import Ints
from labeling.readers.sandboxed_parquet import missing_column, read_parquet, unreadable

Columns = Mapping[str, str]
"""Names of columns in winnow, to their names in a file."""

BATCH_ROWS = 50_000
BATCH_BYTES = 4 << 20
"""Rows or bytes of a file that are in memory at a time."""

MAX_LINE_BYTES = 4 << 20
"""Bytes of a line of JSON Lines."""


class Batch(NamedTuple):
    """Some rows of a file, and the position of each in it, from 0."""

    path: Path
    table: pa.Table
    rows: Ints


def read_batches(
    path: Path, columns: Columns, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Iterator[Batch]:
    """Yield the mapped columns of a file under our names, all of them text; one batch at least.

    The file may lack a column that is `optional`, if it is mapped to its own name, as by default.

    Raises
    ------
    InputError
        If a required column is not mapped, or the file cannot be read or lacks a mapped column.
    """
    missing = [name for name in required if name not in columns]
    if missing:
        raise InputError(
            f"the column mapping of an input lacks {', '.join(missing)}",
            facts={"file": path, "mapped": ", ".join(columns)},
            help="name the file's columns under `columns` in the configuration",
        )
    if path.suffix not in _READERS:
        raise InputError(
            "the kind of an input file is not known",
            facts={"file": path, "known": ", ".join(_READERS)},
        )
    start = 0
    columns, tables = _open(path, columns, optional)
    for table in tables:
        absent = [theirs for theirs in columns.values() if theirs not in table.column_names]
        if absent:
            raise missing_column(path, absent[0], table.column_names)
        mapped = [_as_text(table[theirs], theirs, path) for theirs in columns.values()]
        rows = np.arange(start, start + len(table))
        yield Batch(path, pa.Table.from_arrays(mapped, names=list(columns)), rows)
        start += len(table)


def _open(
    path: Path, columns: Columns, optional: tuple[str, ...]
) -> tuple[Columns, Iterator[pa.Table]]:
    """Return the columns that the file has, without optional ones that it lacks, and its tables."""
    tables = _read_any(path, columns)
    try:
        # Two, since the first is empty where a file is read by another process, before its check.
        return columns, itertools.chain(list(itertools.islice(tables, 2)), tables)
    except InputError as error:
        for ours in optional:
            theirs = columns.get(ours)
            if theirs == ours and error.message == missing_column(path, theirs, ()).message:
                present = {name: columns[name] for name in columns if name != ours}
                return _open(path, present, optional)
        raise


def _read_any(path: Path, columns: Columns) -> Iterator[pa.Table]:
    try:
        yield from _READERS[path.suffix](path, columns)
    except FileNotFoundError:
        raise InputError("an input file does not exist", facts={"file": path}) from None
    except (pa.ArrowException, csv.Error, OSError) as error:
        raise unreadable(path, error) from error


def _read_csv(path: Path, columns: Columns) -> Iterator[pa.Table]:
    types = {theirs: pa.string() for theirs in columns.values()}
    convert = pa.csv.ConvertOptions(
        column_types=types, include_columns=list(types), strings_can_be_null=True, null_values=[""]
    )
    parse = pa.csv.ParseOptions(newlines_in_values=True)
    read = pa.csv.ReadOptions(block_size=BATCH_BYTES)
    try:
        with pa.csv.open_csv(path, read, parse, convert) as reader:
            _refuse_duplicates(types, _csv_header(path), path)
            yield reader.schema.empty_table()
            for batch in reader:
                yield pa.Table.from_batches([batch])
    except pa.ArrowKeyError:
        header = _csv_header(path)
        absent = next((name for name in types if name not in header), "")
        raise missing_column(path, absent, header) from None


def _csv_header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return next(csv.reader(io.StringIO(file.read(BATCH_BYTES))), [])


def _refuse_duplicates(wanted: Iterable[str], header: Sequence[str], path: Path) -> None:
    twice = [name for name in wanted if header.count(name) > 1]
    if twice:
        raise InputError(
            f"an input file has the column {twice[0]!r} more than once", facts={"file": path}
        )


def _read_parquet(path: Path, columns: Columns) -> Iterator[pa.Table]:
    return read_parquet(path, tuple(dict.fromkeys(columns.values())), BATCH_ROWS, BATCH_BYTES)


def _read_jsonl(path: Path, columns: Columns) -> Iterator[pa.Table]:
    """Read lines one by one, and keep of each only the wanted keys.

    Arrow's reader makes a column of every key, which fills the memory if each line has its own
    keys, and a deeply nested line crashes it.
    """
    wanted = list(dict.fromkeys(columns.values()))
    start = 0
    for lines in _blocks_of_lines(path):
        values: dict[str, list[object]] = {name: [] for name in wanted}
        keys: set[str] = set()
        for number, line in enumerate(lines, start + 1):
            row = _json_row(line, f"{path}:{number}")
            keys.update(row if number == 1 else row.keys() & values.keys())
            for name, column in values.items():
                column.append(row.get(name))
        absent = [name for name in wanted if start == 0 and name not in keys]
        if absent:
            raise missing_column(path, absent[0], sorted(keys))
        yield pa.table({name: _json_column(values[name], name, path, start) for name in wanted})
        start += len(lines)


def _blocks_of_lines(path: Path) -> Iterator[list[bytes]]:
    lines, n_bytes = [], 0
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), 1):
            if len(line) == MAX_LINE_BYTES:
                raise InputError(
                    "a line of an input file is too long",
                    facts={"where": f"{path}:{number}", "longest": f"{MAX_LINE_BYTES:,} bytes"},
                )
            if line.strip():
                lines.append(line)
                n_bytes += len(line)
            if n_bytes >= BATCH_BYTES:
                yield lines
                lines, n_bytes = [], 0
    if lines:
        yield lines


def _json_row(line: bytes, where: str) -> dict[str, object]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(
            "a line of an input file is not JSON", facts={"where": where, "cause": error}
        ) from error
    if not isinstance(row, dict):
        raise InputError("a line of an input file is not an object", facts={"where": where})
    return row


def _json_column(values: list[object], name: str, path: Path, start: int) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowException, UnicodeEncodeError, TypeError):
        texts = (_json_text(v, name, f"{path}:{n}") for n, v in enumerate(values, start + 1))
        return pa.array(texts, pa.string())


def _json_text(value: object, name: str, where: str) -> str | None:
    if isinstance(value, dict | list):
        raise InputError(
            f"column {name!r} of an input file is not text, a number or a time",
            facts={"where": where, "found": str(value)[:200]},
        )
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return None if value is None else json.dumps(value)


_READERS: Mapping[str, Callable[[Path, Columns], Iterator[pa.Table]]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".jsonl": _read_jsonl,
}


def _as_text(column: pa.ChunkedArray, name: str, path: Path) -> pa.ChunkedArray:
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(
            f"column {name!r} of an input file is not text, a number or a time",
            facts={"file": path, "found": column.type},
        ) from error
