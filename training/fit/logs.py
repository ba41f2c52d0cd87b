"""Logs of the steps of a training: a CSV file, and events for TensorBoard."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

from labeling.errors import ConfigError


class Done(NamedTuple):
    """A step that is done: its number from 1, its loss in nats an image, its learning rate."""

    step: int
    loss: float
    learning_rate: float


Watch: TypeAlias = Callable[[Done, float], None]
"""Called with each step after it is done, and the images a second."""


def write_log(path: Path, log: Sequence[Done]) -> None:
    """Write one row a step, with six digits."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(Done._fields)
        writer.writerows((step, f"{loss:.6g}", f"{rate:.6g}") for step, loss, rate in log)


@contextmanager
def events(folder: Path | None, first: int) -> Iterator[Watch]:
    """Write events for TensorBoard into a folder, or none without a folder.

    Parameters
    ----------
    folder
        Folder of the events; created if missing.
    first
        First step that is reported: events of it and later steps by an earlier attempt are hidden.

    Raises
    ------
    ConfigError
        If TensorBoard is not installed.
    """
    if folder is None:
        yield lambda done, images_per_second: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError(
            "TensorBoard is not installed",
            facts={"cause": error},
            help="pip install 'winnow[tensorboard]', or leave train.tensorboard out",
        ) from error
    writer = SummaryWriter(folder, purge_step=first)

    def watch(done: Done, images_per_second: float) -> None:
        named = {**done._asdict(), "images_per_second": images_per_second}
        step = named.pop("step")
        for name, value in named.items():
            writer.add_scalar(name, value, step)

    try:
        yield watch
    finally:
        writer.close()
