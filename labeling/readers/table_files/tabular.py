"""CSV, Parquet and JSON Lines files to batches of text columns, in bounded memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from labeling.errors import InputError
from labeling.hints import did_you_mean
from labeling.keys.arrays import Ints
from labeling.readers.listing import COMPRESSIONS, TABLE_SUFFIXES
from labeling.readers.table_files.csv_files import GUESSED, Format, delimiter_of, read_csv
from labeling.readers.table_files.json_lines import read_json_lines
from labeling.readers.table_files.rows import BadRow, MissingColumn, Rows, folded, unreadable
from labeling.readers.table_files.sandboxed_parquet import read_parquet
from labeling.readers.table_files.text_files import CutFile, encoding_of

Columns = Mapping[str, str]
"""Names of columns in winnow, to their names in a file."""

NEAR = 0.8
"""Likeness of two names of which one may be the other, mistyped."""

BATCH_ROWS = 50_000
BATCH_BYTES = 4 << 20
"""Rows or bytes of a file that are in memory at a time."""


class Batch(NamedTuple):
    """Some rows of a file; the position of each, from 0: its line, or the row of a Parquet file.

    ``bad`` are the rows between them that cannot be read. ``left_out`` are the optional columns
    that the file lacks although it has one of a near name, with that.
    """

    path: Path
    name: str
    table: pa.Table
    rows: Ints
    bad: Sequence[BadRow] = ()
    left_out: Sequence[str] = ()


class _Opened(NamedTuple):
    """The columns that a file has, by their names there; its rows; and `Batch.left_out`."""

    columns: Columns
    batches: Iterator[Rows]
    left_out: tuple[str, ...]


def read_batches(
    path: Path,
    columns: Columns,
    required: tuple[str, ...],
    optional: tuple[str, ...] = (),
    form: Format = GUESSED,
) -> Iterator[Batch]:
    """Yield the mapped columns of a file under our names, all of them text; one batch at least.

    The file may lack a column that is `optional`, if it is mapped to its own name, as by default.
    The name in the file may differ in case, and have spaces around it, where one name does.

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
    if kind_of(path) not in _READERS:
        raise InputError(
            "the kind of an input file is not known",
            facts={"file": path, "known": ", ".join(TABLE_SUFFIXES)},
            help="give the file the ending of its format",
        )
    opened = _open(path, columns, optional, form)
    for rows in opened.batches:
        mapped = [rows.table[theirs] for theirs in opened.columns.values()]
        table = pa.Table.from_arrays(mapped, names=list(opened.columns))
        name = form.name or path.name
        yield Batch(path, name, table, rows.positions, rows.bad, opened.left_out)


def _open(
    path: Path,
    columns: Columns,
    optional: tuple[str, ...],
    form: Format,
    left_out: tuple[str, ...] = (),
) -> _Opened:
    batches = _read_any(path, list(dict.fromkeys(columns.values())), form)
    try:
        # Two, since the first is empty where a file is read by another process, before its check.
        first = list(itertools.islice(batches, 2))
        return _Opened(columns, itertools.chain(first, batches), left_out)
    except MissingColumn as error:
        others = _others(columns, error, optional)
        if others is None:
            # Of a class of `labeling.errors`, as what a worker raises has to be.
            raise InputError(error.message, facts=error.facts, help=error.help) from None
        if len(others) < len(columns):
            unused = [name for name in error.known if name not in columns.values()]
            hint = did_you_mean(error.name, unused, NEAR)
            left_out += (f"{error.name}{hint}",) if hint else ()
        return _open(path, others, optional, form, left_out)


def _others(
    columns: Columns, error: MissingColumn, optional: tuple[str, ...]
) -> dict[str, str] | None:
    """Return the columns without one that the file lacks, or with its name in other letters.

    None if there is no such name, or several, and the column is not optional.
    """
    alike = [name for name in error.known if folded(name) == folded(error.name)]
    if len(alike) == 1:
        return {n: alike[0] if name == error.name else name for n, name in columns.items()}
    is_optional = error.name in optional and columns.get(error.name) == error.name
    return None if alike or not is_optional else _without(columns, error.name)


def _without(columns: Columns, absent: str) -> dict[str, str]:
    return {name: columns[name] for name in columns if name != absent}


def _read_any(path: Path, wanted: Sequence[str], form: Format) -> Iterator[Rows]:
    last = -1
    try:
        for rows in _READERS[kind_of(path)](path, wanted, form):
            last = max([last, *rows.positions[-1:], *(row.position for row in rows.bad[-1:])])
            yield rows
    except CutFile as error:
        empty = pa.table({name: pa.nulls(0, pa.string()) for name in wanted})
        yield Rows(empty, np.zeros(0, np.int64), [BadRow(last + 1, "truncated", str(error))])
    except FileNotFoundError:
        raise InputError(
            "an input file does not exist", facts={"file": path}, help="correct its path"
        ) from None
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, error) from error


def kind_of(path: Path) -> str:
    """Return the ending of a table's name in lower case, without that of a compression.

    Examples
    --------
    >>> kind_of(Path("a.CSV.gz")), kind_of(Path("a.parquet"))
    ('.csv', '.parquet')
    """
    name = path.name.lower()
    packed = next((ending for ending in COMPRESSIONS[1:] if name.endswith(ending)), "")
    return Path(name.removesuffix(packed)).suffix


def guess(path: Path, wanted: Sequence[str], form: Format) -> str:
    """Return how a file is read as text, where that is guessed and is not UTF-8 with commas."""
    kind = kind_of(path)
    if kind == ".parquet":
        return ""
    encoding = form.encoding or encoding_of(path)
    guesses = [] if encoding == (form.encoding or "utf-8") else [f"in {encoding}"]
    if kind == ".csv" and form.delimiter is None:
        delimiter = delimiter_of(path, wanted, encoding)
        guesses += [] if delimiter in (",", None) else [f"with {delimiter!r} between columns"]
    return f"read as text {' '.join(guesses)} (guessed)" if guesses else ""


def _read_csv(path: Path, wanted: Sequence[str], form: Format) -> Iterator[Rows]:
    return read_csv(path, wanted, form, BATCH_BYTES)


def _read_tsv(path: Path, wanted: Sequence[str], form: Format) -> Iterator[Rows]:
    return read_csv(path, wanted, form._replace(delimiter=form.delimiter or "\t"), BATCH_BYTES)


def _read_json_lines(path: Path, wanted: Sequence[str], form: Format) -> Iterator[Rows]:
    return read_json_lines(path, wanted, form.encoding, BATCH_BYTES)


def _read_parquet(path: Path, wanted: Sequence[str], form: Format) -> Iterator[Rows]:
    return read_parquet(path, wanted, BATCH_ROWS, BATCH_BYTES)


_READERS: Mapping[str, Callable[[Path, Sequence[str], Format], Iterator[Rows]]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_parquet,
}
