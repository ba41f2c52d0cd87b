"""`winnow evaluate`: a model against the held-out images of its run, or on another task."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from labeling.errors import ConfigError, InputError
from pipelines.commands.options import AbsolutePath, labels_option, set_option, tell_next
from pipelines.run.paths import shown

KINDS = ("classify", "detect", "segment")
METHODS = ("knn", "linear", "frozen", "finetune", "scratch")


@click.command()
@click.argument("run", type=AbsolutePath(file_okay=False))
@set_option
@labels_option
@click.option(
    "--on",
    "task",
    type=AbsolutePath(exists=True),
    metavar="TASK",
    help="Folder, tar or CSV of another task; RUN may be a model's folder then.",
)
@click.option("--task", "kind", type=click.Choice(KINDS), help="Kind of task, if not plain to see.")
@click.option(
    "--method",
    "methods",
    type=click.Choice(METHODS),
    multiple=True,
    help="What of the model to use (repeatable); all that the task knows by default.",
)
@click.option("--steps", type=click.IntRange(1), metavar="N", help="Steps of each training.")
@click.option(
    "--seeds", type=click.IntRange(1), metavar="N", help="Trainings of each method; 1 by default."
)
@click.option("--image-size", type=click.IntRange(16, 4096), metavar="PIXELS", help="Of the task.")
@click.option(
    "--out",
    type=AbsolutePath(dir_okay=False),
    help="JSON file of the measures; transfer-TASK.json in RUN by default.",
)
def evaluate(
    run: Path, overrides: tuple[str, ...], label_set: str, task: Path | None, **options: Any
) -> None:
    """Hold the model against the truth of the held-out images, or measure it on another task.

    With --on, the model's features are tried on other images: classes (nearest neighbours, linear
    probe), boxes or masks (a head on frozen features), and all of these fine-tuned, and from
    scratch with the same budget.
    """
    if task is not None:
        _on_task(run, label_set, task, **options)
        return
    if any(options.values()):
        raise click.UsageError("options of another task need that task: --on TASK")
    _on_held_out(run, label_set, overrides)


def _on_held_out(run: Path, label_set: str, overrides: Sequence[str]) -> None:
    from curation.runs.stage import locked
    from pipelines.delivery.heldout import evaluate as evaluate_model
    from pipelines.run.saved_config import load_config

    config = load_config(run, overrides)
    with locked(run):
        stage = evaluate_model(config, run, label_set)
    _show((k, v) for k, v in stage.manifest["facts"].items() if isinstance(v, int | float))
    tell_next(f"winnow report {shown(run)}")


def _on_task(
    run: Path,
    label_set: str,
    task: Path,
    kind: str | None,
    methods: tuple[str, ...],
    steps: int | None,
    seeds: int | None,
    image_size: int | None,
    out: Path | None,
) -> None:
    from curation.runs.stage import write_text
    from training.model.model_file import read_card

    kind = kind or guessed_kind(task)
    measure, known, budget = measurer(kind)
    unknown = [method for method in methods if method not in known]
    if unknown:
        raise ConfigError(
            f"a task to {kind} has no method {' or '.join(unknown)}",
            help=f"its methods are {', '.join(known)}",
        )
    model_dir = model_of(run, label_set)
    chosen = [method for method in known if method in (methods or known)]
    budget = dataclasses.replace(budget, steps=steps or budget.steps)
    numbers = range(seeds or 1)
    found = _show(measure(model_dir, task, chosen, budget, numbers, image_size))
    facts = {
        "weights_sha256": read_card(model_dir).weights_sha256,
        "task": shown(task),
        "kind": kind,
        "budget": dataclasses.asdict(budget),
        "seeds": list(numbers),
        "measures": {name: round(value, 6) for name, value in found.items()},
    }
    path = out or run / f"transfer-{task.stem}.json"
    write_text(path, json.dumps(facts, indent=1) + "\n")
    click.echo(f"measures  {shown(path)}")


def guessed_kind(task: Path) -> str:
    """Return what kind of task a folder or file is: one of `KINDS`.

    Raises
    ------
    ConfigError
        If it has both boxes and masks.
    """
    has_masks = (task / "masks").is_dir() or (task / "SegmentationClass").is_dir()
    has_boxes = (task / "Annotations").is_dir() or any(
        path for pattern in ("*.json", "annotations/*.json") for path in task.glob(pattern)
    )
    if has_masks and has_boxes:
        raise ConfigError(
            "a task has boxes and masks",
            facts={"task": task},
            help="say --task detect or --task segment",
        )
    return "segment" if has_masks else "detect" if has_boxes else "classify"


def model_of(run: Path, label_set: str) -> Path:
    """Return the folder of a model: that of a run, or the given one if it holds a model itself.

    Raises
    ------
    InputError
        If there is no model.
    """
    from curation.runs.stage import current, open_stage
    from pipelines.run.stages import stage_name

    if (run / "model.json").is_file():
        return run
    name = stage_name("model", label_set)
    if current(run, name) is None:
        raise InputError(
            "there is no model in this folder",
            facts={"folder": run, "expected": f"model.json, or the stage {name} of a run"},
            help="train one with `winnow train`, or name the folder of a model",
        )
    return open_stage(run, name).dir


def measurer(kind: str) -> tuple[Any, tuple[str, ...], Any]:
    """Return the function that measures a kind of task, its methods and its budget."""
    if kind == "classify":
        from training.transfer import classify

        return classify.evaluate_classes, classify.METHODS, classify.BUDGET
    from training.transfer import detect, segment, starts

    if kind == "detect":
        return detect.evaluate_boxes, starts.METHODS, detect.BUDGET
    return segment.evaluate_masks, starts.METHODS, segment.BUDGET


def _show(measures: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Print each measure as soon as it is there; return them all."""
    found = {}
    for name, value in measures:
        click.echo(f"{name}  {value:.4f}" if isinstance(value, float) else f"{name}  {value}")
        found[name] = value
    return found
