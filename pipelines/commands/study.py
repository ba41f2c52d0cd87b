"""The command ``winnow study``."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.commands.options import AbsolutePath, set_option, tell_next
from pipelines.run.paths import shown


@click.command()
@click.argument("settings", metavar="STUDY", type=AbsolutePath(dir_okay=False))
@set_option
def study(settings: Path, overrides: tuple[str, ...]) -> None:
    """Train on more and more of a run's images, and tell what the data and the labels are worth.

    STUDY is a TOML file: numbers of images, depths, label sets and seeds. Results go to the folder
    of its name, without the ending. Each network is a cell that is finished by itself: the same
    command again goes on behind the last one, and trains only what is new.
    """
    from pipelines.studies.settings import read_study
    from pipelines.studies.study import run_study

    out_dir = settings.with_suffix("")
    for sentence in run_study(read_study(settings, overrides), out_dir):
        click.echo(sentence)
    tell_next(f"open {shown(out_dir / 'study.html')}")
