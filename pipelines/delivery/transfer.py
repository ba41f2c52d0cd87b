"""Measures of a model on another task: `winnow evaluate --on`, and the tasks of a study."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.runs.durable import write_text
from curation.runs.stage import current, open_stage
from labeling.errors import ConfigError, InputError
from pipelines.run.paths import shown
from pipelines.run.progress import notify
from pipelines.run.stages import stage_name
from training.transfer import kind_of, task_class

if TYPE_CHECKING:
    from training.transfer.fitting import Budget


@dataclass(frozen=True)
class Transfer:
    """A task, and the trainings on it.

    Attributes
    ----------
    path
        Its folder, tar or CSV file.
    kind
        One of `training.transfer.TASKS`.
    methods
        Some of the methods of its kind.
    budget
        Steps and rates of each training.
    image_size
        Side of its images, in pixels; None for the default of its kind.
    """

    path: Path
    kind: str
    methods: tuple[str, ...]
    budget: Budget
    image_size: int | None

    def measure(self, model_dir: Path, seeds: Sequence[int]) -> Iterator[tuple[str, float]]:
        """Yield name and value of each measure of a model as soon as it is known."""
        from training.transfer.task import evaluate_on

        kind = task_class(self.kind)
        settings = (self.methods, self.budget, seeds, self.image_size)
        return evaluate_on(kind, model_dir, self.path, *settings)


def transfer_task(
    path: Path,
    kind: str | None = None,
    methods: Sequence[str] = (),
    steps: int | None = None,
    image_size: int | None = None,
) -> Transfer:
    """Return the task of a folder or file; see `Transfer` for the parameters.

    Raises
    ------
    InputError
        If there is no such file.
    ConfigError
        If its kind does not have a method, or the kind is not plain.
    """
    if not path.exists():
        raise InputError(
            "there is no such task", facts={"path": path}, help="check the path of the task"
        )
    kind = kind or kind_of(path)
    known, budget = task_class(kind).methods, task_class(kind).budget
    unknown = [method for method in methods if method not in known]
    if unknown:
        raise ConfigError(
            f"a task to {kind} has no method {' or '.join(unknown)}",
            facts={"task": path},
            help=f"its methods are {', '.join(known)}",
        )
    budget = dataclasses.replace(budget, steps=steps or budget.steps)
    return Transfer(path, kind, tuple(methods or known), budget, image_size)


def model_of(run: Path, label_set: str) -> Path:
    """Return the folder of a model: that of a run, or the given one if it holds a model itself.

    Raises
    ------
    InputError
        If there is no model.
    """
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


def evaluate_on(task: Transfer, model_dir: Path, n_seeds: int, path: Path) -> dict[str, float]:
    """Measure a model on another task, and write the measures with their conditions.

    Parameters
    ----------
    task
        The task.
    model_dir
        Folder of the model.
    n_seeds
        Trainings of each method.
    path
        JSON file to write.

    Returns
    -------
    dict
        Value of each measure.
    """
    from training.model.model_file import read_card

    seeds = range(n_seeds)
    measures = {}
    for name, value in task.measure(model_dir, seeds):
        notify(f"{name}  {value:.4f}" if isinstance(value, float) else f"{name}  {value}")
        measures[name] = value
    facts: dict[str, Any] = {
        "weights_sha256": read_card(model_dir).weights_sha256,
        "task": shown(task.path),
        "kind": task.kind,
        "budget": dataclasses.asdict(task.budget),
        "seeds": list(seeds),
        "measures": {name: round(value, 6) for name, value in measures.items()},
    }
    write_text(path, json.dumps(facts, indent=1) + "\n")
    return measures
