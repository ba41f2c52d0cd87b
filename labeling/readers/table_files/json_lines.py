"""JSON Lines to batches of text columns; a line that is malformed costs that line.

Arrow's reader makes a column of every key, which fills the memory if each line has its own keys,
and a deeply nested line crashes it. So lines are read one by one, and of each only the wanted keys
are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from labeling.json_objects import Repeated, with_repeated
from labeling.readers.table_files.rows import BadRow, MissingColumn, Rows
from labeling.readers.table_files.text_files import Lines, text_lines


def read_json_lines(
    path: Path, wanted: Sequence[str], encoding: str | None, block_bytes: int
) -> Iterator[Rows]:
    """Yield some keys of JSON objects, one a line, as text, in batches; one batch at least.

    Raises
    ------
    InputError
        If no row of the first batch has a key.
    CutFile
        See `labeling.readers.table_files.text_files.text_lines`.
    """
    for block in text_lines(path, encoding, block_bytes):
        rows, keys = _rows(block, wanted)
        absent = [name for name in wanted if name not in keys]
        if block.first == 1 and absent and len(rows.table):
            raise MissingColumn(path, absent[0], sorted(keys))
        yield rows


def _rows(block: Lines, wanted: Sequence[str]) -> tuple[Rows, set[str]]:
    """Return the rows of a block; the keys of the first, and the wanted ones of the others."""
    values: dict[str, list[object]] = {name: [] for name in wanted}
    positions: list[int] = []
    bad: list[BadRow] = []
    keys: set[str] = set()
    for position, line in enumerate(block.content.split(b"\n"), block.first - 1):
        if not line.strip():
            continue
        row = _row(line)
        problem = "" if row is None else _problem(row, wanted)
        if row is None or problem:
            text = line.decode("utf-8", "backslashreplace")
            bad.append(BadRow(position, "bad_row", problem + text))
            continue
        keys.update(row.keys() & values.keys() if positions else row)
        positions.append(position)
        for name, column in values.items():
            column.append(row.get(name))
    columns = [_column(values[name]) for name in wanted]
    table = pa.Table.from_arrays(columns, names=list(wanted))
    return Rows(table, np.array(positions, np.int64), bad), keys


def _row(line: bytes) -> dict[str, object] | None:
    """Return the object of a line; None for anything else."""
    try:
        row = _DECODER.decode(line.decode(json.detect_encoding(line), "surrogatepass"))
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _problem(row: Mapping[str, object], wanted: Sequence[str]) -> str:
    """Return what is wrong with the wanted values of a row, an empty text if all are plain."""
    for name in wanted:
        value = row.get(name)
        if isinstance(value, dict | list):
            kind = "occurs twice" if isinstance(value, Repeated) else "is nested"
            return f"{name!r} {kind}: "
    return ""


def _constant(name: str) -> str | None:
    """Return a number of JSON that is not finite as text; NaN is a missing value."""
    return None if name == "NaN" else name


_DECODER = json.JSONDecoder(parse_constant=_constant, object_pairs_hook=with_repeated)
"""Made once: `json.loads` with options makes one for each line, which takes as long as a line."""


def _column(values: list[object]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowException, UnicodeEncodeError, TypeError):
        return pa.array(map(_text, values), pa.string())


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return None if value is None else json.dumps(value)
