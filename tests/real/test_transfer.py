"""Real tasks of other people, read as they are laid out; skips without the data."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from training.transfer import kind_of
from training.transfer.readers.boxes import read_box_task
from training.transfer.readers.classes import read_class_task

DATA = Path(os.environ.get("WINNOW_DATA", "/nonexistent"))
ARCHIVES = ("detection_dev.tar.gz", "clothing_small_dev.tar.gz")

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not all((DATA / name).exists() for name in ARCHIVES),
        reason=f"WINNOW_DATA has not {' and '.join(ARCHIVES)}",
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tasks")
    for name in ARCHIVES:
        with tarfile.open(DATA / name) as tar:
            tar.extractall(path, filter="data")
    return path


def test_blood_cells_in_the_layout_of_voc(folder: Path) -> None:
    assert kind_of(folder / "bccd") == "detect"
    task = read_box_task(folder / "bccd", 64)
    assert task.names == ("Platelets", "RBC", "WBC")
    assert (len(task.train.boxes), len(task.test.boxes)) == (205, 72)
    assert (sum(map(len, task.train.boxes)), sum(map(len, task.test.boxes))) == (2805, 945)
    assert all((boxes >= 0).all() and (boxes <= 64).all() for boxes in task.train.boxes)
    assert not task.rejects


def test_clothes_in_folders_of_classes(folder: Path) -> None:
    assert kind_of(folder / "clothing_small") == "classify"
    task = read_class_task(folder / "clothing_small", 32)
    assert (len(task.names), len(task.train.classes), len(task.test.classes)) == (10, 3068, 341)
    assert task.train.classes.bincount()[task.names.index("t-shirt")] == 795
    assert not task.rejects
