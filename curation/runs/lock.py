"""The lock of a run folder: one process at a time."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from curation.runs.durable import FULL, reporting_write_errors
from labeling.errors import BusyError, InputError

NAME = ".lock"


@contextmanager
def locked(run_dir: Path) -> Iterator[str]:
    """Hold the run folder for one process; another one is refused at once.

    The lock belongs to the process and ends with it, also if it is killed.

    Yields
    ------
    str
        Process, host and time of an earlier holder that was killed; empty if it ended by itself.

    Raises
    ------
    BusyError
        If another process holds the folder.
    InputError
        If the folder cannot be made or written to, or holds files that are not winnow's.
    """
    with reporting_write_errors("run folder", run_dir):
        run_dir.mkdir(parents=True, exist_ok=True)
        _refuse_other_folder(run_dir)
        # Without a buffer: its bytes would be written again when the file is closed.
        handle = (run_dir / NAME).open("ab+", buffering=0)
    with handle:
        _acquire(handle, run_dir)
        killed = _read_holder(handle)
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        note = f"process {os.getpid()} on {socket.gethostname()} since {now}\n"
        with reporting_write_errors("run folder", run_dir):
            handle.truncate(0)
            _write(handle, note.encode())
        try:
            yield killed
        finally:
            handle.truncate(0)


def _refuse_other_folder(run_dir: Path) -> None:
    """Raise `InputError` for a folder of other files, such as the inputs of a run.

    A configuration may lie in the folder of its run before the first command.
    """
    if (run_dir / NAME).exists() or any(run_dir.glob("*/CURRENT")):
        return
    names = (path.name for path in sorted(run_dir.iterdir()))
    others = [name for name in names if not name.startswith(".") and not name.endswith(".toml")]
    if others:
        raise InputError(
            "the folder holds other files and no run",
            facts={"folder": run_dir, "files": ", ".join(others[:5]), "n_files": len(others)},
            help="name a new or an empty folder for the run",
        )


def _write(handle: BinaryIO, note: bytes) -> None:
    """Write the note of a holder; the lock holds without it where the disk is full."""
    try:
        handle.write(note)
    except OSError as error:
        if error.errno not in FULL:
            raise


def _acquire(handle: BinaryIO, run_dir: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise BusyError(
            "another winnow is working in this folder",
            facts={"run": run_dir, "holder": _read_holder(handle) or "unknown"},
            help="wait for it, or choose another folder",
        ) from error


def _read_holder(handle: BinaryIO) -> str:
    """Return the text of a lock file: empty after its holder ended by itself."""
    handle.seek(0)
    return handle.read(200).decode("utf-8", "replace").strip()
