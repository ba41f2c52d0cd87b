"""Clusters of real engines on this machine, for tests: a master, two workers and a job server.

The folder that `WINNOW_ENGINES` names, by default ``engines`` beside the checkout's ``shared``, has
a script that starts and stops them. Tests are skipped where it is missing; where it is there, all
that they need must be there too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = Path(os.environ.get("WINNOW_ENGINES", ROOT.parent / "shared/engines")) / "engines.py"


@dataclass(frozen=True)
class Cluster:
    """A cluster: its engine, the folder of its state, and the address of its job server."""

    engine: str
    folder: Path
    endpoint: str

    @property
    def address(self) -> str:
        """Address of the master's interface of REST."""
        return f"http://localhost:{self._state['ports']['web']}"

    @property
    def _state(self) -> Any:
        return json.loads((self.folder / "state.json").read_text())

    def options(self, workers: str = "LOOPBACK") -> list[str]:
        """Return Beam's options for a job, by default with workers in this process."""
        runner = f"--runner={self.engine}"
        job = [f"--job_endpoint={self.endpoint}", f"--environment_type={workers}"]
        return [runner, *job, "--parallelism=2"]

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs of Flink, as far as it remembers them."""
        with urllib.request.urlopen(f"{self.address}/jobs/overview", timeout=10) as answer:
            return list(json.load(answer)["jobs"])

    def replace_worker(self) -> None:
        """Kill a worker, and start one in its place."""
        for command in ("kill-worker", "start-worker"):
            _call(command, self.engine, self.folder)


@contextmanager
def cluster(engine: str, folder: Path) -> Iterator[Cluster]:
    """Run a cluster with its state in a folder; the engine itself is fetched once."""
    if not SCRIPT.exists():
        pytest.skip(f"no script that starts engines: {SCRIPT}")
    if shutil.which("java") is None:
        pytest.fail("engines need Java 11 or 17")
    fetched = Path(sys.prefix, "engines", engine)
    fetched.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "engine").symlink_to(fetched)
    try:
        yield Cluster(engine, folder, _call("start", engine, folder).split()[-1])
    finally:
        _call("stop", engine, folder)


def _call(command: str, engine: str, folder: Path) -> str:
    arguments = [sys.executable, SCRIPT, command, engine, folder]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
