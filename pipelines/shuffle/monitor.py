"""Progress of a shuffle on the terminal, from committed work: the markers in its work folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.run.progress import EVERY_SECONDS, Progress, notify
from pipelines.shuffle import markers


@contextmanager
def monitored(name: str, work_dir: str, n_splits: int, n_buckets: int) -> Iterator[None]:
    """Print during the block how many splits and buckets are finished, with rate and ETA."""
    monitor = _Monitor(name, work_dir, n_splits, n_buckets)
    stop = threading.Event()
    thread = threading.Thread(target=monitor.run, args=(stop,), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class _Monitor:
    def __init__(self, name: str, work_dir: str, n_splits: int, n_buckets: int) -> None:
        self._name = name
        self._work_dir = work_dir
        self._total = {"splits": n_splits, "buckets": n_buckets}
        self._rows = {kind: markers.count_rows(work_dir, kind) for kind in self._total}
        self._progress = {"splits": Progress(name, "splits", before=len(self._rows["splits"]))}
        for kind, rows in self._rows.items():
            if rows:
                total = self._total[kind]
                notify(f"{name}: {len(rows):,} of {total:,} {kind} were there already")

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(EVERY_SECONDS):
            self._print("splits")
            if len(self._rows["splits"]) == self._total["splits"] or self._rows["buckets"]:
                self._print("buckets")

    def _print(self, kind: str) -> None:
        """Print what is finished; the time of a kind is taken from its first call on."""
        known, total = self._rows[kind], self._total[kind]
        if kind not in self._progress:
            self._progress[kind] = Progress(self._name, kind, before=len(known))
        self._rows[kind] = rows = markers.count_rows(self._work_dir, kind, known)
        if len(known) < total:
            self._progress[kind](len(rows), total, f", {sum(rows.values()):,} rows")
