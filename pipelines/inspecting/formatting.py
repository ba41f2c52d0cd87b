"""Numbers and tables as a person reads them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import IO, TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from labeling.taxonomy.confusables import visible

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

GAP = "  "
NARROWEST = 6
"""Cells that a column keeps where a table is fitted to a terminal."""


def size(n_bytes: float) -> str:
    """Return a number of bytes with its unit.

    Examples
    --------
    >>> [size(n) for n in (0, 999, 1536, 20_971_520, 3 << 40)]
    ['0 B', '999 B', '1.5 KiB', '20 MiB', '3.0 TiB']
    """
    unit = "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if abs(n_bytes) < 1000:
            break
        n_bytes, unit = n_bytes / 1024, larger
    return f"{n_bytes:,.1f} {unit}" if unit != "B" and n_bytes < 10 else f"{n_bytes:,.0f} {unit}"


def duration(seconds: float) -> str:
    """Return a time with its unit.

    Examples
    --------
    >>> [duration(s) for s in (0.042, 12.34, 754, 9000)]
    ['0.04 s', '12.3 s', '12 min 34 s', '2 h 30 min']
    """
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = int(seconds / 60)
    if minutes < 60:
        return f"{minutes} min {int(seconds % 60)} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def as_json(value: DataclassInstance) -> str:
    """Return the fields of an object, of all objects in it too, as JSON; paths are texts."""
    return json.dumps(asdict(value), indent=1, default=str)


def width_of(out: IO[str]) -> int | None:
    """Return the number of cells of a line where `out` is a terminal."""
    return shutil.get_terminal_size().columns if out.isatty() else None


def write_table(rows: Iterable[Sequence[str]], right: Iterable[int], out: IO[str]) -> None:
    """Write the lines of a table, cut to the width of the terminal where `out` is one."""
    out.writelines(f"{line}\n" for line in table(rows, right, width_of(out)))


def table(
    rows: Iterable[Sequence[str]], right: Iterable[int] = (), width: int | None = None
) -> list[str]:
    """Return the lines of a table, its columns aligned; those numbered in `right` to the right.

    Parameters
    ----------
    rows
        Texts, all rows of one length. Characters that a terminal would obey are made visible.
    right
        Columns of numbers.
    width
        Where given, the widest columns are cut until a line has so many cells.

    Examples
    --------
    >>> for line in table([("label", "n"), ("a dog on a lawn", "3,673")], right=[1], width=16):
    ...     print(line)
    label          n
    a dog on…  3,673
    """
    shown = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*shown, strict=True)]
    if width is not None:
        widths = _fit(widths, width)
    to_right = frozenset(right)
    return [_line(row, widths, to_right) for row in shown]


def _fit(widths: Sequence[int], width: int) -> list[int]:
    """Return widths that fit together, the widest reduced one cell after the other."""
    # Cut to the terminal first, so that few steps remain for texts of any length.
    fitted = [min(w, max(width, NARROWEST)) for w in widths]
    while sum(fitted) + len(GAP) * (len(fitted) - 1) > width and max(fitted) > NARROWEST:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


def _line(row: Sequence[str], widths: Sequence[int], right: frozenset[int]) -> str:
    cells = []
    for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
        if cell_len(cell) > width:
            cell = set_cell_size(cell, width - 1).rstrip() + "…"
        padding = " " * (width - cell_len(cell))
        cells.append(padding + cell if number in right else cell + padding)
    return GAP.join(cells).rstrip()
