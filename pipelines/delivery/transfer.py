"""Measures of a model on another task: `winnow evaluate --on`, and the tasks of a study."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.runs.durable import write_text
from curation.runs.stage import current, open_stage
from labeling.errors import ConfigError, InputError
from pipelines.run.paths import shown
from pipelines.run.progress import notify
from pipelines.run.stages import stage_name

if TYPE_CHECKING:
    from training.transfer.fitting import Budget


@dataclass(frozen=True)
class TaskKind:
    """One kind of task.

    Attributes
    ----------
    module, function
        The function that measures a model on such a task; the module also has its ``BUDGET``.
    methods
        Ways of using a model, in the order in which they are measured.
    main
        The measure of each method that a study compares.
    """

    module: str
    function: str
    methods: tuple[str, ...]
    main: str


_WITH_HEAD = ("frozen", "finetune", "scratch")

KINDS = {
    "classify": TaskKind(
        "training.transfer.classify",
        "evaluate_classes",
        ("knn", "linear", "finetune", "scratch"),
        "accuracy",
    ),
    "detect": TaskKind("training.transfer.detect", "evaluate_boxes", _WITH_HEAD, "map"),
    "segment": TaskKind("training.transfer.segment", "evaluate_masks", _WITH_HEAD, "miou"),
}


@dataclass(frozen=True)
class TransferTask:
    """A task, and the trainings on it.

    Attributes
    ----------
    path
        Its folder, tar or CSV file.
    kind
        One of `KINDS`.
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
        of_kind = KINDS[self.kind]
        function: Callable[..., Iterator[tuple[str, float]]] = getattr(
            importlib.import_module(of_kind.module), of_kind.function
        )
        return function(model_dir, self.path, self.methods, self.budget, seeds, self.image_size)


def transfer_task(
    path: Path,
    kind: str | None = None,
    methods: Sequence[str] = (),
    steps: int | None = None,
    image_size: int | None = None,
) -> TransferTask:
    """Return the task of a folder or file; see `TransferTask` for the parameters.

    Raises
    ------
    InputError
        If there is no such file.
    ConfigError
        If its kind does not have a method, or the kind is not plain.
    """
    if not path.exists():
        raise InputError("there is no such task", facts={"path": path})
    kind = kind or guessed_kind(path)
    known = KINDS[kind].methods
    unknown = [method for method in methods if method not in known]
    if unknown:
        raise ConfigError(
            f"a task to {kind} has no method {' or '.join(unknown)}",
            facts={"task": path},
            help=f"its methods are {', '.join(known)}",
        )
    budget = importlib.import_module(KINDS[kind].module).BUDGET
    budget = dataclasses.replace(budget, steps=steps or budget.steps)
    return TransferTask(path, kind, tuple(methods or known), budget, image_size)


def guessed_kind(path: Path) -> str:
    """Return the kind of a task, one of `KINDS`, by the names of its files.

    Raises
    ------
    ConfigError
        If it has both boxes and masks.
    """
    has_masks = (path / "masks").is_dir() or (path / "SegmentationClass").is_dir()
    has_boxes = (path / "Annotations").is_dir() or any(
        file for pattern in ("*.json", "annotations/*.json") for file in path.glob(pattern)
    )
    if has_masks and has_boxes:
        raise ConfigError(
            "a task has boxes and masks",
            facts={"task": path},
            help="set --task detect or --task segment",
        )
    return "segment" if has_masks else "detect" if has_boxes else "classify"


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


def evaluate_on(task: TransferTask, model_dir: Path, n_seeds: int, path: Path) -> dict[str, float]:
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
