"""The commands that look at a job and change nothing: ``plan``, ``status`` and ``inspect``."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

import pipelines
from pipelines.commands.options import (
    AbsolutePath,
    config_argument,
    existing_run,
    format_option,
    print_next,
    set_option,
)
from pipelines.run.paths import typed


@click.command()
@config_argument
@click.option(
    "--out",
    type=AbsolutePath(file_okay=False),
    help="Run folder of the job: shows what of it is done, and the space there.",
)
@set_option
@format_option
def plan(config: Path, out: Path | None, form: str, **options: Any) -> None:
    """Show what `winnow label CONFIG` would do: inputs, passes, disk, memory, what is done.

    Looks at names, sizes and the footers of Parquet files, and writes nothing.
    """
    from pipelines.inspecting.formatting import as_json, size
    from pipelines.run.progress import notify

    planned = pipelines.plan(config, out=out, **options)
    with _stdout() as stdout:
        stdout.write(f"{as_json(planned) if form == 'json' else planned}\n")
        if planned.n_bytes_needed > planned.n_bytes_free:
            notify(
                f"warning: about {size(planned.n_bytes_needed)} are needed in {planned.folder}, and"
                f" {size(planned.n_bytes_free)} are free: make room, or choose another folder with"
                " --out"
            )
        print_next(f"winnow label {typed(config)} --out {'RUN' if out is None else typed(out)}")


@click.command()
@existing_run
@format_option
def status(run: Path, form: str) -> None:
    """Show how far a run is: what is there, stale, unfinished or damaged, and what comes next.

    Looks only: it can be called while another process works on the run. Files are compared with
    what was written by their size, not by their content.
    """
    from pipelines.inspecting.formatting import as_json, width_of
    from pipelines.inspecting.survey import refuse_damaged

    state = pipelines.status(run)
    with _stdout() as out:
        out.write(f"{as_json(state) if form == 'json' else state.text(width_of(out))}\n")
        out.flush()
        refuse_damaged(state.damages)
        print_next(state.next)


@click.command()
@existing_run
@click.argument("table", required=False)
@click.option(
    "--where",
    "wheres",
    multiple=True,
    metavar="FILTER",
    help="Rows to show, such as 'label_id = red and p_correct >= 0.9' (repeatable: all of them).",
)
@click.option("--columns", metavar="A,B,…", help="Columns to show, in this order.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    help="Rows to show at most; 20 by default as a table, else all.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "jsonl"]),
    default="table",
    show_default=True,
    help="A table for people, or a format for programs.",
)
@click.option("--count", "only_count", is_flag=True, help="Show how many rows there are.")
def inspect(
    run: Path,
    table: str | None,
    wheres: tuple[str, ...],
    columns: str | None,
    limit: int | None,
    form: str,
    only_count: bool,
) -> None:
    """Show the tables of a run, or rows of one TABLE.

    A filter compares columns with values: = != < <= > >= ~ (contains) !~, with `and` between its
    conditions. Quote values with spaces or signs. A column within lists is named by its path, and
    meets a condition if any item does: evidence.source = alt. The column `label` is the name of
    the label.
    """
    from pipelines.inspecting.inspect import list_tables, show

    with _stdout() as out:
        if table is None:
            list_tables(run, out)
            return
        wanted = [name.strip() for name in (columns or "").split(",") if name.strip()]
        show(run, table, wheres, wanted, limit, form, only_count, out)


@contextmanager
def _stdout() -> Iterator[IO[str]]:
    """Yield stdout for text in UTF-8; a reader that closes it early is not an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
