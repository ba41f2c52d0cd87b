"""Value of a model's features on other tasks: classes, boxes and masks of other images."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from labeling.errors import ConfigError

if TYPE_CHECKING:
    from training.transfer.task import TransferTask

TASKS = {
    "classify": "training.transfer.classify:Classification",
    "detect": "training.transfer.detect:Detection",
    "segment": "training.transfer.segment:Segmentation",
}
"""The class of each kind of task.

A new kind is a module with a subclass of `training.transfer.task.TransferTask`, and its line here.
Classes are named, not imported, so that the command line can list the kinds without torch.
"""

METHODS = ("knn", "linear", "frozen", "finetune", "scratch")
"""Ways of using a model; each kind of task has some of them."""


def task_class(kind: str) -> type[TransferTask[Any]]:
    """Return the class of a kind of task, one of `TASKS`."""
    task: type[TransferTask[Any]] = resolve_name(TASKS[kind])
    return task


def kind_of(path: Path) -> str:
    """Return the kind of a task, one of `TASKS`, by the names of its files.

    Raises
    ------
    ConfigError
        If the files are those of two kinds.
    """
    kinds = [kind for kind in TASKS if task_class(kind).recognises(path)]
    if len(kinds) > 1:
        raise ConfigError(
            "a task can be of more than one kind",
            facts={"task": path, "kinds": ", ".join(kinds)},
            help="name one of them: `task=`",
        )
    return kinds[0] if kinds else "classify"
