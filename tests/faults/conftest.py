from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import jobs, kills
from tests.faults.jobs import Undisturbed


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """A folder in memory, where there is one: thousands of syncs cost nothing there."""
    memory = Path("/dev/shm")
    parent = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="winnow-test-", dir=parent) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    config = jobs.write_job(folder / "job", n_files=2)
    assert kills.run(config, folder / "old", folder / "notes-old") == 0
    shutil.rmtree(folder / "job")
    jobs.write_job(folder / "job", n_files=3)
    new, notes = folder / "new", folder / "notes"
    started = time.perf_counter()
    assert kills.run(config, new, notes) == 0
    seconds = time.perf_counter() - started
    n = int((notes / "n").read_text())
    old = jobs.outputs(folder / "old")
    return Undisturbed(config, folder / "old", old, jobs.outputs(new), n, seconds)
