"""The commands that look at a job and change nothing: ``plan``, ``status`` and ``inspect``."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from pipelines.commands.options import AbsolutePath, tell_next
from pipelines.run.paths import shown

_run_argument = click.argument("run", type=AbsolutePath(file_okay=False, exists=True))


@click.command()
@click.argument("config", type=AbsolutePath(dir_okay=False))
@click.option(
    "--out",
    "run",
    type=AbsolutePath(file_okay=False),
    help="Run folder that is meant for the job: tells what of it is done, and the space there.",
)
@click.option(
    "-o",
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set a key of the configuration (repeatable).",
)
def plan(config: Path, run: Path | None, overrides: tuple[str, ...]) -> None:
    """Show what `winnow label CONFIG` would do: inputs, passes, disk, memory, what is done.

    Looks at names, sizes and the footers of Parquet files, and writes nothing.
    """
    from pipelines.inspecting.plan import plan as write_plan
    from pipelines.run.config import read_config

    with _output() as out:
        write_plan(read_config(config, overrides), run, out)
        out_dir = "RUN" if run is None else shown(run)
        tell_next(f"winnow label {shown(config)} --out {out_dir}")


@click.command()
@_run_argument
def status(run: Path) -> None:
    """Show how far a run is: what is there, stale, unfinished or damaged, and what comes next.

    Looks only: it can be called while another process works on the run. Files are compared with
    what was written by their size, not by their content.
    """
    from pipelines.inspecting.status import status as write_status

    with _output() as out:
        command = write_status(run, out)
        tell_next(command)


@click.command()
@_run_argument
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

    A filter compares columns with values: = != < <= > >= ~ (contains), in (a, b), is null, and,
    or, not, ( ). Values with spaces or signs stand in quotes. A column within lists is named by its
    path, and meets a condition if any item does: evidence.source = alt. The name of a label can be
    asked for as `label`.
    """
    from pipelines.inspecting.show import list_tables, show

    with _output() as out:
        if table is None:
            list_tables(run, out)
            return
        wanted = [name.strip() for name in (columns or "").split(",") if name.strip()]
        show(run, table, wheres, wanted, limit, form, only_count, out)


@contextmanager
def _output() -> Iterator[IO[str]]:
    """Yield stdout for text in UTF-8; that its reader has had enough is no error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
