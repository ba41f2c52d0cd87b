"""The command ``winnow study``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import pipelines
from pipelines.commands.options import AbsolutePath, print_next, set_option
from pipelines.run.paths import typed


@click.command()
@click.argument("config", metavar="STUDY", type=AbsolutePath(dir_okay=False))
@set_option
def study(config: Path, **options: Any) -> None:
    """Train on more and more of a run's images, and show what the data and the labels are worth.

    STUDY is a TOML file: numbers of images, depths, label sets and seeds. Results go to the folder
    of its name, without the ending. Each network is a cell that is finished by itself: the same
    command again continues after the last one, and trains only what is new.
    """
    results = pipelines.study(config, **options)
    for sentence in results.sentences:
        click.echo(sentence)
    print_next(f"open {typed(results.dir / 'study.html')}")
