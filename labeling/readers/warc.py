"""WARC and ARC files to records, one after the other, whatever their bytes are.

A record that cannot be read is yielded as `Broken`, and reading resumes at the next byte that looks
like the beginning of one. A compressed file has a gzip member for each record, as the standard
requires (ISO 28500, annex D); the offset of a record is that of its member.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from labeling.errors import InputError
from labeling.readers.arc import NEXT_HEADER, read_arc
from labeling.readers.guard import PARSING_ERRORS
from labeling.readers.http import (
    GZIP,
    MAX_BYTES,
    Broken,
    Head,
    Record,
    Wanted,
    content_type,
    decoded,
)

ARCHIVE_SUFFIXES = (".warc", ".warc.gz", ".arc", ".arc.gz")

MAX_BREAKS = 1000
"""Times that reading resumes in one file."""

_WARC = re.compile(rb"WARC/")
_GZIP_MEMBER = re.compile(re.escape(GZIP))
_LONGEST_MARKER = 8 << 10
_SWALLOWED = b"\r\n\r\nWARC/"

_Item = TypeVar("_Item")
_Run = Generator[_Item | Broken, None, int | None]


def read_records(path: Path, wanted: Wanted, start: int = 0) -> Iterator[Record | Broken]:
    """Read the responses of an archive.

    Parameters
    ----------
    path
        A file with one of `ARCHIVE_SUFFIXES`.
    wanted
        Decides by the header; other responses are left out, but redirects are yielded without body.
    start
        Offset of the first record.

    Yields
    ------
    Record or Broken
        In the order of the file.

    Raises
    ------
    InputError
        If the file cannot be opened.
    """
    if path.name.lower().endswith((".arc", ".arc.gz")):
        return _runs(path, functools.partial(read_arc, wanted=wanted), start, NEXT_HEADER)
    return read_warc(path, functools.partial(_read_warc, wanted=wanted), start)


def read_warc(
    path: Path, read: Callable[[WarcRecord], _Item | Broken | None], start: int = 0
) -> Iterator[_Item | Broken]:
    """Read a WARC file by a function of its records; None leaves a record out.

    A record that the function returns as ``truncated`` is a break: reading resumes after it, at the
    next byte that looks like the beginning of a record. The rest is as for `read_records`.
    """
    return _runs(path, functools.partial(_warc_run, read=read), start, _WARC)


def _runs(
    path: Path,
    run: Callable[[BinaryIO, int, bool], _Run[_Item]],
    start: int,
    beginning: re.Pattern[bytes],
) -> Iterator[_Item | Broken]:
    """Read up to a break, and again from the next byte that may be the beginning of a record."""
    try:
        with path.open("rb") as file:
            compressed = file.read(len(GZIP)) == GZIP
            for _ in range(MAX_BREAKS):
                broke = yield from run(file, start, compressed)
                marker = _GZIP_MEMBER if compressed else beginning
                resumed = None if broke is None else _next_start(file, broke, marker)
                if resumed is None:
                    return
                start = resumed
            yield Broken(start, "truncated", f"more than {MAX_BREAKS} breaks, the rest is not read")
    except OSError as error:
        raise InputError(
            "an archive cannot be read", facts={"file": path, "cause": error}
        ) from error


def _next_start(file: BinaryIO, after: int, marker: re.Pattern[bytes]) -> int | None:
    """Return the offset after another at which the next record may begin, or None."""
    file.seek(after + 1)
    position, tail = after + 1, b""
    while block := file.read(1 << 20):
        beginning = marker.search(tail + block)
        if beginning is not None:
            return position - len(tail) + beginning.start()
        position += len(block)
        tail = (tail + block)[-_LONGEST_MARKER:]
    return None


def _warc_run(
    file: BinaryIO,
    start: int,
    compressed: bool,
    read: Callable[[WarcRecord], _Item | Broken | None],
) -> _Run[_Item]:
    """Read records up to the first break; return its offset."""
    file.seek(start)
    n_read, last, shared = 0, start, False
    try:
        for record in ArchiveIterator(file, parse_http=False):
            offset = record.stream_pos
            if compressed and n_read and not shared and not _begins_member(file, offset, last):
                shared = True
                yield Broken(offset, "shared_member", "records share a gzip member")
            n_read, last = n_read + 1, offset
            oversized = record.content_length > MAX_BYTES
            item = read(record)
            if item is not None:
                yield item
            is_cut = isinstance(item, Broken) and item.reason == "truncated"
            if is_cut or (oversized and compressed):
                return last
    except (OSError, *PARSING_ERRORS) as error:
        if n_read or start == 0:
            yield Broken(last, "truncated", str(error))
        return last
    return None


def _begins_member(file: BinaryIO, offset: int, last: int) -> bool:
    return offset > last and os.pread(file.fileno(), len(GZIP), offset) == GZIP


def _read_warc(record: WarcRecord, wanted: Wanted) -> Record | Broken | None:
    offset, length = record.stream_pos, record.content_length
    url = (record.headers.get("WARC-Target-URI") or "").strip("<>")
    oversized = length > MAX_BYTES
    if record.headers.get("Content-Length") is None:
        return Broken(offset, "truncated", url)
    is_resource = record.record_type == WarcRecordType.resource
    is_response = record.record_type == WarcRecordType.response and record.is_http
    if not (is_resource or is_response):
        whole = oversized or record.consume() == length
        return None if whole else Broken(offset, "truncated", url)
    if is_resource:
        head = Head(200, *content_type(record.headers.get("Content-Type")))
    else:
        try:
            record.parse_http()
            head = _head(record)
        except (OSError, *PARSING_ERRORS) as error:
            return Broken(offset, "bad_record", f"{url}: {error}")
    if oversized:
        return Broken(offset, "too_large", url) if wanted(head.status, head.mime) else None
    length = record.content_length
    stored = record.reader.read()
    if len(stored) < length or _SWALLOWED in stored:
        return Broken(offset, "truncated", url)
    return decoded(offset, url, head, stored, wanted)


def _head(record: WarcRecord) -> Head:
    get = record.http_headers.get
    return Head(
        record.http_headers.status_code or 0,
        *content_type(get("Content-Type")),
        get("Location"),
        [get("Transfer-Encoding") or "", get("Content-Encoding") or ""],
    )
