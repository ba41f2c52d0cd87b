"""Members of tars that are cut, damaged, or several in one file, one after the other."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from labeling.errors import UnreadableFile
from labeling.readers.guard import PARSING_ERRORS, cause

BLOCK = 512

MAX_BREAKS = 1000
"""Times that reading resumes in one file."""

_MAGIC = slice(257, 262)
_READ_BLOCKS = 2048


class Damage(NamedTuple):
    """A part of a tar that cannot be read: its offset, ``truncated`` or ``bad_member``, and why."""

    offset: int
    reason: str
    value: str


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
        If the file does not begin as a tar does.
    """
    n_bytes = file.seek(0, 2)
    tar = _opened(path, file)
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


def _opened(path: Path, file: BinaryIO) -> tarfile.TarFile:
    file.seek(0)
    try:
        return tarfile.TarFile(fileobj=file, mode="r", encoding="utf-8")
    except PARSING_ERRORS as error:
        raise UnreadableFile(
            "a WebDataset tar is damaged, compressed or empty",
            facts={"file": path, "cause": cause(error)},
            help="create the tar again, or remove it from the folder",
        ) from error


def _read_header(
    tar: tarfile.TarFile, at: int, n_bytes: int
) -> tuple[tarfile.TarInfo | Damage, int]:
    """Return the member whose header is at an offset, and the offset after it."""
    assert tar.fileobj is not None
    tar.fileobj.seek(at)
    tar.offset = at
    try:
        member = tarfile.TarInfo.fromtarfile(tar)
    except PARSING_ERRORS as error:
        reason = "truncated" if at + BLOCK > n_bytes else "bad_member"
        return Damage(at, reason, cause(error)), at
    name = shown(member.name)
    if member.size < 0 or tar.offset <= at:
        return Damage(at, "bad_member", f"{name}: a negative size"), at
    if member.isreg() and member.offset_data + member.size > n_bytes:
        return Damage(at, "truncated", f"{name}: {member.size:,} bytes"), at
    return member, tar.offset


def _next_header(file: BinaryIO, start: int) -> int:
    """Return the offset of the next valid header at a distance of whole blocks, or of the end."""
    file.seek(start)
    while blocks := file.read(_READ_BLOCKS * BLOCK):
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
