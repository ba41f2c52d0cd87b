"""How far a shuffle is, told from committed work: the markers in its work folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.run.progress import EVERY_SECONDS, Progress, say
from pipelines.shuffle import markers


@contextmanager
def told(name: str, work_dir: str, n_splits: int, n_buckets: int) -> Iterator[None]:
    """Tell during the block how many splits and buckets are finished, with rate and ETA."""
    watch = _Watch(name, work_dir, n_splits, n_buckets)
    stop = threading.Event()
    thread = threading.Thread(target=watch.run, args=(stop,), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class _Watch:
    def __init__(self, name: str, work_dir: str, n_splits: int, n_buckets: int) -> None:
        self._work_dir = work_dir
        self._total = {"splits": n_splits, "buckets": n_buckets}
        self._rows = {kind: markers.found(work_dir, kind) for kind in self._total}
        self._name = name
        self._progress = {"splits": Progress(name, "splits", before=len(self._rows["splits"]))}
        for kind, there in self._rows.items():
            if there:
                say(f"{name}: {len(there):,} of {self._total[kind]:,} {kind} were there already")

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(EVERY_SECONDS):
            self.look("splits")
            if len(self._rows["splits"]) == self._total["splits"] or self._rows["buckets"]:
                self.look("buckets")

    def look(self, kind: str) -> None:
        """Tell of what was finished since the last look; the first begins to take the time."""
        known = self._rows[kind]
        progress = self._progress.get(kind)
        if progress is None:
            self._progress[kind] = progress = Progress(self._name, kind, before=len(known))
        self._rows[kind] = markers.found(self._work_dir, kind, known)
        done, total = len(self._rows[kind]), self._total[kind]
        if len(known) < total:
            progress(done, total, f", {sum(self._rows[kind].values()):,} rows")
