"""The command line: ``winnow``.

Everything heavy is imported inside the command that needs it, so that help comes at once. Results
go to stdout, talk to stderr; the last line names the next command.
"""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labeling.errors import WinnowError
from pipelines.commands import audit as auditing
from pipelines.commands import inspect as looking
from pipelines.commands import study as studying
from pipelines.commands.options import (
    AbsolutePath,
    labels_option,
    on_run,
    run_argument,
    set_option,
    tell_next,
    with_labels,
)
from pipelines.delivery import evaluate
from pipelines.run.paths import shown

if TYPE_CHECKING:
    from pipelines.run.config import Config

EXIT_CODES = """
Exit codes: 0 done; 2 wrong usage or configuration; 3 an input is refused; 4 the result is below
the limit asked for; 130 interrupted.
"""


class _Commands(click.Group):
    """Commands in the order of the work, and winnow's errors as sentences."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except WinnowError as error:
            if ctx.params.get("verbose"):
                raise
            _print_error(error)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted: give the same command again to go on", err=True)
            sys.exit(130)


@click.group(cls=_Commands, epilog=EXIT_CODES)
@click.version_option(importlib.metadata.version("winnow"), prog_name="winnow")
@click.option("-v", "--verbose", is_flag=True, help="Show tracebacks.")
def main(verbose: bool) -> None:
    """Turn noisy web signals into image training sets.

    A run folder holds every stage of one job: `label` makes the candidates, `audit` asks people
    about a few hundred of them, `select` keeps the best third and proves its precision, `export`
    writes WebDataset shards, `train` and `evaluate` show what they are worth, `report` tells it.

    New here? `winnow demo` does all of it on a miniature web in two minutes.
    """
    _quiet_libraries()


@main.command()
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


@main.command()
@click.argument("config", type=AbsolutePath(dir_okay=False))
@click.option(
    "--out",
    type=AbsolutePath(file_okay=False),
    required=True,
    help="Run folder; made where there is none, gone on with where there is one.",
)
@click.option(
    "--runner",
    metavar="NAME",
    help="embedded (the default), dask, flink, spark, dataflow, or any of Beam's names.",
)
@set_option
@click.argument("beam_options", nargs=-1, type=click.UNPROCESSED)
def label(
    config: Path,
    out: Path,
    runner: str | None,
    overrides: tuple[str, ...],
    beam_options: tuple[str, ...],
) -> None:
    """Make candidates from the inputs that CONFIG names.

    What stands behind a lone -- is handed to Beam: -- --direct_num_workers=2, or with Dask
    -- --dask_workers=8 for processes here, -- --dask_client_address=tcp://host:8786 for a cluster.
    """
    from curation.runs.stage import locked
    from pipelines.passes.label import label as make_candidates
    from pipelines.run.config import read_config
    from pipelines.run.progress import say
    from pipelines.run.saved_config import save_config

    settings = read_config(config, overrides)
    for_runner = (f"--runner={runner}",) if runner else ()
    with locked(out) as dead:
        if dead:
            say(f"an earlier run broke off here ({dead}): going on behind what it has finished")
        stage = make_candidates(settings, out, (*for_runner, *beam_options))
        save_config(settings, out)
    click.echo(f"candidates  {stage.counts['candidates']}")
    tell_next(f"winnow audit sample {shown(out)}")


main.add_command(auditing.audit)


_open_share = click.FloatRange(0, 1, min_open=True, max_open=True)


@main.command()
@on_run
@click.option(
    "--keep",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    help="Keep exactly this share.",
)
@click.option(
    "--precision",
    type=_open_share,
    metavar="P",
    help="Keep as many as are proved to be this precise.",
)
@click.option(
    "--confidence", type=_open_share, metavar="C", help="Of the precision; 0.95 by default."
)
@click.option(
    "--by",
    type=click.Choice(("level", "label", "source-pattern")),
    help="Do so for each group by itself; groups with few audits are pooled.",
)
@click.option(
    "--floor",
    type=click.IntRange(min=1),
    metavar="N",
    help="Keep the N best of each label, or as many as the share or the precision allows.",
)
def select(
    config: Config,
    run: Path,
    keep: float | None,
    precision: float | None,
    confidence: float | None,
    by: str | None,
    floor: int | None,
) -> None:
    """Score the candidates, keep the best, and state their precision with its interval."""
    from curation.runs.stage import current
    from pipelines.run.config import with_overrides
    from pipelines.selecting.select import select as make_selection

    if keep is not None and precision is not None:
        raise click.UsageError("give --keep or --precision, not both")
    if keep is not None:
        unset = config.select.model_copy(update={"precision": None})
        config = config.model_copy(update={"select": unset})
    given = {
        "keep": keep,
        "precision": precision,
        "confidence": confidence,
        "by": by,
        "floor": floor,
    }
    named = [f"select.{name}={value}" for name, value in given.items() if value is not None]
    config = with_overrides(config, named)
    stage = make_selection(config, run)
    for name in ("in", "out"):
        click.echo(f"{'candidates' if name == 'in' else 'kept'}  {stage.counts[name]}")
    for name in ("precision", "precision_low", "precision_high"):
        click.echo(f"{name}  {stage.manifest['facts'][name]:.4f}")
    has_images = current(run, "signals") is not None
    tell_next(f"winnow {'export' if has_images else 'report'} {shown(run)}")


@main.command()
@on_run
@labels_option
@click.option(
    "--short-side",
    type=click.IntRange(min=16),
    metavar="N",
    help="Reduce larger images to N pixels on their shorter side.",
)
def export(config: Config, run: Path, label_set: str, short_side: int | None) -> None:
    """Write the images and their labels as WebDataset shards."""
    from pipelines.delivery.export import export as write_dataset
    from pipelines.run.config import with_overrides

    if short_side is not None:
        config = with_overrides(config, [f"export.short_side={short_side}"])
    stage = write_dataset(config, run, label_set)
    click.echo(f"shards  {shown(stage.dir)}")
    click.echo(f"images  {stage.counts['out']}")
    tell_next(with_labels(f"winnow train {shown(run)}", label_set))


@main.command()
@run_argument
@set_option
@labels_option
def train(run: Path, overrides: tuple[str, ...], label_set: str) -> None:
    """Train a ResNet on the shards.

    A training that was stopped goes on where it was. On several GPUs, one process for each:
    torchrun --nproc-per-node 8 --no-python winnow train RUN
    """
    from curation.runs.stage import locked
    from pipelines.delivery import train as training
    from pipelines.run.saved_config import load_config
    from training.fit.distributed import processes

    config = load_config(run, overrides)
    with processes() as world:
        if world.rank > 0:
            training.assist(config, run, label_set, world)
            return
        with locked(run):
            stage = training.train(config, run, label_set, world)
    click.echo(f"model  {shown(stage.dir)}")
    click.echo(f"final_loss  {stage.manifest['facts']['final_loss']:.4f}")
    click.echo(f"summary  {training.summary(stage)}")
    tell_next(with_labels(f"winnow evaluate {shown(run)}", label_set))


main.add_command(evaluate.evaluate)
main.add_command(studying.study)


@main.command()
@on_run
def report(config: Config, run: Path) -> None:
    """Write report.html and report.json from whatever stages the run has."""
    from pipelines.delivery.report import report as write_report

    path = write_report(config, run)
    click.echo(f"report  {shown(path)}")
    tell_next(f"open {shown(path)}")


main.add_command(looking.plan)
main.add_command(looking.status)
main.add_command(looking.inspect)


def _print_error(error: WinnowError) -> None:
    from labeling.taxonomy.confusables import visible

    head, *rest = error.message.splitlines()
    click.secho(f"error: {visible(head)}", bold=True, err=True)
    for line in rest:
        click.echo(f"       {visible(line)}", err=True)
    for name, value in error.facts.items():
        click.echo(f"  {visible(name)}: {visible(value)}", err=True)
    if error.help:
        click.echo(f"  help: {visible(error.help)}", err=True)


def _quiet_libraries() -> None:
    """Keep the warnings of libraries out of the talk, before they are imported."""
    import logging

    logging.basicConfig(level=logging.ERROR)


if __name__ == "__main__":
    main()
