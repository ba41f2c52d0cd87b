"""Progress of a shuffle on the terminal, from committed work: the markers in its work folder."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.run.progress import EVERY_SECONDS, Progress, notify
from pipelines.shuffle import markers

BEGIN_SECONDS = 30.0
"""Seconds after which it is printed that no worker of an engine has begun."""

QUIET_SECONDS = 60.0
"""Seconds without progress after which it is printed what an engine has not finished."""


@contextmanager
def monitored(
    name: str, work_dir: str, n_splits: int, n_buckets: int, workers: str = ""
) -> Iterator[None]:
    """Print during the block how many splits and buckets are finished, with rate and ETA.

    `workers` describes those of an engine: after a while without progress it is printed that they
    are waited for.
    """
    monitor = _Monitor(name, work_dir, n_splits, n_buckets, workers)
    stop = threading.Event()
    thread = threading.Thread(target=monitor.run, args=(stop,), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class _Monitor:
    def __init__(
        self, name: str, work_dir: str, n_splits: int, n_buckets: int, workers: str
    ) -> None:
        self._name = name
        self._work_dir = work_dir
        self._workers = workers
        self._total = {"splits": n_splits, "buckets": n_buckets}
        self._rows = {kind: markers.count_rows(work_dir, kind) for kind in self._total}
        self._progress = {"splits": Progress(name, "splits", before=len(self._rows["splits"]))}
        self._n_finished = self._count()
        self._changed = self._printed = time.monotonic()
        for kind, rows in self._rows.items():
            if rows:
                total = self._total[kind]
                notify(f"{name}: {len(rows):,} of {total:,} {kind} were there already")

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(EVERY_SECONDS):
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
        has_begun = self._n_finished or markers.has_begun(self._work_dir)
        patience = QUIET_SECONDS if has_begun else BEGIN_SECONDS
        quiet = now - self._changed
        if quiet < patience or now - self._printed < patience:
            return
        self._printed = now
        if not has_begun:
            text = f"no worker has begun after {quiet:.0f} s; waiting for {self._workers}"
        else:
            counts = (f"{len(rows):,} of {self._total[k]:,} {k}" for k, rows in self._rows.items())
            text = f"{' and '.join(counts)} are finished, no further one for {quiet:.0f} s"
        notify(f"{self._name}: {text}")

    def _count(self) -> int:
        return sum(map(len, self._rows.values()))
