"""Web archives as files: on the disk, or members of a WACZ, whose names are ``x.wacz#<member>``."""

from __future__ import annotations

import io
import os
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from fastwarc.stream_io import ZstdReader

from labeling.errors import InputError
from labeling.objects.object_file import ObjectFile
from labeling.objects.paths import open_raw, path_of
from labeling.readers.listing import RECORD_SUFFIXES, WACZ_SUFFIX
from labeling.readers.web_archives.codings import GZIP, MAX_BYTES
from labeling.readers.zips import open_member, passed_over, zipped_names

_ZSTD, _DICTIONARY = b"\x28\xb5\x2f\xfd", b"\x5d\x2a\x4d\x18"
_BLOCK = 64 * 1024
_MEMBER_BYTES = MAX_BYTES + _BLOCK
_MEMBER = re.compile(r"(.+?\.wacz)#(.+)", re.DOTALL | re.IGNORECASE)


def archives_in(path: Path, name: str) -> tuple[list[tuple[Path, str]], str]:
    """Return the paths and names of the archives in a WACZ; of another file, its own.

    The second result is the problem of a WACZ that holds none or cannot be read, else empty.

    Raises
    ------
    InputError
        If there is no such file.
    """
    if not path.name.lower().endswith(WACZ_SUFFIX):
        return [(path, name)], ""
    try:
        members = [m for m in zipped_names(path) if m.lower().endswith(RECORD_SUFFIXES)]
    except InputError as error:
        if not path.is_file():
            raise
        return [], str(error.facts["cause"])
    archives = [(path_of(f"{path}#{m}"), f"{name}#{m}") for m in members]
    return archives, "" if archives else f"no member ends with {', '.join(RECORD_SUFFIXES)}"


def other_members(path: Path) -> dict[str, int]:
    """Return the numbers of files in a WACZ that are not read, by ending; empty for other files."""
    if not path.name.lower().endswith(WACZ_SUFFIX):
        return {}
    try:
        names = [name for name in zipped_names(path) if not name.lower().endswith(RECORD_SUFFIXES)]
        reasons = [reason for _, reason in passed_over(path)]
    except InputError:  # is a reject of its own
        return {}
    endings = [PurePosixPath(name).suffix.lower() or "without ending" for name in names]
    return Counter(endings + reasons)


def open_archive(path: Path) -> Window:
    """Return the bytes of an archive.

    Raises
    ------
    OSError
        If there is no such file.
    BadZipFile
        If the member of a WACZ is missing or cannot be unpacked.
    """
    member = None if path.is_file() else _MEMBER.fullmatch(str(path))
    if member is not None and path_of(member[1]).is_file():
        return Window(*open_member(path_of(member[1]), member[2]))
    if not path.is_file():  # a pipe would block
        raise FileNotFoundError(f"no file {path.name}")
    return Window(open_raw(path), 0, path.stat().st_size)


def gzip_members(file: Window, start: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield the offset and the content of each gzip member; None if it is damaged or cut.

    Of a member larger than a record the first `_MEMBER_BYTES` are the last that is yielded. Zeros
    at the end of the file are left out.
    """
    offset: int | None = start
    while offset is not None and offset < file.n_bytes:
        content, end = _gzip_member(file, offset)
        if content is None and _only_zeros(file, offset):
            return
        yield offset, content
        offset = end


def ends_in_zeros(file: Window, start: int) -> bool:
    """Return whether only zeros follow the gzip member at an offset, as tapes and copies add."""
    _, end = _gzip_member(file, start)
    return end is not None and _only_zeros(file, end)


def _gzip_member(file: Window, offset: int) -> tuple[bytes | None, int | None]:
    """Return the content of a member, None if it is damaged or cut, and its end if it was read."""
    file.seek(offset)
    waiting = file.read(_BLOCK)
    member = zlib.decompressobj(wbits=31)
    content, n_read = bytearray(), 0
    try:
        while waiting and not member.eof and len(content) <= _MEMBER_BYTES:
            content += member.decompress(waiting, _MEMBER_BYTES + 1 - len(content))
            n_read += len(waiting)
            waiting = member.unconsumed_tail or file.read(_BLOCK)
            n_read -= len(member.unconsumed_tail)
    except zlib.error:
        return None, None
    if member.eof:
        return bytes(content), offset + n_read - len(member.unused_data)
    # Without its end a member has no checksum: what it unpacks to may be damaged.
    return (None if len(content) <= _MEMBER_BYTES else bytes(content)), None


def _only_zeros(file: Window, offset: int) -> bool:
    file.seek(offset)
    return not any(block.strip(b"\0") for block in iter(lambda: file.read(_BLOCK), b""))


def frames(file: Window, start: int, coding: Coding) -> Iterator[tuple[int, bytes | None]]:
    """Yield the offset and the content of each Zstandard frame; None if it is damaged.

    Of a frame larger than a record the first `_MEMBER_BYTES` are the last that is yielded.
    """
    offset = max(start, coding.start)
    while offset < file.n_bytes:
        end = _frame_end(file, offset)
        if end is None:
            yield offset, None
            return
        frame = io.BytesIO(file.read_at(offset, min(end - offset, _MEMBER_BYTES)))
        try:
            content = ZstdReader(frame, dictionary=coding.dictionary).read(_MEMBER_BYTES + 1)
        except OSError:
            yield offset, None
            return
        yield offset, content
        if len(content) > _MEMBER_BYTES:
            return
        offset = end


def _frame_end(file: Window, offset: int) -> int | None:
    """Return where a frame ends (RFC 8878, section 3.1.1); None if it is cut or missing."""
    head = file.read_at(offset, 6)
    if not head.startswith(_ZSTD) or len(head) < 6:
        return None
    flags = head[4]
    is_single = flags >> 5 & 1
    n_content = (is_single, 2, 4, 8)[flags >> 6]
    offset += 5 + (1 - is_single) + (0, 1, 2, 4)[flags & 3] + n_content
    is_last = 0
    while not is_last and offset < file.n_bytes:
        block = int.from_bytes(file.read_at(offset, 3), "little")
        is_last, is_repeated = block & 1, block >> 1 & 3 == 1
        offset += 3 + (1 if is_repeated else block >> 3)
    offset += 4 * (flags >> 2 & 1)
    return offset if is_last and offset <= file.n_bytes else None


class BadDictionary(ValueError):
    """A dictionary of Zstandard frames that is too large or damaged, so that none can be read."""


class Coding(NamedTuple):
    """The bytes that each member of a compressed file begins with, and what they are read with.

    ``start`` is where the first member begins, after the dictionary.
    """

    magic: bytes = b""
    dictionary: bytes | None = None
    start: int = 0


def coding_of(file: Window) -> Coding:
    """Return how an archive is compressed, by its first bytes.

    Raises
    ------
    BadDictionary
        If it begins with a dictionary that cannot be used.
    """
    head = file.read_at(0, 8)
    if not head.startswith(_DICTIONARY):
        return Coding(next((magic for magic in (GZIP, _ZSTD) if head.startswith(magic)), b""))
    n_bytes = int.from_bytes(head[4:], "little")
    content = file.read_at(8, min(n_bytes, MAX_BYTES))
    try:
        if content.startswith(_ZSTD):
            content = ZstdReader(io.BytesIO(content)).read(MAX_BYTES + 1)
        ZstdReader(io.BytesIO(), dictionary=content)
    except OSError as error:
        raise BadDictionary(str(error)) from error
    except BaseException as error:
        # FastWARC 2.0 panics for a damaged dictionary; the class of that cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise BadDictionary("a damaged dictionary") from error
    if max(n_bytes, len(content)) > MAX_BYTES:
        raise BadDictionary(f"a dictionary of more than {MAX_BYTES} bytes")
    return Coding(_ZSTD, content, 8 + n_bytes)


class Window(io.RawIOBase):
    """Some bytes of a file, read like a file of their own."""

    def __init__(self, file: io.FileIO | ObjectFile, start: int, n_bytes: int) -> None:
        self._file = file
        self._start = start
        self._position = 0
        self.n_bytes = n_bytes

    def read_at(self, offset: int, n_bytes: int) -> bytes:
        """Return the bytes from an offset on; the position stays."""
        n_bytes = max(0, min(n_bytes, self.n_bytes - offset))
        if isinstance(self._file, ObjectFile):
            return self._file.read_at(self._start + offset, n_bytes)
        return os.pread(self._file.fileno(), n_bytes, self._start + offset)

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes, and return how many these are."""
        content = self.read_at(self._position, len(buffer))
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position, and return it."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.n_bytes}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
