"""WARC and ARC files to records, one after the other, whatever their bytes are.

A record that cannot be read is yielded as `Broken`, and reading resumes at the next byte that looks
like the beginning of one. A compressed file has a gzip member for each record, as the standard
requires (ISO 28500, annex D), or a Zstandard frame
(https://iipc.github.io/warc-specifications/specifications/warc-zstd/), of a dictionary that the
file begins with. The offset of a record is that of its member or frame.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar
from zipfile import BadZipFile

from fastwarc.stream_io import ZstdReader
from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from labeling.errors import InputError
from labeling.keys.urls import is_url
from labeling.readers.guard import PARSING_ERRORS, cause
from labeling.readers.media_types import N_SNIFFED
from labeling.readers.web_archives.arc import NEXT_HEADER, read_arc
from labeling.readers.web_archives.archive_files import (
    BadDictionary,
    Coding,
    Window,
    coding_of,
    ends_in_zeros,
    open_archive,
)
from labeling.readers.web_archives.codings import GZIP, MAX_BYTES
from labeling.readers.web_archives.field_names import (
    has_other_names,
    records_of_any_names,
)
from labeling.readers.web_archives.http import (
    MAX_HEAD,
    Broken,
    Head,
    Origin,
    Record,
    Unused,
    Wanted,
    content_type,
    decoded,
    parse_head,
    read_response,
)
from labeling.substitutes import N_START, substitute

MAX_BREAKS = 1000
"""Times that reading resumes in one file."""

_WARC = re.compile(rb"WARC/")
_LONGEST_MARKER = 8 << 10
_SWALLOWED = b"\r\n\r\nWARC/"

_Item = TypeVar("_Item")
_Run = Generator[_Item | Broken, None, int | None]
_Start = Callable[[Window, int, Coding], _Run[_Item]]
"""Reads records from an offset up to a break."""


def read_records(path: Path, wanted: Wanted, start: int = 0) -> Iterator[Record | Unused | Broken]:
    """Read the responses of an archive.

    Parameters
    ----------
    path
        An archive, as `labeling.readers.web_archives.archive_files.archives_in` returns it.
    wanted
        Decides by the header; other responses are `Unused`, but redirects are yielded without body.
    start
        Offset of the first record.

    Yields
    ------
    Record, Unused or Broken
        One or more of each record, in the order of the file.

    Raises
    ------
    InputError
        If the file cannot be opened.
    """
    if path.name.lower().endswith((".arc", ".arc.gz")):
        return _runs(path, functools.partial(read_arc, wanted=wanted), start, NEXT_HEADER)
    return read_warc(path, functools.partial(_read_warc, wanted=wanted), start)


def read_warc(
    path: Path, read: Callable[[WarcRecord, int], _Item], start: int = 0
) -> Iterator[_Item | Broken]:
    """Read a WARC file by a function of its records and their offsets.

    A record that the function returns as ``truncated`` is a break: reading resumes after it, at the
    next byte that looks like the beginning of a record. The rest is as for `read_records`.
    """
    return _runs(path, functools.partial(_warc_run, read=read), start, _WARC)


def _runs(
    path: Path, run: _Start[_Item], start: int, beginning: re.Pattern[bytes]
) -> Iterator[_Item | Broken]:
    """Read up to a break, and again from the next byte that may be the beginning of a record."""
    try:
        with open_archive(path) as file:
            instead = substitute(file.read_at(0, N_START)) if start == 0 else None
            if instead is not None:
                yield Broken(0, "truncated", f"it is {instead.kind}")
                return
            coding = coding_of(file)
            marker = re.compile(re.escape(coding.magic)) if coding.magic else beginning
            for _ in range(MAX_BREAKS):
                broke = yield from run(file, start, coding)
                resumed = None if broke is None else _next_start(file, broke, marker)
                if resumed is None:
                    return
                start = resumed
            yield Broken(start, "truncated", f"more than {MAX_BREAKS} breaks, the rest is not read")
    except (BadZipFile, BadDictionary) as error:
        yield Broken(0, "truncated", cause(error))
    except OSError as error:
        raise InputError(
            "an archive cannot be read",
            facts={"file": path, "cause": error},
            help="check its path and its permissions",
        ) from error


def _next_start(file: Window, after: int, marker: re.Pattern[bytes]) -> int | None:
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
    file: Window,
    start: int,
    coding: Coding,
    read: Callable[[WarcRecord, int], _Item],
) -> _Run[_Item]:
    """Read records up to the first break; return its offset."""
    n_read, last, shared, magic = 0, start, False, coding.magic
    try:
        for record in _iterator(file, start, coding):
            offset = record.stream_pos
            if has_other_names(record):
                return (yield from _run_of_any_names(file, offset, coding, read))
            if magic and n_read and not shared and not _begins_member(file, offset, last, magic):
                shared = True
                yield Broken(offset, "shared_member", "records share a gzip member")
            n_read, last = n_read + 1, offset
            oversized = record.content_length > MAX_BYTES
            item = read(record, offset)
            yield item
            if _is_cut(item) or (oversized and magic):
                return last
    except (OSError, *PARSING_ERRORS) as error:
        if n_read and magic == GZIP and ends_in_zeros(file, last):
            return None
        if n_read or start == 0:
            yield Broken(last, "truncated", str(error))
        return last
    if not n_read and start == 0:
        yield Broken(0, "truncated", "no record")
    return None


def _run_of_any_names(
    file: Window, start: int, coding: Coding, read: Callable[[WarcRecord, int], _Item]
) -> _Run[_Item]:
    """Read as `_warc_run` does, whatever case the names of fields have."""
    for offset, record, rest in records_of_any_names(file, start, coding):
        if record is None:
            yield Broken(offset, "truncated", "no WARC record")
            return offset
        item = read(record, offset)
        yield item
        if _is_cut(item) or record.content_length > MAX_BYTES:
            return offset
        if rest.strip():
            yield Broken(offset, "shared_member", "records after the first are not read")
    return None


def _is_cut(item: object) -> bool:
    return isinstance(item, Broken) and item.reason == "truncated"


def _iterator(file: Window, start: int, coding: Coding) -> ArchiveIterator:
    file.seek(max(start, coding.start))
    if coding.dictionary is None:
        return ArchiveIterator(file, parse_http=False)
    frames = ZstdReader(file, dictionary=coding.dictionary)
    return ArchiveIterator(frames, parse_http=False, stream_detect=False)


def _begins_member(file: Window, offset: int, last: int, magic: bytes) -> bool:
    return offset > last and file.read_at(offset, len(magic)) == magic


def _read_warc(record: WarcRecord, offset: int, wanted: Wanted) -> Record | Unused | Broken:
    length = record.content_length
    url = (record.headers.get("WARC-Target-URI") or "").strip("<>")
    declared = (record.headers.get("Content-Length") or "").strip()
    if not declared or declared.lstrip("0") != str(length or ""):  # an impossible one is read as 0
        return Broken(offset, "truncated", url)
    is_whole = length <= MAX_BYTES
    other = _other_kind(record, url)
    if other:
        is_complete = not is_whole or record.consume() == length
        return Unused(other) if is_complete else Broken(offset, "truncated", url)
    block = record.reader.read() if is_whole else record.reader.read(MAX_HEAD + N_SNIFFED)
    if is_whole and (len(block) < length or _SWALLOWED in block):
        return Broken(offset, "truncated", url)
    payload = record.headers.get("WARC-Payload-Digest") or ""
    if record.record_type == WarcRecordType.revisit:
        return _revisit(record, offset, url, block, payload)
    origin = Origin(offset, url, payload, _cut(record))
    if record.record_type == WarcRecordType.resource:
        head = Head(200, *content_type(record.headers.get("Content-Type")))
        return decoded(origin, head, block, wanted, is_whole=is_whole)
    return read_response(origin, block, wanted, is_whole=is_whole)


def _other_kind(record: WarcRecord, url: str) -> str:
    """Return the kind of a record without a response; an empty text if it has or refers to one."""
    if record.record_type in (WarcRecordType.resource, WarcRecordType.revisit):
        return ""
    if record.record_type != WarcRecordType.response:
        return f"{record.record_type} record"
    if record.is_http or url.lower().startswith("http"):
        return ""
    return content_type(record.headers.get("Content-Type"))[0] or "no type"  # as dns:a.org


def _cut(record: WarcRecord) -> str:
    """Return why a record has only the beginning of a body; an empty text if it has all."""
    reason = record.headers.get("WARC-Truncated")
    if reason:
        return f"WARC-Truncated: {reason}"
    segment = record.headers.get("WARC-Segment-Number")
    return f"segment {segment} of several" if segment else ""


def _revisit(
    record: WarcRecord, offset: int, url: str, block: bytes, payload: str
) -> Record | Broken:
    """Return a record without body that redirects to the one whose body it repeats."""
    original = (record.headers.get("WARC-Refers-To-Target-URI") or url).strip("<>")
    parsed = parse_head(block)
    mime = parsed[0].mime if parsed else ""
    if not is_url(url):
        return Broken(offset, "bad_url", url)
    head = Head(304, mime, None, original)
    return Record(offset, url, head, b"", payload, is_revisit=True)
