"""Options and output that several commands share."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from pipelines.delivery.label_sets import LABEL_SETS
from pipelines.run.events import emit
from pipelines.run.paths import absolute

_ARGUMENT = re.compile(r"`(\w+)=`")
_SETTING = re.compile(r'`settings=\{"([\w.]+)": "?([^"}`]*)"?\}`')


class AbsolutePath(click.Path):
    """A path that is absolute from the command line on: workers may have another working folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the checked path."""
        return absolute(Path(os.fsdecode(super().convert(value, param, ctx))))


config_argument = click.argument("config", type=AbsolutePath(dir_okay=False))
run_argument = click.argument("run", type=AbsolutePath(file_okay=False))
existing_run = click.argument("run", type=AbsolutePath(file_okay=False, exists=True))
set_option = click.option(
    "-o",
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set a key of the configuration, such as select.keep=0.25; a key without a value is unset"
    " (repeatable).",
)
open_share = click.FloatRange(0, 1, min_open=True, max_open=True)
format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Text for people, or JSON for programs.",
)
labels_option = click.option(
    "--label-set",
    type=click.Choice([*LABEL_SETS]),
    default="selected",
    show_default=True,
    help="The selected labels, all candidates, or as many of them drawn at random.",
)


def with_labels(command: str, label_set: str) -> str:
    """Return a command for a label set; the selected labels need not be named.

    Examples
    --------
    >>> with_labels("winnow train runs/mine", "all")
    'winnow train runs/mine --label-set all'
    """
    return command if label_set == "selected" else f"{command} --label-set {label_set}"


def as_options(text: str) -> str:
    """Return a text with the options of the command line in place of arguments of Python.

    Examples
    --------
    >>> as_options('give `image_size=` or `settings={"base": "FOLDER"}`')
    'give --image-size or -o base=FOLDER'
    """
    text = _SETTING.sub(r"-o \1=\2", text)
    return _ARGUMENT.sub(lambda match: f"--{match[1].replace('_', '-')}", text)


def print_values(values: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one a line, to stdout."""
    for name, value in values:
        click.echo(f"{name}  {value:.4f}" if isinstance(value, float) else f"{name}  {value}")


def print_next(command: str) -> None:
    """Print the next command, to stderr; a full disk of its log does not undo what is done."""
    if emit("next", command=command):
        return
    with suppress(OSError):
        click.echo(f"next: {command}", err=True)
