"""The tasks that every network is measured on: the run's held-out images, and others."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.runs.durable import file_digest
from labeling.errors import ConfigError
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.delivery.evaluate import true_labels, truth_path
from pipelines.delivery.transfer import transfer_task
from pipelines.run.config import Config
from pipelines.studies.settings import StudySettings, TaskSettings
from training.transfer import task_class

HELD_OUT = "held-out"

NamedValues = Iterator[tuple[str, float]]


@dataclass(frozen=True, eq=False)
class Task:
    """One task of a study.

    Attributes
    ----------
    name
        ``held-out``, or the name of the task's folder or file.
    main
        The measures whose trend is computed.
    inputs
        Digests of its files, by name.
    settings
        The settings that its measures depend on.
    measure
        Function of a model's folder and the held-out shards of its label set that yields names and
        values.
    """

    name: str
    main: tuple[str, ...]
    inputs: Mapping[str, str]
    settings: Mapping[str, Any]
    measure: Callable[[Path, list[Path]], NamedValues]


def tasks_of(study: StudySettings, config: Config, taxonomy: Taxonomy) -> list[Task]:
    """Return the tasks of a study, the held-out images first.

    Raises
    ------
    ConfigError
        If the run has no truth, or two tasks have the same name, or a task has no such method.
    InputError
        If the truth or a task is missing.
    """
    tasks = [_held_out(config, taxonomy)] if study.held_out else []
    tasks += [_transfer(settings) for settings in study.task]
    names = [task.name for task in tasks]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            "two tasks have the same name",
            facts={"name": ", ".join(twice)},
            help="rename the folder or the file of one",
        )
    return tasks


def _held_out(config: Config, taxonomy: Taxonomy) -> Task:
    from training.evaluation.evaluate import evaluate

    path = truth_path(config)
    truth = true_labels(path, taxonomy)

    def measure(model_dir: Path, shards: list[Path]) -> NamedValues:
        return evaluate(model_dir, shards, truth)

    return Task(HELD_OUT, ("map",), {"truth": file_digest(path)}, {}, measure)


def _transfer(settings: TaskSettings) -> Task:
    task = transfer_task(
        Path(settings.path), settings.kind, settings.methods, settings.steps, settings.image_size
    )
    if not settings.methods:
        task = dataclasses.replace(
            task, methods=("linear",) if task.kind == "classify" else ("frozen",)
        )

    def measure(model_dir: Path, shards: list[Path]) -> NamedValues:
        return task.measure(model_dir, (0,))

    made_from = {
        "kind": task.kind,
        "methods": task.methods,
        "budget": dataclasses.asdict(task.budget),
        "image_size": task.image_size,
    }
    main = tuple(f"{method}_{task_class(task.kind).main}" for method in task.methods)
    name = task.path.stem
    return Task(name, main, {f"task {name}": _digest(task.path)}, made_from, measure)


def _digest(path: Path) -> str:
    """Return the sha256 of a file, or of all files of a folder with their names."""
    if path.is_file():
        return file_digest(path)
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(f"{file.relative_to(path)} {file_digest(file)}\n".encode())
    return digest.hexdigest()
