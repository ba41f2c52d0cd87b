"""Where a shuffle keeps its files: the few things that it asks of a disk or an object store.

Folders and files are named by strings, so that a name can also be that of an object. A file is
either there whole or not at all, also after a loss of power: it is written under a temporary name,
synced and renamed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


class Writer:
    """A file on its way: counts and digests what goes into it."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._digest = hashlib.sha256()
        self.n_bytes = 0

    def write(self, content: Any) -> int:
        """Append bytes or a buffer of them, and return where they begin."""
        start = self.n_bytes
        self._handle.write(content)
        self._digest.update(content)
        self.n_bytes += memoryview(content).nbytes
        return start

    @property
    def sha256(self) -> str:
        """Digest of all that was written so far, as 64 hexadecimal digits."""
        return self._digest.hexdigest()


@contextmanager
def writing(path: str, partial_dir: str) -> Iterator[Writer]:
    """Write a file that appears at the end of the block, durable, in the place of any other.

    Until then it is in `partial_dir`, on the same file system. After an error nothing is left.
    """
    os.makedirs(partial_dir, exist_ok=True)
    partial = Path(partial_dir, f"{Path(path).name}.{uuid.uuid4().hex}")
    try:
        with partial.open("wb") as handle:
            yield Writer(handle)
            handle.flush()
            os.fsync(handle.fileno())
        make_folder(os.path.dirname(path))
        os.replace(partial, path)
        _sync_folder(os.path.dirname(path))
    finally:
        partial.unlink(missing_ok=True)


def read(path: str) -> bytes:
    """Return the whole of a file."""
    return Path(path).read_bytes()


@contextmanager
def reading(path: str) -> Iterator[BinaryIO]:
    """Open a file of which ranges are read with `read_range`."""
    with Path(path).open("rb", buffering=0) as handle:
        yield handle


def read_range(handle: BinaryIO, offset: int, length: int) -> bytes:
    """Return `length` bytes of an open file from `offset` on.

    They are read, not mapped: the pages of a map would count as memory of the process.
    """
    content = os.pread(handle.fileno(), length, offset)
    if len(content) == length:
        return content
    parts = [content]
    missing = length - len(content)
    while missing:
        part = os.pread(handle.fileno(), missing, offset + length - missing)
        if not part:
            raise OSError(f"{handle.name} ends before byte {offset + length}")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def make_folder(path: str) -> None:
    """Make a folder and those above it, where they are missing."""
    os.makedirs(path, exist_ok=True)


def names(folder: str) -> list[str]:
    """Return the sorted names of what is in a folder: nothing where there is none."""
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def size(path: str) -> int | None:
    """Return the bytes of a file, or None where there is none."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return None


def sha256(path: str) -> str:
    """Return the digest of a file's bytes as 64 hexadecimal digits."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def free(folder: str) -> int:
    """Return how many bytes there is room for."""
    return shutil.disk_usage(folder).free


def remove(path: str) -> None:
    """Remove a file, or a folder with all that is in it, if it is there."""
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        Path(path).unlink(missing_ok=True)


def join(folder: str, *parts: str) -> str:
    """Return the name of something in a folder.

    Examples
    --------
    >>> join("run/work", "splits", "a.json")
    'run/work/splits/a.json'
    """
    return "/".join((folder.rstrip("/"), *parts))


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
