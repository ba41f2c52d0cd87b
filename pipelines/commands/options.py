"""What commands that work on a run share: its folder, its settings, and the word about the next."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pipelines.run.paths import absolute


class AbsolutePath(click.Path):
    """A path that is absolute from the command line on: workers may have another working folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the checked path."""
        return absolute(Path(os.fsdecode(super().convert(value, param, ctx))))


run_argument = click.argument("run", type=AbsolutePath(file_okay=False))
set_option = click.option(
    "-o",
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set a key of the configuration, such as select.keep=0.25 (repeatable).",
)
labels_option = click.option(
    "--label-set",
    type=click.Choice(["selected", "all", "random"]),
    default="selected",
    show_default=True,
    help="The selected labels, all candidates, or as many of them drawn at random.",
)


def on_run(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the locked run folder and its settings."""

    @run_argument
    @set_option
    @functools.wraps(command)
    def locked_command(run: Path, overrides: tuple[str, ...], **options: Any) -> None:
        from curation.runs.stage import locked
        from pipelines.run.saved_config import load_config

        config = load_config(run, overrides)
        with locked(run):
            command(config, run, **options)

    return locked_command


def with_labels(command: str, label_set: str) -> str:
    """Return a command for a label set; the selected labels need not be named.

    Examples
    --------
    >>> with_labels("winnow train runs/mine", "all")
    'winnow train runs/mine --label-set all'
    """
    return command if label_set == "selected" else f"{command} --label-set {label_set}"


def tell_next(command: str) -> None:
    """Print the next command, to stderr."""
    click.echo(f"next: {command}", err=True)
