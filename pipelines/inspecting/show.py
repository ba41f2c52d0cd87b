"""`winnow inspect`: rows of a run's tables on stdout, for a person or for another program."""

from __future__ import annotations

import csv
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.errors import ConfigError, IntegrityError
from labeling.taxonomy.confusables import visible
from pipelines.inspecting.filters import parse
from pipelines.inspecting.formatting import fits_terminal, size, table
from pipelines.inspecting.masks import Junction, Mask, Names, bind
from pipelines.inspecting.rows import (
    RunTable,
    batches,
    check_columns,
    count,
    find,
    label_names,
    tables,
)
from pipelines.inspecting.survey import Seen, refuse_damaged, require_run, survey
from pipelines.run.progress import say

ROWS_OF_A_PAGE = 1000
"""Rows for which the columns of a table are aligned at a time."""

DEFAULT_LIMIT = 20
"""Rows of a table for a person, where no number is asked for."""


def list_tables(run_dir: Path, out: IO[str]) -> None:
    """Write the name, rows, size and columns of each table of a run.

    Raises
    ------
    IntegrityError
        At the end, if a file of the run is damaged.
    """
    require_run(run_dir)
    seen = survey(run_dir)
    lines = [("table", "rows", "size", "columns")]
    lines += [
        (one.name, f"{one.n_rows:,}", size(one.n_bytes), _columns(one)) for one in tables(seen)
    ]
    for line in table(lines, right=(1, 2), width=fits_terminal()):
        out.write(f"{line}\n")
    refuse_damaged(seen)


def _columns(one: RunTable) -> str:
    try:
        return ", ".join(one.schema.names)
    except IntegrityError:
        return "(damaged)"


def show(
    run_dir: Path,
    name: str,
    wheres: Sequence[str],
    columns: Sequence[str],
    limit: int | None,
    form: str,
    only_count: bool,
    out: IO[str],
) -> None:
    """Write rows of one table that all filters let through, or how many there are.

    Parameters
    ----------
    run_dir, name
        The run, and a table of it as `rows.tables` names them.
    wheres
        Filters in the language of `pipelines.inspecting.filters`.
    columns
        What to write, in this order: everything where empty. ``label`` is the name of a label.
    limit
        How many rows to write at most: by default `DEFAULT_LIMIT` as a table, else all.
    form
        ``table``, ``csv`` or ``jsonl``.
    only_count
        Write how many rows there are in the place of the rows.
    out
        Text file to write to.
    """
    require_run(run_dir)
    seen = survey(run_dir)
    found = tables(seen)
    chosen = find(found, name)
    _say_stale(next(one for one in seen if one.name == chosen.stage))
    schema = chosen.schema
    names = label_names(found) if "label_id" in schema.names else None
    masks = tuple(bind(parse(text), text, schema, names) for text in wheres)
    mask: Mask | None = Junction(True, masks) if masks else None
    if only_count:
        out.write(f"{count(chosen, mask)}\n")
        return
    wanted = _wanted(schema.names, columns, names is not None and form == "table", names)
    if form == "table" and limit is None:
        limit = DEFAULT_LIMIT
    if limit is not None and limit < 0:
        raise ConfigError("--limit is a number of rows", facts={"found": limit})
    shown = itertools.count()
    rows = (row for row, _ in zip(_rows(chosen, wanted, mask, limit, names), shown, strict=False))
    _WRITERS[form](wanted, schema, rows, out)
    if form == "table":
        _say_rest(chosen, mask, next(shown), limit)


def _wanted(
    known: Sequence[str], columns: Sequence[str], with_label: bool, names: Names | None
) -> list[str]:
    """Return the columns to write; `with_label` puts the name of a label behind its id."""
    if columns:
        check_columns(columns, [*known, "label"] if names is not None else known)
        return list(columns)
    place = list(known).index("label_id") + 1 if with_label else 0
    return [*known[:place], "label", *known[place:]] if with_label else list(known)


def _say_stale(one: Seen) -> None:
    if one.stale:
        say(f"stale: the {one.name} were made from other {', '.join(one.stale)} than are in force")


def _say_rest(chosen: RunTable, mask: Mask | None, n_shown: int, limit: int | None) -> None:
    if n_shown == 0 and limit != 0:
        say("no row" if mask is None else "no row matches")
    elif mask is not None and n_shown == limit:
        say(f"the first {n_shown:,} that match: --limit for more, --count for their number")
    elif n_shown < chosen.n_rows and mask is None:
        say(f"the first {n_shown:,} of {chosen.n_rows:,} rows: --limit for more")


def _rows(
    chosen: RunTable,
    wanted: Sequence[str],
    mask: Mask | None,
    limit: int | None,
    names: Names | None,
) -> Iterator[dict[str, Any]]:
    """Yield rows as plain values, with the name of a label where it is wanted."""
    is_ours = "label" in wanted and "label" not in chosen.schema.names
    needed = dict.fromkeys("label_id" if n == "label" and is_ours else n for n in wanted)
    for batch in batches(chosen, list(needed), mask, limit):
        shown = {name: _plain(batch.column(name)) for name in needed}
        if is_ours and names is not None:
            place = pc.index_in(batch.column("label_id"), value_set=names[0])
            shown["label"] = names[1].take(place)
        yield from pa.table({name: shown[name] for name in wanted}).to_pylist()


def _plain(column: pa.Array) -> pa.Array:
    """Return a column with its 32-bit floats as the shortest 64-bit ones, and NaN as null."""
    kind = column.type
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, kind))
        return column if pa.types.is_float64(kind) else column.cast(pa.string()).cast(pa.float64())
    if pa.types.is_struct(kind):
        fields = [kind.field(number).name for number in range(kind.num_fields)]
        inner = [_plain(pc.struct_field(column, name)) for name in fields]
        return pa.StructArray.from_arrays(inner, fields, mask=column.is_null())
    if pa.types.is_list(kind):
        lengths = pc.fill_null(pc.list_value_length(column), 0)
        ends = np.cumsum(lengths.to_numpy(), dtype=np.int32)
        offsets = pa.array(np.concatenate([np.zeros(1, np.int32), ends]))
        values = _plain(pc.list_flatten(column))
        return pa.ListArray.from_arrays(offsets, values, mask=column.is_null())
    return column


# Writing


_Writer = Callable[[Sequence[str], pa.Schema, Iterator[dict[str, Any]], IO[str]], None]


def _write_table(
    wanted: Sequence[str], schema: pa.Schema, rows: Iterator[dict[str, Any]], out: IO[str]
) -> None:
    right = [
        number
        for number, name in enumerate(wanted)
        if name in schema.names and _is_number(schema.field(name).type)
    ]
    head = [tuple(wanted)]
    while True:
        page = [tuple(map(_cell, row.values())) for row in itertools.islice(rows, ROWS_OF_A_PAGE)]
        if not (head or page):
            return
        for line in table([*head, *page], right, fits_terminal()):
            out.write(f"{line}\n")
        head = []


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _cell(value: Any) -> str:
    """Return a value as a cell of a table: ``;`` between the items of a list."""
    if isinstance(value, list):
        return "; ".join(map(_cell, value))
    if isinstance(value, dict):
        return " ".join(filter(None, map(_cell, value.values())))
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _write_csv(
    wanted: Sequence[str], schema: pa.Schema, rows: Iterator[dict[str, Any]], out: IO[str]
) -> None:
    clean = visible if sys.stdout.isatty() else str
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(wanted)
    for row in rows:
        writer.writerow([clean(_csv_cell(value)) for value in row.values()])


def _csv_cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _write_jsonl(
    wanted: Sequence[str], schema: pa.Schema, rows: Iterator[dict[str, Any]], out: IO[str]
) -> None:
    is_ascii = sys.stdout.isatty()
    for row in rows:
        out.write(json.dumps(row, ensure_ascii=is_ascii) + "\n")


_WRITERS: dict[str, _Writer] = {"table": _write_table, "csv": _write_csv, "jsonl": _write_jsonl}
