"""Files that are whole or missing, also after a loss of power, and digests of files."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from labeling.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a disk without room."""


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
    """Replace a file by some bytes in one step: readers see the old ones or the new.

    Raises
    ------
    InputError
        If the disk is full.
    """
    try:
        with writing(path) as handle:
            handle.write(content)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise write_error(path.name, path, error, len(content)) from error


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
def reporting_write_errors(
    name: str, directory: Path, bytes_needed: Callable[[], int] = int
) -> Iterator[None]:
    """Raise `InputError` where the system refuses to write something below a folder.

    Parameters
    ----------
    name, directory
        The thing that is written, and its folder, for the message.
    bytes_needed
        Returns about how many bytes it needs, for a disk that is full; 0 where nobody knows.
    """
    try:
        yield
    except OSError as error:
        if (interrupt := _interrupt_before(error)) is not None:
            raise interrupt from error
        raise write_error(name, directory, error, bytes_needed()) from error


def _interrupt_before(error: BaseException) -> KeyboardInterrupt | None:
    """Return the interrupt in whose clean-up an error arose, such as a file closed twice."""
    before = error.__context__
    if before is None or isinstance(before, KeyboardInterrupt):
        return before
    return _interrupt_before(before)


def write_error(name: str, path: Path, error: OSError, n_needed: int = 0) -> InputError:
    """Return the error for something that cannot be written; of a full disk with its room."""
    facts: dict[str, object] = {"file": error.filename or path}
    if error.errno in FULL:
        folder = next(parent for parent in (path, *path.absolute().parents) if parent.is_dir())
        facts["free bytes"] = f"{shutil.disk_usage(folder).free:,}"
        if n_needed:
            facts["needed bytes"] = f"about {n_needed:,}"
    return InputError(
        f"writing the {name} failed: {error.strerror or error}",
        facts=facts,
        help="earlier outputs are untouched; make room or correct the permissions, then run it"
        " again",
    )
