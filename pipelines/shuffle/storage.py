"""Files of a shuffle, on a disk or in an object store (`pipelines.shuffle.objects`).

Paths are ``str``, because those of objects are URLs. A file exists whole or not at all, also after
a loss of power: it is written under a temporary name, synced and renamed.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from curation.runs import durable
from pipelines.shuffle import objects
from pipelines.shuffle.objects import is_object


class Writer:
    """A file that is being written; counts and digests its bytes."""

    def __init__(self, handle: IO[bytes]) -> None:
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
    if is_object(path):
        with objects.writing(path) as handle:
            yield Writer(handle)
        return
    os.makedirs(partial_dir, exist_ok=True)
    partial = Path(partial_dir, f"{Path(path).name}.{uuid.uuid4().hex}")
    make_folder(os.path.dirname(path))
    with durable.writing(Path(path), partial) as handle:
        yield Writer(handle)


def read(path: str) -> bytes:
    """Return the whole of a file."""
    with reading(path) as handle:
        return handle.read()


@contextmanager
def reading(path: str) -> Iterator[IO[bytes]]:
    """Open a file of which ranges are read with `read_range`."""
    if is_object(path):
        with objects.reading(path) as handle:
            yield handle
    else:
        with Path(path).open("rb", buffering=0) as handle:
            yield handle


def read_range(handle: IO[bytes], offset: int, length: int) -> bytes:
    """Return `length` bytes of an open file from `offset` on.

    They are read, not mapped: the pages of a map would count as memory of the process.
    """
    parts = []
    end = offset + length
    while offset < end:
        if isinstance(handle, io.FileIO):
            part = os.pread(handle.fileno(), end - offset, offset)
        else:
            handle.seek(offset)
            part = handle.read(end - offset)
        if not part:
            raise OSError(f"a file ends before byte {end}: {getattr(handle, 'name', 'object')}")
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def prefetch(handle: IO[bytes], offset: int, length: int) -> None:
    """Advise the system that a range of an open file will be read soon, in smaller ones."""
    if hasattr(os, "posix_fadvise") and isinstance(handle, io.FileIO):
        os.posix_fadvise(handle.fileno(), offset, length, os.POSIX_FADV_WILLNEED)


def make_folder(path: str) -> None:
    """Make a folder and those above it, where they are missing."""
    if not is_object(path):
        os.makedirs(path, exist_ok=True)


def list_names(folder: str) -> list[str]:
    """Return the sorted names in a folder, or an empty list where it is missing."""
    if is_object(folder):
        return objects.list_names(folder)
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def size(path: str) -> int | None:
    """Return the size of a file in bytes, or None where it is missing."""
    if is_object(path):
        return objects.size(path)
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return None


def sha256(path: str) -> str:
    """Return the digest of a file's bytes as 64 hexadecimal digits."""
    with reading(path) as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()  # type: ignore[arg-type]


def free(folder: str) -> int:
    """Return how many bytes there is room for; an object needs it while it is written."""
    return shutil.disk_usage(tempfile.gettempdir() if is_object(folder) else folder).free


def remove(path: str) -> None:
    """Remove a file, or a folder with all that is in it, if it is there."""
    if is_object(path):
        objects.remove(path)
    elif os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        Path(path).unlink(missing_ok=True)


def fetch(path: str, to: Path) -> str:
    """Copy a file to a path of this machine, and return the digest of its bytes."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with reading(path) as handle, writing(str(to), str(to.parent)) as writer:
        shutil.copyfileobj(handle, writer, 1 << 20)
    return writer.sha256


def send(file: Path, path: str, partial_dir: str) -> None:
    """Copy a file of this machine to a path that other machines see."""
    with file.open("rb") as handle, writing(path, partial_dir) as writer:
        shutil.copyfileobj(handle, writer, 1 << 20)


def join(folder: str, *parts: str) -> str:
    """Return the name of something in a folder.

    Examples
    --------
    >>> join("run/work", "splits", "a.json")
    'run/work/splits/a.json'
    """
    return "/".join((folder.rstrip("/"), *parts))
