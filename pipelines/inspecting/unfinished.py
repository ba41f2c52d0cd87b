"""What runs that were interrupted, or that are going on, have left in ``.staging``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from curation.runs.staging import STAGING
from pipelines.shuffle import markers, storage

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


def _shuffles(folder: Path) -> list[Begun]:
    """Return the shuffles of a scratch folder, and of the shared one that it names, as they began.

    Markers are whole or absent, so that their names are enough.
    """
    jobs = [str(path.parent) for path in sorted(folder.glob("**/job.json"), key=_when)]
    try:
        shared = (folder / markers.SHARED).read_text(encoding="utf-8")
        jobs += [storage.join(shared, n) for n in storage.names(shared) if n.endswith(".work")]
    except (OSError, UnicodeDecodeError):
        pass
    begun = (_begun(work_dir) for work_dir in jobs)
    return [one for one in begun if one is not None]


def _begun(work_dir: str) -> Begun | None:
    try:
        job = markers.read_json(storage.join(work_dir, "job.json"))
        n_splits, n_buckets = int(job["n_splits"]), int(job["n_buckets"])
        done = {kind: _markers(work_dir, kind) for kind in ("splits", "buckets")}
        is_done = storage.size(storage.join(work_dir, "done.json")) is not None
    except (KeyError, TypeError, ValueError, OSError):
        return None
    times = [_when(Path(path)) for paths in done.values() for path in paths]
    return Begun(
        name=str(job.get("name", work_dir.rpartition("/")[2])),
        splits=len(done["splits"]),
        n_splits=n_splits,
        buckets=len(done["buckets"]),
        n_buckets=n_buckets,
        is_done=is_done,
        times=tuple(times),
    )


def _markers(work_dir: str, kind: str) -> list[str]:
    folder = storage.join(work_dir, kind)
    return [storage.join(folder, n) for n in storage.names(folder) if n.endswith(".json")]


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
