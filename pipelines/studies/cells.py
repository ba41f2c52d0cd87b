"""One cell of a study: a network trained on a subset of a label set's images, and measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from curation.runs.stage import Stage
from curation.runs.staging import reuse, write_stage
from pipelines.studies.subsets import nested_rows
from pipelines.studies.tasks import Task

if TYPE_CHECKING:
    from training.data.shard_index import Shards

Measured: TypeAlias = Mapping[str, Mapping[str, float]]
"""The measures of a cell, by task and name."""


@dataclass(frozen=True, order=True)
class Cell:
    """What is varied."""

    label_set: str
    depth: int
    n_images: int
    seed: int

    @property
    def stage(self) -> str:
        """Its name in the study's folder."""
        return f"cell-{self.label_set}-{self.depth}-{self.n_images}-{self.seed}"

    def __str__(self) -> str:
        return f"{self.label_set}, ResNet-{self.depth}, {self.n_images:,} images, seed {self.seed}"


@dataclass(frozen=True, eq=False)
class Bench:
    """What all cells share.

    Attributes
    ----------
    study_dir
        Where cells are committed.
    candidates
        The stage of the run.
    label_ids
        The label of each logit.
    shards, images
        The shards of each label set, and their training images.
    training
        Settings of all trainings: `training.fit.config.TrainConfig` without depth and seed.
    tasks
        What to measure.
    """

    study_dir: Path
    candidates: Stage
    label_ids: Sequence[str]
    shards: Mapping[str, Stage]
    images: Mapping[str, Shards]
    training: Mapping[str, Any]
    tasks: Sequence[Task]


def finished(bench: Bench, cell: Cell) -> Measured | None:
    """Return what a cell measured, if it has been trained with the same inputs and settings."""
    inputs, settings = _made_from(bench, cell)
    stage = reuse(bench.study_dir, cell.stage, inputs=inputs, config=settings)
    return None if stage is None else _read(stage)


def train_cell(bench: Bench, cell: Cell, progress: Callable[[int, int], None]) -> Measured:
    """Train the network of a cell, measure it, and commit the measures; the network is not kept.

    Parameters
    ----------
    progress
        Called with the step (from 1) and the number of steps.
    """
    from training.fit.config import TrainConfig
    from training.fit.train import train

    shards = bench.images[cell.label_set]
    rows = nested_rows(shards.keys, cell.n_images, cell.seed)
    given = {"depth": cell.depth, "seed": cell.seed, **bench.training}
    config = TrainConfig.model_validate(given)
    inputs, settings = _made_from(bench, cell)
    heldout = bench.shards[cell.label_set].paths(".tar", "heldout-")
    with write_stage(
        bench.study_dir, cell.stage, inputs=inputs, config=settings, seed=cell.seed
    ) as work:
        work.scratch.mkdir(exist_ok=True)
        taken = shards.take(rows)
        train(taken, bench.label_ids, config, work.scratch, lambda done, n, _: progress(done, n))
        measured = {
            task.name: {
                name: round(value, 6) for name, value in task.measure(work.scratch, heldout)
            }
            for task in bench.tasks
        }
        text = json.dumps(measured, indent=1)
        (work.dir / "measures.json").write_text(text + "\n", encoding="utf-8")
        work.counts |= {"images": len(taken)}
    return measured


def _made_from(bench: Bench, cell: Cell) -> tuple[dict[str, str], dict[str, Any]]:
    """Return inputs and settings of a cell, as its fingerprint holds them."""
    shards = bench.shards[cell.label_set]
    inputs = {stage.name: stage.content for stage in (bench.candidates, shards)}
    for task in bench.tasks:
        inputs |= task.inputs
    tasks = {task.name: dict(task.settings) for task in bench.tasks}
    varied = {"depth": cell.depth, "n_images": cell.n_images, "seed": cell.seed}
    return inputs, {**bench.training, **varied, "tasks": tasks}


def _read(stage: Stage) -> Measured:
    text = (stage.dir / "measures.json").read_text(encoding="utf-8")
    measured: Measured = json.loads(text)
    return measured
