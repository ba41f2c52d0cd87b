"""`winnow inspect`: rows of a run's tables on stdout, for a person or for another program."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.errors import ConfigError, IntegrityError
from labeling.hints import did_you_mean
from labeling.schemas import PAGES
from labeling.taxonomy.confusables import visible
from pipelines.inspecting.formatting import size, write_table
from pipelines.inspecting.survey import (
    all_damages,
    refuse_damaged,
    require_run,
    stale_note,
    survey,
)
from pipelines.inspecting.tables import (
    TableFiles,
    batches,
    count,
    find_table,
    label_names,
    origins,
    tables,
)
from pipelines.inspecting.where import Filter, read_filter
from pipelines.run.progress import notify
from pipelines.run.spreadsheets import neutral

ROWS_OF_A_PAGE = 1000
"""Rows of which the columns are aligned together."""

DEFAULT_LIMIT = 20
"""Rows of a table for a person, by default."""


def list_tables(run_dir: Path, out: IO[str]) -> None:
    """Write the name, rows, size and columns of each table of a run.

    Raises
    ------
    IntegrityError
        At the end, if a file of the run is damaged.
    """
    require_run(run_dir)
    states = survey(run_dir)
    lines = [
        (table.name, f"{table.n_rows:,}", size(table.n_bytes), _columns(table))
        for table in tables(states)
    ]
    write_table([("table", "rows", "size", "columns"), *lines], (1, 2), out)
    refuse_damaged(all_damages(run_dir, states))


def _columns(table: TableFiles) -> str:
    try:
        return ", ".join(table.schema.names)
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
    """Write the rows of one table that pass all filters, or their number.

    Parameters
    ----------
    run_dir, name
        The run, and a table of it as `tables.tables` names them.
    wheres
        Filters, as `pipelines.inspecting.where` describes them.
    columns
        Columns to write, in this order; empty for all. ``label`` is the name of a label,
        ``page`` the URL, file and record of a page.
    limit
        Most rows to write; by default `DEFAULT_LIMIT` as a table, else all.
    form
        ``table``, ``csv`` or ``jsonl``.
    only_count
        Write the number of rows instead of the rows.
    out
        Text file to write to.

    Raises
    ------
    InputError
        If the run has no such table.
    ConfigError
        If a filter or a column does not fit the table.
    IntegrityError
        If a file of the table cannot be read.
    """
    require_run(run_dir)
    states = survey(run_dir)
    listed = tables(states)
    table = find_table(listed, name)
    for state in states:
        if state.name == table.stage and state.stale:
            notify(stale_note(state.name, state.stale))
    known = list(table.schema.names)
    names = label_names(listed) if "label_id" in known else None
    pages = _pages_of(listed) if "page_id" in known and table.name != PAGES.name else None
    rows = read_filter(wheres, table.schema, names)
    if only_count:
        out.write(f"{count(table, rows)}\n")
        return
    added = ["label"] * (names is not None) + ["page"] * (pages is not None)
    _check_columns(columns, [*known, *added])
    if form == "table":
        if names is not None:
            known.insert(known.index("label_id") + 1, "label")
        if pages is not None:
            known.insert(known.index("page_id") + 1, "page")
        limit = DEFAULT_LIMIT if limit is None else limit
    values = _values(table, list(columns) or known, rows, limit, _Names(names, pages))
    if form == "csv":
        _write_csv(list(columns) or known, values, out)
    elif form == "jsonl":
        _write_jsonl(values, out)
    else:
        n_shown = _write_rows(list(columns) or known, table.schema, values, out)
        _note_hidden_rows(table.n_rows, bool(wheres), n_shown, limit)


class _Names(NamedTuple):
    """The names of labels, and the table of pages; None where the rows have no such ids."""

    labels: pa.Table | None
    pages: TableFiles | None


def _pages_of(listed: Sequence[TableFiles]) -> TableFiles | None:
    return next((table for table in listed if table.name == PAGES.name), None)


def _check_columns(columns: Sequence[str], known: Sequence[str]) -> None:
    for name in columns:
        if name not in known:
            raise ConfigError(
                f'there is no column "{name}"{did_you_mean(name, known)}',
                facts={"columns": ", ".join(known)},
                help="name columns of the list, separated by commas",
            )


def _note_hidden_rows(n_rows: int, is_filtered: bool, n_shown: int, limit: int | None) -> None:
    if n_shown == 0 and limit != 0:
        notify("no row matches" if is_filtered else "no row")
    elif is_filtered and n_shown == limit:
        notify(f"the first {n_shown:,} that match: --limit for more, --count for their number")
    elif n_shown < n_rows and not is_filtered:
        notify(f"the first {n_shown:,} of {n_rows:,} rows: --limit for more")


def _values(
    table: TableFiles,
    columns: Sequence[str],
    rows: Filter,
    limit: int | None,
    names: _Names,
) -> Iterator[dict[str, Any]]:
    """Yield rows as plain values; the columns ``label`` and ``page`` are looked up in `names`."""
    key_of = {"label": "label_id"} if names.labels is not None else {}
    key_of |= {"page": "page_id"} if names.pages is not None else {}
    stored = list(dict.fromkeys(key_of.get(name, name) for name in columns))
    for batch in batches(table, stored, rows, limit):
        values = {name: _plain(batch.column(name)) for name in stored}
        if names.labels is not None and "label_id" in values:
            row = pc.index_in(batch.column("label_id"), value_set=names.labels["label_id"])
            values["label"] = names.labels["label"].take(row)
        if names.pages is not None and "page" in columns:
            values["page"] = origins(names.pages, batch.column("page_id"))
        yield from pa.table({name: values[name] for name in columns}).to_pylist()


def _plain(column: pa.Array) -> pa.Array:
    """Return a column with its 32-bit floats as the shortest 64-bit ones, and NaN as null."""
    dtype = column.type
    if pa.types.is_floating(dtype):
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, dtype))
        return column if pa.types.is_float64(dtype) else column.cast(pa.string()).cast(pa.float64())
    if pa.types.is_struct(dtype):
        inner = [_plain(pc.struct_field(column, field.name)) for field in dtype]
        return pa.StructArray.from_arrays(inner, dtype.names, mask=column.is_null())
    if pa.types.is_list(dtype):
        lengths = pc.fill_null(pc.list_value_length(column), 0)
        offsets = np.concatenate([[0], np.cumsum(lengths.to_numpy())]).astype(np.int32)
        values = _plain(pc.list_flatten(column))
        return pa.ListArray.from_arrays(pa.array(offsets), values, mask=column.is_null())
    return column


# Writing


def _write_rows(
    columns: Sequence[str], schema: pa.Schema, rows: Iterator[dict[str, Any]], out: IO[str]
) -> int:
    """Write rows as aligned text, a page after the other; return their number."""
    numbers = {field.name for field in schema if str(field.type).startswith(("int", "float"))}
    right = [number for number, name in enumerate(columns) if name in numbers]
    lines, n_rows = [tuple(columns)], 0
    while True:
        page = [tuple(map(_cell, row.values())) for row in itertools.islice(rows, ROWS_OF_A_PAGE)]
        if page or lines:
            write_table([*lines, *page], right, out)
        if not page:
            return n_rows
        lines, n_rows = [], n_rows + len(page)


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


def _write_csv(columns: Sequence[str], rows: Iterator[dict[str, Any]], out: IO[str]) -> None:
    clean = visible if out.isatty() else str
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([clean(_csv_cell(value)) for value in row.values()])


def _csv_cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return neutral(value or "")
    return json.dumps(value, ensure_ascii=False)


def _write_jsonl(rows: Iterator[dict[str, Any]], out: IO[str]) -> None:
    is_ascii = out.isatty()
    for row in rows:
        out.write(json.dumps(row, ensure_ascii=is_ascii) + "\n")
