"""Progress of a shuffle on the terminal, from committed work: the markers in its work folder."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pipelines.run.progress import EVERY_SECONDS, Progress, notify
from pipelines.shuffle import markers, storage

BEGIN_SECONDS = 30.0
"""Seconds after which it is printed that no worker of an engine has begun."""

QUIET_SECONDS = 60.0
"""Seconds without progress after which it is printed what an engine has not finished."""


@contextmanager
def monitored(work_dirs: Mapping[str, str], workers: str = "") -> Iterator[None]:
    """Print during the block how many splits and buckets are finished, with rate and ETA.

    Parameters
    ----------
    work_dirs
        Work folder of each shuffle of a job by its name, in their order; the first has begun.
    workers
        Description of the workers of an engine: after a while without progress it is printed that
        they are waited for. Empty for those of this process.
    """
    (first, folder), *others = work_dirs.items()
    monitor = _Monitor(first, folder, workers)
    monitor.print_earlier()
    stop = threading.Event()
    arguments = (monitor, others, stop)
    thread = threading.Thread(target=_run, args=arguments, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _run(monitor: _Monitor, others: list[tuple[str, str]], stop: threading.Event) -> None:
    while not stop.wait(EVERY_SECONDS):
        monitor.print()
        while monitor.is_finished and others and markers.is_begun(others[0][1]):
            monitor = monitor.next(*others.pop(0))


class _Monitor:
    def __init__(self, name: str, work_dir: str, workers: str, has_begun: bool = False) -> None:
        self._name = name
        self._work_dir = work_dir
        self._workers = workers
        self._has_begun = has_begun
        job = markers.read_json(storage.join(work_dir, "job.json"))
        self._total = {kind: int(job[f"n_{kind}"]) for kind in ("splits", "buckets")}
        self._rows = {kind: markers.count_rows(work_dir, kind) for kind in self._total}
        self._progress = {"splits": Progress(name, "splits", before=len(self._rows["splits"]))}
        self._n_finished = self._count()
        self._changed = self._printed = time.monotonic()

    def print_earlier(self) -> None:
        """Print what was finished before."""
        for kind, rows in self._rows.items():
            if rows:
                total = self._total[kind]
                notify(f"{self._name}: {len(rows):,} of {total:,} {kind} were there already")

    @property
    def is_finished(self) -> bool:
        return len(self._rows["buckets"]) == self._total["buckets"]

    def next(self, name: str, work_dir: str) -> _Monitor:
        """Return the monitor of the next shuffle, which the same workers do."""
        return _Monitor(name, work_dir, self._workers, has_begun=True)

    def print(self) -> None:
        """Print what is finished, or what is waited for."""
        self._print("splits")
        if len(self._rows["splits"]) == self._total["splits"] or self._rows["buckets"]:
            self._print("buckets")
        if self._workers:
            self._print_wait()

    def _print(self, kind: str) -> None:
        """Print what is finished; the time of a kind is taken from its first call on."""
        known, total = self._rows[kind], self._total[kind]
        if kind not in self._progress:
            self._progress[kind] = Progress(self._name, kind, before=len(known))
        self._rows[kind] = rows = markers.count_rows(self._work_dir, kind, known)
        if len(known) < total:
            self._progress[kind](len(rows), total, f", {sum(rows.values()):,} rows")

    def _print_wait(self) -> None:
        """Print what is waited for, where nothing has been finished for long."""
        now = time.monotonic()
        if self._count() != self._n_finished:
            self._n_finished, self._changed = self._count(), now
        self._has_begun = self._has_begun or markers.has_worker(self._work_dir)
        patience = QUIET_SECONDS if self._has_begun else BEGIN_SECONDS
        quiet = now - self._changed
        if quiet < patience or now - self._printed < patience:
            return
        self._printed = now
        if not self._has_begun:
            text = f"no worker has begun after {quiet:.0f} s; waiting for {self._workers}"
        else:
            counts = (f"{len(rows):,} of {self._total[k]:,} {k}" for k, rows in self._rows.items())
            text = f"{' and '.join(counts)} are finished, no further one for {quiet:.0f} s"
        notify(f"{self._name}: {text}")

    def _count(self) -> int:
        return sum(map(len, self._rows.values()))
