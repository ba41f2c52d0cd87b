"""Commands on a disk without a byte left, also for their log and their results."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.run.config import read_config
from pipelines.run.saved_config import save_config
from tests.faults import disks

WINNOW = shutil.which("winnow", path=str(Path(sys.executable).parent)) or "winnow"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="mounts, and writes to /dev/full")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with disks.mounted(tmp_path / "disk", "20m") as folder:
        yield folder


def commands(run: Path) -> list[list[str]]:
    """Return commands that write something that the run does not have."""
    return [
        [WINNOW, "select", str(run), "-o", "select.keep=0.2"],
        [WINNOW, "export", str(run), "-o", "export.shard_mb=1"],
        [WINNOW, "report", str(run)],
        [WINNOW, "audit", "sample", str(run), "-o", "audit.n=7", "-o", "audit.seed=5"],
    ]


@pytest.fixture
def run(selected: Path, shop: Path) -> Path:
    save_config(read_config(shop), selected)
    return selected


@LINUX
@pytest.mark.crash
def test_a_full_disk_is_an_error_with_the_room_that_is_needed(run: Path, disk: Path) -> None:
    run = Path(shutil.copytree(run, disk / "run"))
    disks.fill(disk / "filler")
    for command in commands(run):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 3, done.stderr
        assert "No space left on device" in done.stderr
        assert "free bytes: 0" in done.stderr
        assert "needed bytes: about" in done.stderr
        assert "Traceback" not in done.stderr
        with (disk / "log").open("wb") as log:
            assert subprocess.run(command, stdout=log, stderr=log).returncode == 3
    assert subprocess.run([WINNOW, "status", str(run)], capture_output=True).returncode == 0
    (disk / "filler").unlink()
    for command in commands(run):
        subprocess.run(command, check=True, capture_output=True)


@LINUX
def test_results_that_find_no_room_are_an_error(shop: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [WINNOW, "config", "show", str(shop)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 3
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@LINUX
def test_progress_that_finds_no_room_is_left_out(run: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [WINNOW, "select", str(run), "-o", "select.keep=0.2"]
        assert subprocess.run(command, stderr=full, stdout=subprocess.PIPE).returncode == 0
