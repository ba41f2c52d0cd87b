"""Zip files, read in place: a file in one is at ``<path>.zip#<name>``."""

from __future__ import annotations

import functools
import lzma
import os
import zipfile
import zlib
from pathlib import Path

from labeling.errors import InputError

ZIP_SUFFIX = ".zip"

_DAMAGED = (OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)
_UNREADABLE = (NotImplementedError, RuntimeError, ValueError)


def zipped_names(path: Path) -> list[str]:
    """Return the names of the files in a zip file, sorted, or raise `InputError`."""
    try:
        return sorted({info.filename for info in _open(path).infolist() if not info.is_dir()})
    except _DAMAGED as error:
        raise InputError(
            "a zip file cannot be read",
            facts={"file": path, "cause": error},
            help="create it again, or name the folder that it was made from",
        ) from error


def read_zipped(path: Path, name: str, n_bytes: int) -> bytes | None:
    """Return the first `n_bytes` of a file in a zip file; None if it cannot be read.

    No more than these are unpacked, whatever size the zip file declares.
    """
    try:
        with _open(path).open(name) as file:
            return file.read(n_bytes)
    except (KeyError, *_DAMAGED, *_UNREADABLE):
        return None


def _open(path: Path) -> zipfile.ZipFile:
    """Return an open zip file, which processes must not share: they would move its position."""
    state = path.stat()
    # Tools can set the time of the last change of a file's content, but not that of its state.
    version = (state.st_ino, state.st_size, state.st_ctime_ns)
    return _opened(path, version, os.getpid())


@functools.lru_cache(maxsize=4)
def _opened(path: Path, version: tuple[int, int, int], process: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)
