"""Members of tars that are cut, damaged, or several in one file, one after the other."""

from __future__ import annotations

import io
import math
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

from labeling.errors import UnreadableFile
from labeling.readers.guard import PARSING_ERRORS, cause
from labeling.substitutes import substitute

BLOCK = 512

MAX_BREAKS = 1000
"""Times that reading resumes in one file."""

MAX_EXTENDED = 1 << 20
"""Bytes of a header of pax or of a long name of GNU tar, which is read whole."""

MAX_START = 64 << 20
"""Bytes in which a file with a damaged beginning has a header, if it is a tar."""

_EXTENDED = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
_MAGIC = slice(257, 262)
_READ_BLOCKS = 2048


class Damage(NamedTuple):
    """A part of a tar that cannot be read: its offset, ``truncated`` or ``bad_member``, and why."""

    offset: int
    reason: str
    value: str


class _Header(tarfile.TarInfo):
    """A header; one of pax or GNU tar that would fill the memory is invalid."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type in _EXTENDED and header.size > MAX_EXTENDED:
            raise tarfile.HeaderError(f"a header of {header.size:,} bytes")
        return header


class NextTar(NamedTuple):
    """The beginning of a further tar in the same file."""

    offset: int


def tar_members(path: Path, file: BinaryIO) -> Iterator[tarfile.TarInfo | Damage | NextTar]:
    """Read the headers of a tar, and of others that follow it in the same file.

    `tarfile` stops at a damaged header, and at a cut between two members, as at the end of a file.
    Here the first is a `Damage` after which reading resumes at the next header; a file that does
    not end with a block of zeros is ``truncated``.

    Parameters
    ----------
    path, file
        The tar, uncompressed, and the open file, whose position changes.

    Yields
    ------
    TarInfo, Damage or NextTar
        Members with all their bytes, in the order of the file.

    Raises
    ------
    UnreadableFile
        If the file neither begins as a tar does nor has a header in its first `MAX_START` bytes.
    """
    n_bytes = file.seek(0, 2)
    tar = _opened(path, file, n_bytes)
    at, is_ended, n_breaks = 0, False, 0
    while at < n_bytes and n_breaks < MAX_BREAKS:
        file.seek(at)
        if not file.read(BLOCK).strip(b"\0"):
            at, is_ended = at + BLOCK, True
            continue
        if is_ended:
            yield NextTar(at)
        is_ended = False
        item, after = _read_header(tar, at, n_bytes)
        if isinstance(item, Damage):
            n_breaks += 1
            after = _next_header(file, at + BLOCK)
            is_ended = after >= n_bytes  # as far as that can be known
            item = item if is_ended else item._replace(reason="bad_member")
        yield item
        at = after
    if n_breaks == MAX_BREAKS:
        yield Damage(at, "truncated", f"more than {MAX_BREAKS} breaks, the rest is not read")
    elif not is_ended:
        yield Damage(n_bytes, "truncated", "no block of zeros at the end")


def _opened(path: Path, file: BinaryIO, n_bytes: int) -> tarfile.TarFile:
    # Of a file, `TarFile` would refuse one whose first header is damaged.
    tar = tarfile.TarFile(fileobj=io.BytesIO(bytes(2 * BLOCK)), encoding="utf-8")
    tar.fileobj = file
    file.seek(0)
    start = file.read(BLOCK)
    if len(start) == BLOCK and not start.strip(b"\0"):
        return tar
    try:
        tar.offset = file.seek(0)
        _Header.fromtarfile(tar)
    except PARSING_ERRORS as error:
        if _next_header(file, BLOCK, MAX_START) < min(n_bytes, MAX_START):
            return tar
        instead = substitute(start)
        raise UnreadableFile(
            "a WebDataset tar is damaged, compressed or empty",
            facts={"file": path, "cause": f"it is {instead.kind}" if instead else cause(error)},
            help=instead.remedy if instead else "create it again, or remove it from the folder",
        ) from error
    return tar


def _read_header(
    tar: tarfile.TarFile, at: int, n_bytes: int
) -> tuple[tarfile.TarInfo | Damage, int]:
    """Return the member whose header is at an offset, and the offset after it."""
    assert tar.fileobj is not None
    tar.fileobj.seek(at)
    tar.offset = at
    try:
        member = _Header.fromtarfile(tar)
    except PARSING_ERRORS as error:
        reason = "truncated" if at + BLOCK > n_bytes else "bad_member"
        return Damage(at, reason, cause(error)), at
    name = shown(member.name)
    if member.size < 0 or tar.offset <= at:
        return Damage(at, "bad_member", f"{name}: a negative size"), at
    if member.isreg() and member.offset_data + member.size > n_bytes:
        return Damage(at, "truncated", f"{name}: {member.size:,} bytes"), at
    return member, tar.offset


def _next_header(file: BinaryIO, start: int, end: float = math.inf) -> int:
    """Return the offset of the next valid header at a distance of whole blocks, or of the end."""
    file.seek(start)
    while start < end and (blocks := file.read(_READ_BLOCKS * BLOCK)):
        for n in range(0, len(blocks), BLOCK):
            block = blocks[n : n + BLOCK]
            if block[_MAGIC] == b"ustar" and _is_header(block):
                return start + n
        start += len(blocks)
    return start


def _is_header(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except PARSING_ERRORS:
        return False
    return True


def shown(name: str) -> str:
    r"""Return the name of a member as text: bytes that are not UTF-8 become ``\xe9``.

    Examples
    --------
    >>> print(shown("caf\udce9.txt"))
    caf\xe9.txt
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
