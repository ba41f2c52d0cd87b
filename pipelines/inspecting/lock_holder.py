"""Who works in a run folder, without asking for its lock."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

FILE = ".lock"

_TEXT = re.compile(r"process (\d+) on (\S+) since (.+)")
_LOCKS = Path("/proc/locks")


@dataclass(frozen=True)
class Holder:
    """The process that took the lock last. `is_alive` is None where that cannot be seen."""

    pid: int
    host: str
    since: str
    is_alive: bool | None


def holder(run_dir: Path) -> Holder | None:
    """Return who took the lock of a run last, or None where nobody did.

    A process of another host cannot be seen. One of this host is alive if the system knows it and,
    on Linux, lists its lock: the number of a process that has ended may be another one's by now.
    """
    try:
        found = _TEXT.match((run_dir / FILE).read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    if found is None:
        return None
    pid, host, since = int(found[1]), found[2], found[3].strip()
    is_alive = _is_alive(pid, run_dir / FILE) if host == socket.gethostname() else None
    return Holder(pid, host, since, is_alive)


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
