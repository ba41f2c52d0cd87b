"""Clusters of real engines on this machine, for tests: a master, two workers and a job server.

The folder that `WINNOW_ENGINES` names, by default ``shared/engines`` beside the checkout, has a
script that starts and stops them. Tests are skipped where it is missing; where it is there, all
that they need must be there too. ``WINNOW_FLINK_JOB_ENDPOINT`` and ``WINNOW_SPARK_JOB_ENDPOINT``
name the job servers of other clusters, which reach this machine and see its disk.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from curation.runs.stage import Stage, current

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = Path(os.environ.get("WINNOW_ENGINES", ROOT.parent / "shared/engines")) / "engines.py"
ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "PYTHONPATH": str(ROOT),
}
PATIENCE = 120.0


@dataclass(frozen=True)
class Cluster:
    """A cluster: its engine, the address of its job server, and the folder of its state."""

    engine: str
    endpoint: str
    folder: Path | None = None

    @property
    def address(self) -> str:
        """Address of the master's interface of REST."""
        assert self.folder is not None
        ports = json.loads((self.folder / "state.json").read_text())["ports"]
        return f"http://localhost:{ports['web']}"

    def options(self, workers: str = "LOOPBACK", config: str = "") -> list[str]:
        """Return Beam's options for a job, by default with workers in this process."""
        environment = [f"--environment_type={workers}"]
        environment += [f"--environment_config={config}"] if config else []
        job = [f"--job_endpoint={self.endpoint}", "--parallelism=2"]
        return [f"--runner={self.engine}", *job, *environment]

    def running(self) -> list[str]:
        """Return the names of the jobs that have not ended."""
        if self.engine == "spark":
            return [job["name"] for job in _json(f"{self.address}/json/")["activeapps"]]
        over = ("FINISHED", "FAILED", "CANCELED")
        jobs = _json(f"{self.address}/jobs/overview")["jobs"]
        return [job["name"] for job in jobs if job["state"] not in over]

    def replace_worker(self) -> None:
        """Kill a worker, and start one in its place."""
        assert self.folder is not None
        for command in ("kill-worker", "start-worker"):
            _call(command, self.engine, self.folder)


@contextmanager
def cluster(engine: str, folder: Path) -> Iterator[Cluster]:
    """Run a cluster with its state in a folder; the engine itself is fetched once."""
    if endpoint := os.environ.get(f"WINNOW_{engine.upper()}_JOB_ENDPOINT"):
        yield Cluster(engine, endpoint)
        return
    if not SCRIPT.exists():
        pytest.skip(f"no script that starts engines: {SCRIPT}")
    if shutil.which("java") is None:
        pytest.fail("engines need Java 11 or 17")
    fetched = Path(sys.prefix, "engines", engine)
    fetched.mkdir(parents=True, exist_ok=True)
    (folder / "engine").symlink_to(fetched)
    temporary = folder / "tmp"
    temporary.mkdir()
    try:
        started = Cluster(engine, _call("start", engine, folder).split()[-1], folder)
        if engine == "flink":
            wait_until(lambda: _json(f"{started.address}/overview")["taskmanagers"] == 2)
        yield started
    finally:
        _call("stop", engine, folder)
        shutil.rmtree(temporary, ignore_errors=True)


def _call(command: str, engine: str, folder: Path) -> str:
    arguments = [sys.executable, SCRIPT, command, engine, folder]
    # Workers of Flink keep the jars of all jobs in the temporary folder, also of clusters before,
    # and digest them when they start.
    options = f"-Djava.io.tmpdir={folder / 'tmp'}"
    done = subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env={**os.environ, "JAVA_TOOL_OPTIONS": options},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for something, `PATIENCE` seconds at most."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@contextmanager
def worker_pool() -> Iterator[str]:
    """Run a process that starts workers, as beside an engine; yield its address."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    module = "apache_beam.runners.worker.worker_pool_main"
    command = [sys.executable, "-m", module, "--service_port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    pool = subprocess.Popen(command, env=ENVIRONMENT, start_new_session=True, **quiet)  # type: ignore[call-overload]
    try:
        wait_until(lambda: answers(port))
        yield f"localhost:{port}"
    finally:
        os.killpg(pool.pid, signal.SIGKILL)  # its workers are in the group
        pool.wait()


def answers(port: int) -> bool:
    """Return whether a server of this machine listens at a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("localhost", port)) == 0


def start_label(config: Path, run_dir: Path, options: Sequence[str]) -> subprocess.Popen[str]:
    """Start ``winnow label`` as a process of its own."""
    runner, *others = options
    command = [sys.executable, "-m", "pipelines.cli", "label", str(config), "--out", str(run_dir)]
    return subprocess.Popen(
        [*command, runner, "--", *others],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=ENVIRONMENT,
        # Ctrl-C is ignored in the background of a shell, where tests may run.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def digests(run_dir: Path) -> dict[str, str]:
    """Return the digest of each file that ``winnow label`` makes."""
    stages = [current(run_dir, name) for name in ("signals", "candidates")]
    return {
        entry["name"]: entry["sha256"]
        for stage in stages
        if isinstance(stage, Stage)
        for entry in stage.manifest["files"]
    }
