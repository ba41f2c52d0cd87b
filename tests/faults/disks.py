"""A disk that counts what is done to it, and stops or fills up at the k-th time.

Counted are, under one folder: opening a file for writing, writing into it, syncing, renaming and
making folders. A broken write leaves half of its bytes.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.shuffle import storage

Act = Callable[[str], None]
"""What happens to an operation on a path: it raises, ends the process, or lets it pass."""


def full(path: str) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def kill(path: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Disk:
    """Wraps the operations on files below `folder`.

    Parameters
    ----------
    at
        How many operations pass before `act` comes in; none does where it is None.
    lasting
        Whether `act` then comes in at each operation, and not only once.
    synced
        File to append the state of each synced file to, for `lose_power`.
    """

    def __init__(
        self,
        patch: pytest.MonkeyPatch,
        folder: Path,
        at: int | None,
        act: Act,
        lasting: bool = False,
        synced: Path | None = None,
    ) -> None:
        self.n = 0
        self.n_broken = 0
        self._folder = os.path.abspath(folder)
        self._at, self._act, self._lasting = at, act, lasting
        self._synced = synced
        self._lock = threading.Lock()
        self._wrap(patch)

    def _wrap(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("replace", "rename", "mkdir"):
            patch.setattr(os, name, self._counted(getattr(os, name)))
        patch.setattr(os, "fsync", self._fsync(os.fsync))
        opened = self._open(io.open)
        patch.setattr(io, "open", opened)
        patch.setattr(builtins, "open", opened)
        patch.setattr(storage.Writer, "write", self._write(storage.Writer.write))
        patch.setattr(pq, "write_table", self._write_table(pq.write_table))

    def _breaks(self, path: Any) -> bool:
        """Count an operation and return whether it is to break."""
        if not isinstance(path, str | os.PathLike):
            return False
        if not os.path.abspath(os.fspath(path)).startswith(self._folder + os.sep):
            return False
        with self._lock:
            self.n += 1
            if self._at is None or self.n <= self._at:
                return False
            if self.n > self._at + 1 and not self._lasting:
                return False
            self.n_broken += 1
            return True

    def _counted(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(path: Any, *arguments: Any, **options: Any) -> Any:
            if self._breaks(path):
                self._act(str(path))
            return operation(path, *arguments, **options)

        return wrapped

    def _open(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(path: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if set(mode) & set("wax+") and self._breaks(path):
                self._act(str(path))
            return operation(path, mode, *arguments, **options)

        return wrapped

    def _fsync(self, operation: Callable[[int], None]) -> Callable[[int], None]:
        def wrapped(handle: int) -> None:
            path = os.readlink(f"/proc/self/fd/{handle}")
            if self._breaks(path):
                self._act(path)
            operation(handle)
            if self._synced is not None:
                note = os.open(self._synced, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
                os.write(note, f"{state(os.fstat(handle))}\n".encode())
                os.close(note)

        return wrapped

    def _write(self, operation: Callable[[Any, Any], int]) -> Callable[[Any, Any], int]:
        def wrapped(writer: Any, content: Any) -> int:
            path = writer._handle.name
            if self._breaks(path):
                writer._handle.write(memoryview(content)[: len(memoryview(content)) // 2])
                writer._handle.flush()
                self._act(path)
            return operation(writer, content)

        return wrapped

    def _write_table(self, operation: Callable[..., None]) -> Callable[..., None]:
        def wrapped(table: Any, path: Any, **options: Any) -> None:
            operation(table, path, **options)
            if self._breaks(path):
                os.truncate(path, os.stat(path).st_size // 2)
                self._act(str(path))

        return wrapped


def state(of: os.stat_result) -> str:
    """Identify a file and its content: writing changes its size or time."""
    return f"{of.st_dev} {of.st_ino} {of.st_size} {of.st_mtime_ns}"


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """Mount a file system of limited size; skip the test where that is not allowed."""
    folder.mkdir()
    try:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "winnow-test", str(folder)]
        subprocess.run(mount, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a file system of limited size cannot be mounted here: {error}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write a file until there is no room for another byte."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
