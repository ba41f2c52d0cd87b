"""Runs of `winnow label` in children that were forked after all imports, to be interrupted.

A server process imports everything once and forks a child for each run, which takes the time of
the work alone.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

import pytest

from curation.runs.code import MAKERS, code_version
from pipelines.cli import main
from pipelines.shuffle import engine, markers
from tests.faults import disks, jobs

for stage in MAKERS:
    code_version(stage)  # once, for all children

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


class Break(NamedTuple):
    """Fault of the run's operation on the disk after the first `at`, and of all later ones.

    `act` is a function of `tests.faults.disks`.
    """

    at: int
    act: Callable[[str], None] = disks.kill
    lasting: bool = False


def start(config: Path, out: Path, notes: Path, broken: Break | None = None) -> BaseProcess:
    """Start a run; `notes` is a folder of its own.

    Notes are ``output`` (its messages), ``synced`` (states of synced files), ``marked`` (finished
    work), and ``n`` (number of operations).
    """
    notes.mkdir(parents=True)
    child = _context.Process(target=_label, args=(str(config), str(out), str(notes), broken))
    child.start()
    return child


def run(config: Path, out: Path, notes: Path, broken: Break | None = None) -> int:
    """Run to the end and return the exit code, negative for a signal."""
    return finish(start(config, out, notes, broken))


def output_of(notes: Path) -> str:
    return (notes / "output").read_text()


def finish(child: BaseProcess) -> int:
    """Wait for a run and return its exit code, negative for a signal."""
    child.join(60)
    assert child.exitcode is not None
    return child.exitcode


def send(child: BaseProcess, number: signal.Signals) -> None:
    assert child.pid is not None
    if child.is_alive():
        os.kill(child.pid, number)


def wait_for(child: BaseProcess, out: Path, pattern: str) -> None:
    """Wait until a run has made a file."""
    while child.is_alive() and not any(out.glob(pattern)):
        time.sleep(0.005)
    assert child.is_alive()


def lose_power(out: Path, notes: Path, durable: set[str], rng: random.Random) -> int:
    """Cut each file that was not synced to a random shorter length; return how many were cut.

    `durable` are the states of files from before the run.
    """
    synced = notes / "synced"
    known = durable | (set(synced.read_text().splitlines()) if synced.exists() else set())
    n_cut = 0
    for path in disks.files_of(out):
        state = path.stat()
        if state.st_size and disks.state(state) not in known:
            os.truncate(path, rng.randrange(state.st_size))
            n_cut += 1
    return n_cut


def marked(notes: Path) -> set[str]:
    """Return the markers of finished work that a run wrote."""
    path = notes / "marked"
    return set(path.read_text().splitlines()) if path.exists() else set()


def markers_in(out: Path) -> set[str]:
    """Return the markers of finished splits and buckets that are in a run folder."""
    markers = [p for kind in ("splits", "buckets") for p in (out / ".staging").rglob(f"{kind}/*")]
    return {str(path) for path in markers}


def _label(config: str, out: str, notes: str, broken: Break | None) -> None:
    sys.stdout = sys.stderr = open(os.path.join(notes, "output"), "w", buffering=1)  # noqa: SIM115
    signal.signal(signal.SIGINT, signal.default_int_handler)
    patch = pytest.MonkeyPatch()
    at, act, lasting = broken or (None, disks.kill, False)
    disk = disks.Disk(patch, Path(out), at, act, lasting, Path(notes, "synced"))
    write_marker = markers.write_marker

    def noted(path: str, marker: markers.Marker, partial_dir: str) -> None:
        write_marker(path, marker, partial_dir)
        with open(os.path.join(notes, "marked"), "a") as log:
            log.write(f"{path}\n")

    patch.setattr(markers, "write_marker", noted)
    patch.setattr(engine, "ROWS_PER_BUCKET", jobs.ROWS_PER_BUCKET)
    try:
        main(["label", config, "--out", out])
    finally:
        Path(notes, "n").write_text(str(disk.n))
