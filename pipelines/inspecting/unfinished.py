"""Outputs in ``.staging`` that are being made or were interrupted, and the process at work."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curation.runs.staging import STAGING
from pipelines.inspecting.formatting import size
from pipelines.shuffle import markers, storage

RATE_SECONDS = 300.0
"""Seconds before now over which a rate is measured."""

_NAMED = re.compile(r"(.+)-([0-9a-f]{12})(?:\.work)?")
_HOLDER = re.compile(r"process (\d+) on (\S+) since (.+)")
_LOCKS = Path("/proc/locks")


@dataclass(frozen=True)
class Shuffle:
    """One shuffle: the splits and buckets that are done, of how many, and lately per minute."""

    name: str
    is_done: bool
    n_splits: int
    n_splits_done: int
    n_buckets: int
    n_buckets_done: int
    per_minute: float

    def line(self, is_alive: bool) -> str:
        """Return a line that reports the progress, and the pace of a process that is alive."""
        if self.is_done:
            return f"  {self.name}: done"
        pace = f", {self.per_minute:,.1f} a minute" if is_alive and self.per_minute else ""
        return (
            f"  {self.name}: {self.n_splits_done:,} of {self.n_splits:,} splits,"
            f" {self.n_buckets_done:,} of {self.n_buckets:,} buckets{pace}"
        )


@dataclass(frozen=True)
class Attempt:
    """An output that is not committed: its stage, folder, bytes so far, and shuffles.

    `is_alive` where a process works on it.
    """

    stage: str
    folder: Path
    n_bytes: int
    shuffles: tuple[Shuffle, ...]
    is_alive: bool = False

    def lines(self) -> Iterator[str]:
        """Yield lines that report the progress."""
        state = "being made" if self.is_alive else "unfinished"
        yield f"{state}: {self.stage}, {size(self.n_bytes)} in {self.folder}"
        yield from (shuffle.line(self.is_alive) for shuffle in self.shuffles)


@dataclass(frozen=True)
class Holder:
    """The process that took the lock last. `is_alive` is None where that cannot be seen."""

    pid: int
    host: str
    since: str
    is_alive: bool | None


def attempts(run_dir: Path, is_alive: bool = False) -> tuple[Attempt, ...]:
    """Return the outputs that were begun and not committed, the newest last.

    Files may appear and vanish meanwhile.

    Parameters
    ----------
    run_dir
        The run folder.
    is_alive
        Whether a process works in it: then on the newest output.
    """
    folders: dict[tuple[str, str], list[Path]] = {}
    for path in sorted((run_dir / STAGING).glob("*")):
        named = _NAMED.fullmatch(path.name)
        if named:
            folders.setdefault((named[1], named[2]), []).append(path)
    begun = [
        Attempt(
            stage,
            min(paths, key=lambda path: len(path.name)),
            sum(map(_n_bytes, paths)),
            tuple(shuffle for path in paths for shuffle in _shuffles(path)),
        )
        for (stage, _), paths in folders.items()
    ]
    begun.sort(key=lambda attempt: _modified(attempt.folder))
    return tuple(replace(each, is_alive=is_alive and each is begun[-1]) for each in begun)


def holder(run_dir: Path) -> Holder | None:
    """Return the process that took the lock of a run last, or None where it ended by itself.

    A process of another host cannot be seen. One of this host is alive if the system knows it and,
    on Linux, lists its lock: another process may have the number of one that has ended.
    """
    path = run_dir / ".lock"
    try:
        match = _HOLDER.match(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    if match is None:
        return None
    pid, host = int(match[1]), match[2]
    is_alive = _is_alive(pid, path) if host == socket.gethostname() else None
    return Holder(pid, host, match[3].strip(), is_alive)


def _is_alive(pid: int, path: Path) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    try:
        locks = _LOCKS.read_text(encoding="utf-8")
    except OSError:
        return True
    inode = path.stat().st_ino
    return any(line.split()[1] == "FLOCK" and f":{inode} " in line for line in locks.splitlines())


def _shuffles(folder: Path) -> list[Shuffle]:
    """Return the shuffles of a scratch folder, and of the shared one that it names, as they began.

    Markers are whole or absent, so that their names are enough.
    """
    jobs = [str(path.parent) for path in sorted(folder.glob("**/job.json"), key=_modified)]
    try:
        shared = (folder / markers.SHARED).read_text(encoding="utf-8")
        jobs += [storage.join(shared, n) for n in storage.list_names(shared) if n.endswith(".work")]
    except (OSError, UnicodeDecodeError):
        pass
    read = (_read_shuffle(work_dir) for work_dir in jobs)
    return [shuffle for shuffle in read if shuffle is not None]


def _read_shuffle(work_dir: str) -> Shuffle | None:
    try:
        job = markers.read_json(storage.join(work_dir, "job.json"))
        n_splits, n_buckets = int(job["n_splits"]), int(job["n_buckets"])
        splits, buckets = (markers.finished(work_dir, kind) for kind in ("splits", "buckets"))
        is_done = storage.size(storage.join(work_dir, "done.json")) is not None
    except (KeyError, TypeError, ValueError, OSError):
        return None
    return Shuffle(
        name=str(job.get("name", work_dir.rpartition("/")[2])),
        is_done=is_done,
        n_splits=n_splits,
        n_splits_done=len(splits),
        n_buckets=n_buckets,
        n_buckets_done=len(buckets),
        per_minute=_rate([_modified(Path(path)) for path in (*splits, *buckets)], time.time()),
    )


def _rate(times: Sequence[float], now: float) -> float:
    """Return how many of the times (Unix seconds) lie shortly before now, per minute."""
    lately = [time for time in times if now - time < RATE_SECONDS]
    return 60 * len(lately) / max(now - min(lately), 1.0) if lately else 0.0


def _n_bytes(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(parent, name)).st_size
            except OSError:
                continue
    return total


def _modified(path: Path) -> float:
    """Return when a file was modified, in Unix seconds; 0 if it has vanished."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
