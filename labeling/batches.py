"""CSV, Parquet and JSON Lines files to batches of text columns, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from labeling.errors import InputError

TABLE_SUFFIXES = (".csv", ".parquet", ".jsonl")

Columns = Mapping[str, str]
"""What winnow calls a column, to what the file calls it."""


BATCH_ROWS = 50_000
BATCH_BYTES = 16 << 20
"""Rows or bytes of a file that are held at a time."""


class Batch(NamedTuple):
    """Some rows of a file, and where each stood in it, from 0."""

    table: pa.Table
    rows: npt.NDArray[np.int64]


def read_batches(path: Path, columns: Columns, required: tuple[str, ...]) -> Iterator[Batch]:
    """Yield the mapped columns of a file under our names, all of them text; one batch at least."""
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
    for table in _read_any(path, columns):
        absent = [theirs for theirs in columns.values() if theirs not in table.column_names]
        if absent:
            raise InputError(
                f"an input file has no column {absent[0]!r}",
                facts={"file": path, "columns": ", ".join(table.column_names)[:1000]},
                help="correct `columns` in the configuration",
            )
        mapped = [_as_text(table[theirs], theirs, path) for theirs in columns.values()]
        rows = np.arange(start, start + len(table))
        yield Batch(pa.Table.from_arrays(mapped, names=list(columns)), rows)
        start += len(table)


def _read_any(path: Path, columns: Columns) -> Iterator[pa.Table]:
    try:
        yield from _READERS[path.suffix](path, columns)
    except FileNotFoundError:
        raise InputError("an input file does not exist", facts={"file": path}) from None
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            "an input file cannot be read", facts={"file": path, "cause": error}
        ) from error


def _read_csv(path: Path, columns: Columns) -> Iterator[pa.Table]:
    types = {theirs: pa.string() for theirs in columns.values()}
    convert = pa.csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
    parse = pa.csv.ParseOptions(newlines_in_values=True)
    read = pa.csv.ReadOptions(block_size=BATCH_BYTES)
    with pa.csv.open_csv(path, read, parse, convert) as reader:
        yield _table_of([], reader.schema)
        for batch in reader:
            yield _table_of([batch], reader.schema)


def _read_parquet(path: Path, columns: Columns) -> Iterator[pa.Table]:
    wanted = set(columns.values())
    with pa.parquet.ParquetFile(path) as file:
        found = [name for name in file.schema_arrow.names if name in wanted]
        schema = pa.schema([file.schema_arrow.field(name) for name in found])
        yield _table_of([], schema)
        for batch in file.iter_batches(BATCH_ROWS, columns=found):
            yield _table_of([batch], schema)


def _read_jsonl(path: Path, columns: Columns) -> Iterator[pa.Table]:
    """Read blocks of lines, each by itself: a key may hold numbers here and texts there."""
    names: list[str] = []
    with path.open("rb") as file:
        while lines := b"".join(file.readlines(BATCH_BYTES)):
            table = pa.json.read_json(pa.BufferReader(lines))
            for name in names:
                if name not in table.column_names:
                    table = table.append_column(name, pa.nulls(len(table), pa.string()))
            names = names or [n for n in columns.values() if n in table.column_names]
            yield table


def _table_of(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_batches(batches, schema)


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
