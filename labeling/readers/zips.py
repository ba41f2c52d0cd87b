"""Zip files, read in place: a file in one is at ``<path>.zip#<name>``."""

from __future__ import annotations

import functools
import mmap
import os
import struct
import tempfile
import threading
import zipfile
from collections import Counter
from io import FileIO
from pathlib import Path
from typing import IO, TypeAlias, cast

from labeling.errors import InputError
from labeling.objects.client import Facts
from labeling.objects.object_file import ObjectFile
from labeling.objects.paths import ObjectPath, open_raw
from labeling.readers.folders import HIDDEN, is_hidden
from labeling.readers.guard import PARSING_ERRORS, cause
from labeling.substitutes import substitute_at

ZIP_SUFFIX = ".zip"

MAX_UNPACKED = 1 << 30
"""Bytes of a compressed member that are unpacked into a temporary file."""

_UNKNOWN_METHOD, _UTF8_NAME, _ENCRYPTED = 99, 0x800, 0x1
_WINDOWS = (0, 10)  # MS-DOS and NTFS
_MAX_END_RECORDS = 76
"""Bytes of the records of zip64 between the directory of a file and the record of its end."""

_UNREADABLE = (OSError, RuntimeError, *PARSING_ERRORS)
"""`zipfile` raises RuntimeError for an encrypted file."""


def zipped_names(path: Path) -> list[str]:
    """Return the names of the files in a zip file without hidden ones, sorted.

    Raises
    ------
    InputError
        If the zip file cannot be read.
    """
    return sorted({name for name in _names(path) if not is_hidden(name.split("/"))})


def passed_over(path: Path) -> list[tuple[str, str]]:
    """Return the files in a zip file that are not read, each with the reason.

    They are hidden, such as ``__MACOSX/._x``, or have the name of another after them.
    """
    hidden = [(name, HIDDEN) for name in _names(path) if is_hidden(name.split("/"))]
    counted = Counter(_names(path)) - Counter([*zipped_names(path), *(name for name, _ in hidden)])
    return hidden + [(name, "duplicate name") for name in counted.elements()]


def is_encrypted(path: Path, name: str) -> bool:
    """Return whether a file in a zip file is encrypted."""
    return bool(_open(path).getinfo(name).flag_bits & _ENCRYPTED)


def _names(path: Path) -> list[str]:
    try:
        # `is_dir` of Python 3.11 fails for an empty name.
        infos = [info for info in _open(path).infolist() if info.filename]
        return [info.filename for info in infos if not info.is_dir()]
    except (OSError, *PARSING_ERRORS) as error:
        instead = substitute_at(path)
        remedy = "create it again, or name the folder that it was made from"
        raise InputError(
            "a zip file cannot be read",
            facts={"file": path, "cause": f"it is {instead.kind}" if instead else error},
            help=instead.remedy if instead else remedy,
        ) from error


def read_zipped(path: Path, name: str, n_bytes: int) -> bytes | None:
    """Return the first `n_bytes` of a file in a zip file; None if it cannot be read.

    No more than these are unpacked, whatever size the zip file declares.
    """
    try:
        with _open(path).open(name) as file:
            return file.read(n_bytes)
    except (KeyError, *_UNREADABLE):
        return None


def open_member(path: Path, name: str) -> tuple[FileIO | ObjectFile, int, int]:
    """Return an open file with the content of a member, where it begins in it, and its size.

    That is the zip file itself, or for a compressed member a temporary file, of which the last two
    of this process are kept. It has no more than `MAX_UNPACKED` bytes, and ends at any damage.

    Raises
    ------
    BadZipFile
        If the member is missing or encrypted, or its header damaged.
    """
    try:
        info = _open(path).getinfo(name)
        with _open(path).open(name):  # compares its header with the directory
            pass
    except (KeyError, *_UNREADABLE) as error:
        raise zipfile.BadZipFile(cause(error)) from error
    if info.compress_type != zipfile.ZIP_STORED:
        with _UNPACKING:
            unpacked = _unpacked(path, name, _version(path), os.getpid())
        n_bytes = os.fstat(unpacked.descriptor).st_size
        return FileIO(os.dup(unpacked.descriptor)), 0, n_bytes
    file = open_raw(path)
    file.seek(info.header_offset + 26)
    n_name, n_extra = struct.unpack("<HH", file.read(4))
    return file, info.header_offset + 30 + n_name + n_extra, info.file_size


_UNPACKING = threading.Lock()
"""Held while a member is unpacked, which several threads that read its images would do each."""


class _Unpacked:
    """A temporary file, which is closed when it leaves the cache."""

    def __init__(self) -> None:
        with tempfile.TemporaryFile(prefix="winnow-") as file:
            self.descriptor = os.dup(file.fileno())

    def __del__(self) -> None:
        os.close(self.descriptor)


@functools.lru_cache(maxsize=2)
def _unpacked(path: Path, name: str, version: _Version, process: int) -> _Unpacked:
    unpacked = _Unpacked()
    try:
        with _open(path).open(name) as file, open(unpacked.descriptor, "wb", closefd=False) as out:
            while out.tell() < MAX_UNPACKED and (block := file.read(1 << 20)):
                out.write(block)
    except PARSING_ERRORS:
        pass
    return unpacked


_Version: TypeAlias = tuple[int, int, int] | Facts


def _version(path: Path) -> _Version:
    if isinstance(path, ObjectPath):
        return path.facts
    state = path.stat()
    # Tools can set the time of the last change of a file's content, but not that of its state.
    return state.st_ino, state.st_size, state.st_ctime_ns


def _open(path: Path) -> zipfile.ZipFile:
    """Return an open zip file, which processes must not share: they would move its position."""
    return _opened(path, _version(path), os.getpid())


@functools.lru_cache(maxsize=4)
def _opened(path: Path, version: _Version, process: int) -> zipfile.ZipFile:
    try:
        # `zipfile` closes only what it opens itself, as what is not an object should be.
        source = open_raw(path) if isinstance(path, ObjectPath) else path
        file = zipfile.ZipFile(cast(IO[bytes], source))
    except (NotImplementedError, UnicodeDecodeError):
        file = zipfile.ZipFile(cast(IO[bytes], _without_refused_members(path)))
    for info in file.infolist():
        # Programs for Windows write backslashes, against the standard (section 4.4.17.1).
        if info.create_system in _WINDOWS and "\\" in info.filename:
            info.filename = info.filename.replace("\\", "/")
            file.NameToInfo[info.filename] = info
    return file


class _Mapped(mmap.mmap):
    """A private copy of a file's bytes, which can be changed."""

    def seekable(self) -> bool:
        return True


def _without_refused_members(path: Path) -> _Mapped:
    """Return a zip file in whose directory no member keeps `zipfile` from reading the others.

    One that needs a later version of the format gets an unknown method of compression, so that only
    itself cannot be read; a name that is not UTF-8 is read as code page 437.
    """
    with path.open("rb") as file:
        if isinstance(path, ObjectPath):
            content = _Mapped(-1, path.facts.n_bytes)
            content[:] = file.read()
        else:
            content = _Mapped(file.fileno(), 0, access=mmap.ACCESS_COPY)
    end = content.rfind(b"PK\x05\x06")
    size, _ = struct.unpack_from("<LL", content, end + 12)
    at = content.find(b"PK\x01\x02", max(0, end - size - _MAX_END_RECORDS))
    while 0 <= at < end and content[at : at + 4] == b"PK\x01\x02":
        (version,), (flags,) = (struct.unpack_from("<H", content, at + n) for n in (6, 8))
        n_name, n_extra, n_comment = struct.unpack_from("<HHH", content, at + 28)
        name = content[at + 46 : at + 46 + n_name]
        if version > zipfile.MAX_EXTRACT_VERSION:
            struct.pack_into("<H", content, at + 6, 20)
            struct.pack_into("<H", content, at + 10, _UNKNOWN_METHOD)
        if flags & _UTF8_NAME and "\ufffd" in name.decode("utf-8", "replace"):
            struct.pack_into("<H", content, at + 8, flags & ~_UTF8_NAME)
        at += 46 + n_name + n_extra + n_comment
    return content
