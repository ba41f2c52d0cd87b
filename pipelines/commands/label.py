"""The commands ``winnow demo`` and ``winnow label``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import pipelines
from pipelines.commands.options import (
    AbsolutePath,
    config_argument,
    print_next,
    print_values,
    set_option,
)
from pipelines.run.paths import typed


@click.command()
@click.option(
    "--out",
    type=AbsolutePath(file_okay=False),
    default="winnow-demo",
    show_default=True,
    help="Run folder to make.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the miniature web.")
def demo(out: Path, seed: int) -> None:
    """Make a miniature web with known truth and do the whole job on it."""
    from pipelines.demo.run import run_demo

    run_demo(out, seed)


@click.command()
@config_argument
@click.option(
    "--out",
    type=AbsolutePath(file_okay=False),
    required=True,
    help="Run folder; created if missing, resumed if it exists.",
)
@click.option(
    "--runner",
    metavar="NAME",
    help="embedded (the default), dask, flink, spark, dataflow, or any of Beam's names.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Read only the first N rows of each input, to try the settings.",
)
@set_option
@click.argument("beam_options", nargs=-1, type=click.UNPROCESSED)
def label(config: Path, out: Path, **options: Any) -> None:
    """Make candidates from the inputs that CONFIG names.

    Options after a lone -- are passed to Beam: -- --direct_num_workers=2, or with Dask
    -- --dask_workers=8 for processes here, -- --dask_client_address=tcp://host:8786 for a cluster.
    """
    stage = pipelines.label(config, out=out, **options)
    print_values([("candidates", stage.counts["candidates"])])
    print_next(f"winnow audit sample {typed(out)}")
