"""The settings of a study: one TOML file, checked whole like that of a run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from pipelines.run.config import TrainSettings
from pipelines.run.sections import Overrides, Section, checked, override, read_toml
from training.transfer import METHODS, TASKS

if TYPE_CHECKING:
    TaskKind: TypeAlias = str
    TaskMethod: TypeAlias = str
else:
    TaskKind, TaskMethod = Literal[tuple(TASKS)], Literal[METHODS]

_Item = TypeVar("_Item", int, str)
_PRECISION = re.compile(r"precision-(0\.\d{1,3})")

VARIED_KEYS = ("depth", "seed")
"""Keys of a training that a study takes from its own lists."""


def _distinct(items: tuple[_Item, ...]) -> tuple[_Item, ...]:
    if len(set(items)) < len(items):
        raise PydanticCustomError("twice", "each may be listed only once")
    return items


def _known_set(name: str) -> str:
    if name not in ("all", "random", "selected") and held_precision(name) is None:
        raise PydanticCustomError(
            "label_set", "is not one of all, random, selected, precision-0.9 (or another precision)"
        )
    return name


def _without_varied(train: TrainSettings) -> TrainSettings:
    for key in VARIED_KEYS:
        if key in train.model_fields_set:
            raise PydanticCustomError(
                "varied", "{key} comes from the study's own list, {key}s", {"key": key}
            )
    return train


def held_precision(label_set: str) -> float | None:
    """Return the precision that a label set must have, or None for one without.

    Examples
    --------
    >>> held_precision("precision-0.9"), held_precision("selected"), held_precision("precision-0.0")
    (0.9, None, None)
    """
    match = _PRECISION.fullmatch(label_set)
    return (float(match[1]) or None) if match else None


class TaskSettings(Section):
    """Another task to try every network on, as `winnow evaluate --on` takes it."""

    path: str = Field(description="folder, tar or CSV file")
    kind: TaskKind | None = Field(None, description="kind of task, if not plain to see")
    methods: tuple[TaskMethod, ...] = Field(
        (), description="ways to use a network; `linear`, and `frozen` for boxes and masks"
    )
    steps: int | None = Field(None, ge=1, description="steps of each training on the task")
    image_size: int | None = Field(
        None, ge=16, le=4096, description="side of its images, in pixels"
    )


class StudySettings(Section):
    """The trainings and the tasks to measure on; paths start from the file's folder."""

    run: str = Field(description="run folder with candidates and a selection")
    sizes: Annotated[tuple[Annotated[int, Field(ge=1)], ...], AfterValidator(_distinct)] = Field(
        (), description="numbers of images to train on, two or more; or set `smallest`"
    )
    smallest: int | None = Field(
        None, ge=1, description="smallest number of images; the largest is all that each set has"
    )
    n_sizes: int = Field(
        5, ge=2, description="how many numbers of images, in equal ratios from `smallest` on"
    )
    depths: Annotated[tuple[Literal[18, 34, 50, 101, 152], ...], AfterValidator(_distinct)] = Field(
        (18, 50), min_length=1, description="depths of the ResNets"
    )
    label_sets: Annotated[
        tuple[Annotated[str, AfterValidator(_known_set)], ...], AfterValidator(_distinct)
    ] = Field(
        ("selected", "all"),
        min_length=1,
        max_length=6,
        description="`selected`, `all`, `random`, or `precision-0.9`: what that precision keeps",
    )
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], AfterValidator(_distinct)] = Field(
        (0, 1, 2), min_length=1, description="seeds of the images drawn and of the weights"
    )
    held_out: bool = Field(
        True, description="measure on the run's held-out images, whose truth must be known"
    )
    task: tuple[TaskSettings, ...] = Field((), description="other tasks to measure on")
    train: Annotated[TrainSettings, AfterValidator(_without_varied)] = Field(
        TrainSettings(), description="as in the run's configuration, for what differs from it"
    )

    @model_validator(mode="after")
    def _whole(self) -> StudySettings:
        if (len(self.sizes) < 2) == (self.smallest is None):
            raise PydanticCustomError(
                "sizes", "set two sizes or more, or the smallest of them, and not both"
            )
        if not (self.held_out or self.task):
            raise PydanticCustomError("tasks", "there is nothing to measure: name a task")
        return self


def read_study(path: Path, overrides: Overrides = ()) -> StudySettings:
    """Read and check a study's file; paths of the result are absolute.

    Parameters
    ----------
    path, overrides
        As for `pipelines.run.config.read_config`.

    Raises
    ------
    ConfigError
        With every mistake of the file, each with its place.
    """
    content, text = read_toml(path)
    settings = checked(
        StudySettings, override(content, overrides), str(path), text, "docs/reference/study.md"
    )
    tasks = tuple(
        task.model_copy(update={"path": str((path.parent / task.path).resolve())})
        for task in settings.task
    )
    run = str((path.parent / settings.run).resolve())
    return settings.model_copy(update={"run": run, "task": tasks})


def training_of(study: StudySettings, of_run: TrainSettings) -> dict[str, Any]:
    """Return the settings of the trainings: those of the run, changed where the study sets them."""
    changed = {key: getattr(study.train, key) for key in study.train.model_fields_set}
    settings = of_run.model_copy(update=changed).model_dump(mode="json")
    return {key: value for key, value in settings.items() if key not in VARIED_KEYS}
