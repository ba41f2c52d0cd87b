"""What runs that were interrupted, or that are going on, have left in ``.staging``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines import markers

STAGING = ".staging"
RATE_SECONDS = 300.0
"""Time behind now over which a rate is measured."""

_NAMED = re.compile(r"(.+)-([0-9a-f]{12})(?:\.work)?")


@dataclass(frozen=True)
class Begun:
    """One shuffle: how many of its splits and buckets are done, and when (seconds since 1970)."""

    name: str
    splits: int
    n_splits: int
    buckets: int
    n_buckets: int
    is_done: bool
    times: tuple[float, ...]

    def rate(self, now: float) -> float:
        """Return how many splits and buckets a minute were done lately; 0 where none was."""
        lately = [time for time in self.times if now - time < RATE_SECONDS]
        if not lately:
            return 0.0
        span = now - min(lately) if len(lately) < len(self.times) else now - min(self.times)
        return 60 * len(lately) / max(span, 1.0)


@dataclass(frozen=True)
class Attempt:
    """An output that is not committed: its stage, fingerprint, bytes so far, and shuffles."""

    stage: str
    fingerprint: str
    folder: Path
    n_bytes: int
    shuffles: tuple[Begun, ...]


def attempts(run_dir: Path) -> list[Attempt]:
    """Return the outputs that were begun and not committed, the newest last.

    Files may come and go while this looks.
    """
    folders: dict[tuple[str, str], list[Path]] = {}
    for path in sorted((run_dir / STAGING).glob("*")):
        named = _NAMED.fullmatch(path.name)
        if named:
            folders.setdefault((named[1], named[2]), []).append(path)
    found = [
        Attempt(
            stage,
            print_id,
            min(paths, key=lambda path: len(path.name)),
            sum(map(_n_bytes, paths)),
            tuple(begun for path in paths for begun in _shuffles(path)),
        )
        for (stage, print_id), paths in folders.items()
    ]
    return sorted(found, key=lambda one: _when(one.folder))


def _shuffles(folder: Path) -> Iterator[Begun]:
    jobs = sorted(folder.glob("**/job.json"), key=_when)
    for job in jobs:
        try:
            done = markers.finished(str(job.parent))
            told = markers.read_json(str(job))
        except (KeyError, TypeError, OSError):
            continue
        if done is None:
            continue
        yield Begun(
            str(told.get("name", job.parent.name)),
            done.splits,
            done.n_splits,
            done.buckets,
            done.n_buckets,
            done.is_done,
            tuple(map(_when, job.parent.glob("[sb]*/*.json"))),
        )


def _n_bytes(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_size
            except OSError:
                continue
    return total


def _when(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
