"""JSON Lines to batches of text columns; a line that is malformed costs that line.

Arrow's reader makes a column of every key, which fills the memory if each line has its own keys,
and a deeply nested line crashes it. So lines are read one by one, and of each only the wanted keys
are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

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
        row = _row(line, wanted)
        if row is None:
            bad.append(BadRow(position, "bad_row", line.decode("utf-8", "backslashreplace")))
            continue
        keys.update(row.keys() & values.keys() if positions else row)
        positions.append(position)
        for name, column in values.items():
            column.append(row.get(name))
    columns = [_column(values[name]) for name in wanted]
    table = pa.Table.from_arrays(columns, names=list(wanted))
    return Rows(table, np.array(positions, np.int64), bad), keys


def _row(line: bytes, wanted: Sequence[str]) -> dict[str, object] | None:
    """Return the object of a line; None for anything else, or if a wanted value is not plain."""
    try:
        row = json.loads(line, parse_constant=_constant)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    return None if any(isinstance(row.get(name), dict | list) for name in wanted) else row


def _constant(name: str) -> str | None:
    """Return a number of JSON that is not finite as text; NaN is a missing value."""
    return None if name == "NaN" else name


def _column(values: list[object]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowException, UnicodeEncodeError, TypeError):
        return pa.array(map(_text, values), pa.string())


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return None if value is None else json.dumps(value)
