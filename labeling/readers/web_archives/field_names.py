"""WARC records whose fields have names in another case than usual, or lines that end with LF alone.

The standard ignores the case of names such as ``content-length`` (ISO 28500, section 4), and some
tools write LF, but FastWARC 2.0 knows type and length of a record by the usual names and CRLF
alone. Records are read one by one here, with names and ends of lines put right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from labeling.readers.web_archives.archive_files import Coding, Window, frames, gzip_members
from labeling.readers.web_archives.codings import GZIP, MAX_BYTES
from labeling.readers.web_archives.http import MAX_HEAD

_UNKNOWN = (WarcRecordType.no_type, WarcRecordType.unknown)
_USUAL = {name.lower(): name for name in (b"WARC-Type", b"Content-Length", b"Content-Type")}
_NAME = re.compile(rb"^(WARC-Type|Content-Length|Content-Type)(?=:)", re.IGNORECASE | re.MULTILINE)
_HEAD = re.compile(rb"\s*WARC/\d[^\n]*\n(?:[^\r\n][^\n]*\n)*+\r?\n")
_LINE_FEED = re.compile(rb"\r?\n")
_LENGTH = re.compile(rb"^Content-Length:\s*(\d{1,15})\s*$", re.IGNORECASE | re.MULTILINE)


def has_other_names(record: WarcRecord) -> bool:
    """Return whether FastWARC does not know the type or the length of a record by its header."""
    if record.record_type not in _UNKNOWN and record.content_length:
        return False
    fields = list(record.headers.items())
    if any("\n" in value for _, value in fields):
        return True
    names = {name.lower(): name for name, _ in fields}
    return any(names.get(name.lower(), name) != name for name in ("WARC-Type", "Content-Length"))


def records_of_any_names(
    file: Window, start: int, coding: Coding
) -> Iterator[tuple[int, WarcRecord | None, bytes]]:
    """Yield the offset of each record from another on, the record, and bytes that follow it.

    Parameters
    ----------
    file, coding
        An archive, and how it is compressed.
    start
        Offset of the first record.

    Yields
    ------
    offset, record, rest
        None for the record, after which reading ends, if it cannot be read. A record of more than
        `MAX_BYTES` is cut there. There is a rest only within a member or frame.
    """
    for offset, content in _members(file, start, coding):
        head = _HEAD.match(content or b"")
        length = _LENGTH.search(head[0]) if head else None
        if content is None or head is None or length is None:
            yield offset, None, b""
            return
        end = head.end() + int(length[1])
        usual = _NAME.sub(lambda name: _USUAL[name[1].lower()], head[0])
        usual = _LINE_FEED.sub(b"\r\n", usual)
        yield offset, _first_record(usual + content[head.end() : end]), content[end:]


def _members(file: Window, start: int, coding: Coding) -> Iterator[tuple[int, bytes | None]]:
    if not coding.magic:
        return _entries(file, start)
    return gzip_members(file, start) if coding.magic == GZIP else frames(file, start, coding)


def _first_record(content: bytes) -> WarcRecord | None:
    try:
        return next(iter(ArchiveIterator(BytesIO(content), parse_http=False)), None)
    except OSError:
        return None


def _entries(file: Window, start: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield the offset and the bytes of each record of an archive without compression."""
    offset = start
    while first_bytes := file.read_at(offset, MAX_HEAD):
        blanks = len(first_bytes) - len(first_bytes.lstrip())
        if blanks:
            offset += blanks
            continue
        head = _HEAD.match(first_bytes)
        length = _LENGTH.search(head[0]) if head else None
        if head is None or length is None:
            yield offset, None
            return
        n_bytes = head.end() + int(length[1])
        yield offset, file.read_at(offset, min(n_bytes, head.end() + MAX_BYTES))
        offset += n_bytes
