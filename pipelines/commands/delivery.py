"""The commands ``winnow export``, ``train``, ``evaluate`` and ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import pipelines
from pipelines.commands.options import (
    AbsolutePath,
    labels_option,
    print_next,
    print_values,
    run_argument,
    set_option,
    with_labels,
)
from pipelines.run.paths import shown, typed
from training.transfer import METHODS, TASKS


@click.command()
@run_argument
@set_option
@labels_option
@click.option(
    "--short-side",
    type=click.IntRange(min=16),
    metavar="N",
    help="Reduce larger images to N pixels on their shorter side.",
)
@click.option(
    "--out",
    metavar="ADDRESS",
    help="Copy the shards to a folder of an object store, such as s3://bucket/shards.",
)
def export(run: Path, label_set: str, **options: Any) -> None:
    """Write the images and their labels as WebDataset shards."""
    stage = pipelines.export(run, label_set=label_set, **options)
    print_values([("shards", shown(stage.dir)), ("images", stage.counts["out"])])
    print_next(with_labels(f"winnow train {typed(run)}", label_set))


@click.command()
@run_argument
@set_option
@labels_option
def train(run: Path, label_set: str, **options: Any) -> None:
    """Train a ResNet on the shards.

    A training that was stopped continues. On several GPUs, one process for each:
    torchrun --nproc-per-node 8 --no-python winnow train RUN
    """
    from pipelines.delivery.train import summary

    stage = pipelines.train(run, label_set=label_set, **options)
    if stage is None:
        return
    print_values([("model", shown(stage.dir)), ("final_loss", stage.facts["final_loss"])])
    print_values([("summary", summary(stage))])
    print_next(with_labels(f"winnow evaluate {typed(run)}", label_set))


@click.command()
@run_argument
@set_option
@labels_option
@click.option(
    "--on",
    type=AbsolutePath(exists=True),
    metavar="TASK",
    help="Folder, tar or CSV of another task; RUN may be a model's folder then.",
)
@click.option(
    "--task",
    type=click.Choice(list(TASKS)),
    help="Kind of the task; by default found from its files.",
)
@click.option(
    "--method",
    type=click.Choice(METHODS),
    multiple=True,
    help="Way of using the model (repeatable); by default all that the task has.",
)
@click.option("--steps", type=click.IntRange(1), metavar="N", help="Steps of each training.")
@click.option(
    "--seeds", type=click.IntRange(1), metavar="N", help="Trainings of each method; 1 by default."
)
@click.option(
    "--image-size",
    type=click.IntRange(16, 4096),
    metavar="PIXELS",
    help="Side of the task's images.",
)
@click.option(
    "--out",
    type=AbsolutePath(dir_okay=False),
    help="JSON file of the measures; transfer-TASK.json in RUN by default.",
)
def evaluate(run: Path, on: Path | None, **options: Any) -> None:
    """Measure the model on the held-out images whose truth is known, or on another task.

    With --on, the model's features are tried on other images: classes (nearest neighbours, linear
    probe), boxes or masks (a head on frozen features), and all of these fine-tuned, and from
    scratch with the same budget.
    """
    result = pipelines.evaluate(run, on=on, **options)
    print_values(item for item in result.measures.items() if isinstance(item[1], int | float))
    if on is None:
        print_next(f"winnow report {typed(run)}")
    else:
        print_values([("measures", shown(result.path))])


@click.command()
@run_argument
@set_option
@click.option(
    "--out",
    type=AbsolutePath(file_okay=False),
    metavar="FOLDER",
    help="Folder of the report; RUN by default.",
)
@click.option(
    "--figures",
    type=AbsolutePath(file_okay=False),
    metavar="FOLDER",
    help="Write the figures too, as PNG and SVG.",
)
@click.option(
    "--ablate",
    is_flag=True,
    help="Measure what can be proved without each source: candidates are scored again for each.",
)
def report(run: Path, figures: Path | None, **options: Any) -> None:
    """Write report.html and report.json from the stages that the run has.

    The page is one file that loads nothing: it opens from disk and can be sent.
    """
    page = pipelines.report(run, figures=figures, **options)
    print_values([("report", shown(page))])
    if figures is not None:
        print_values([("figures", shown(figures))])
    print_next(f"open {typed(page)}")
