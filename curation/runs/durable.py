"""Files that are whole or missing, also after a loss of power, and digests of files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from labeling.errors import InputError


@contextmanager
def writing(path: Path, partial: Path | None = None) -> Iterator[BinaryIO]:
    """Write a file that appears whole at the end of the block and replaces any other.

    Parameters
    ----------
    path
        The file; its folder exists.
    partial
        Path of the unfinished file, on the same file system; by default beside `path`. It is
        removed after an error.

    Yields
    ------
    BinaryIO
        The unfinished file.
    """
    partial = partial or path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as handle:
            yield handle
            # Without it the new name could outlive a loss of power, and the bytes not.
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(partial, path)
        sync_dir(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file by some bytes in one step: readers see the old ones or the new."""
    with writing(path) as handle:
        handle.write(content)


def write_text(path: Path, text: str) -> None:
    """Replace a file by a text in UTF-8 in one step, see `write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def sync_dir(directory: Path) -> None:
    """Make what was renamed or removed in a folder durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's bytes as 64 hexadecimal digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextmanager
def reporting_write_errors(name: str, directory: Path) -> Iterator[None]:
    """Raise `InputError` where the system refuses to write something below a folder."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"writing the {name} failed: {error.strerror or error}",
            facts={"file": error.filename or directory},
            help="earlier outputs are untouched; make room or correct the permissions, then run it"
            " again",
        ) from error
