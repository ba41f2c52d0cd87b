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

Measures: TypeAlias = Mapping[str, Mapping[str, float]]
"""The measures of a cell, by task and name."""


FILE = "measures.json"


@dataclass(frozen=True, order=True)
class Cell:
    """One training: a label set, the depth of a ResNet, a number of images and a seed."""

    label_set: str
    depth: int
    n_images: int
    seed: int

    @property
    def stage(self) -> str:
        """The name of its stage in the study's folder."""
        return f"cell-{self.label_set}-{self.depth}-{self.n_images}-{self.seed}"

    def __str__(self) -> str:
        return f"{self.label_set}, ResNet-{self.depth}, {self.n_images:,} images, seed {self.seed}"


@dataclass(frozen=True, eq=False)
class Setup:
    """The inputs and settings that all cells share.

    Attributes
    ----------
    study_dir
        Folder where cells are committed.
    candidates
        The stage of the run.
    label_ids
        The label of each logit.
    shards, images
        The shards of each label set, and their training images.
    training
        Settings of all trainings: `training.fit.config.TrainConfig` without depth and seed.
    tasks
        The tasks to measure on.
    """

    study_dir: Path
    candidates: Stage
    label_ids: Sequence[str]
    shards: Mapping[str, Stage]
    images: Mapping[str, Shards]
    training: Mapping[str, Any]
    tasks: Sequence[Task]


def finished(setup: Setup, cell: Cell) -> Measures | None:
    """Return the measures of a cell, if it has been trained with the same inputs and settings."""
    inputs, settings = _made_from(setup, cell)
    stage = reuse(setup.study_dir, cell.stage, inputs=inputs, config=settings)
    if stage is None:
        return None
    measures: Measures = json.loads((stage.dir / FILE).read_text(encoding="utf-8"))
    return measures


def train_cell(setup: Setup, cell: Cell, progress: Callable[[int, int], None]) -> Measures:
    """Train the network of a cell, measure it, and commit the measures; the network is not kept.

    Parameters
    ----------
    progress
        Called with the step (from 1) and the number of steps.
    """
    from training.fit.config import TrainConfig
    from training.fit.train import train

    shards = setup.images[cell.label_set]
    rows = nested_rows(shards.keys, cell.n_images, cell.seed)
    given = {"depth": cell.depth, "seed": cell.seed, **setup.training}
    config = TrainConfig.model_validate(given)
    inputs, settings = _made_from(setup, cell)
    heldout = setup.shards[cell.label_set].paths(".tar", "heldout-")
    with write_stage(
        setup.study_dir, cell.stage, inputs=inputs, config=settings, seed=cell.seed
    ) as work:
        work.scratch.mkdir(exist_ok=True)
        images = shards.take(rows)
        train(images, setup.label_ids, config, work.scratch, lambda done, n, _: progress(done, n))
        measures = {
            task.name: {
                name: round(value, 6) for name, value in task.measure(work.scratch, heldout)
            }
            for task in setup.tasks
        }
        text = json.dumps(measures, indent=1)
        (work.dir / FILE).write_text(text + "\n", encoding="utf-8")
        work.counts |= {"images": len(images)}
    return measures


def _made_from(setup: Setup, cell: Cell) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the inputs and settings of a cell, which its fingerprint covers."""
    shards = setup.shards[cell.label_set]
    inputs = {stage.name: stage.content for stage in (setup.candidates, shards)}
    for task in setup.tasks:
        inputs |= task.inputs
    tasks = {task.name: dict(task.settings) for task in setup.tasks}
    varied = {"depth": cell.depth, "n_images": cell.n_images, "seed": cell.seed}
    return inputs, {**setup.training, **varied, "tasks": tasks}
