"""WARC and ARC files to records, one after the other, whatever their bytes are.

A record that cannot be read is told as `Broken`, and reading goes on at the next place that looks
like the beginning of one. A compressed file has a gzip member for each record, as the standards
ask (ISO 28500, annex D); the offset of a record is that of its member.
"""

from __future__ import annotations

import functools
import os
import re
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

from fastwarc.stream_io import BrotliReader, ChunkedReader, GzipReader, WarcReader, ZstdReader
from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from labeling.errors import InputError

ARCHIVE_SUFFIXES = (".warc", ".warc.gz", ".arc", ".arc.gz")

MAX_BYTES = 32 * 1024 * 1024
"""Bytes of a record, as stored and again when decoded; a larger one is not read."""

MAX_CODINGS = 3
"""Codings of a body, one in the other."""

MAX_BREAKS = 1000
"""Times that reading is taken up again in one file."""

_GZIP, _WARC = b"\x1f\x8b\x08", b"WARC/"
_SWALLOWED = b"\r\n\r\nWARC/"
_CHUNK = re.compile(rb"[0-9a-fA-F]+[ \t]*(;[^\r\n]*)?\r?\n")
_ARC_HEADER = re.compile(rb"\n?([a-z]+:\S+) \S+ \d{8,17} (\S+) (?:\S+ \S+ \S+ \d+ \S+ )?(\d+)\r?\n")
_ARC_HEADER_BYTES = 16 * 1024
_ENTRY_BYTES = MAX_BYTES + _ARC_HEADER_BYTES
_BLOCK = 64 * 1024


@dataclass(frozen=True)
class Record:
    """A stored HTTP response: where it lies, what the header says, and its decoded body.

    ``redirect`` is the Location header of a response that has one; ``mime`` is lower case.
    """

    offset: int
    url: str
    status: int
    mime: str
    charset: str | None
    redirect: str | None
    body: bytes


@dataclass(frozen=True)
class Broken:
    """What was put aside: a record that is ``truncated``, ``too_large`` or a ``bad_record``.

    ``shared_member`` says of a compressed file that records share a gzip member, so that those
    behind the first have no offset to be found at.
    """

    offset: int
    reason: str
    value: str


Wanted = Callable[[int, str], bool]
"""Whether the body of a response of this status and content type is to be read."""

_Found = TypeVar("_Found")
_Run = Generator[_Found | Broken, None, int | None]


class Head(NamedTuple):
    """What the header of a response says."""

    status: int
    mime: str
    charset: str | None
    redirect: str | None = None
    codings: Sequence[str] = ()


def _reader(make: Callable[[BytesIO], WarcReader]) -> Callable[[bytes], bytes]:
    return lambda body: make(BytesIO(body)).read(MAX_BYTES + 1)


_READERS = {
    "chunked": _reader(ChunkedReader),
    "gzip": _reader(GzipReader),
    "deflate": _reader(lambda body: GzipReader(body, zlib=True)),
    "br": _reader(BrotliReader),
    "zstd": _reader(ZstdReader),
}


def read_records(path: Path, wanted: Wanted, start: int = 0) -> Iterator[Record | Broken]:
    """Read the responses of an archive.

    Parameters
    ----------
    path
        A file with one of `ARCHIVE_SUFFIXES`.
    wanted
        Decides by the header; other responses are left out, but redirects are there without body.
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
        return _runs(path, functools.partial(_arc_run, wanted=wanted), start)
    return read_warc(path, functools.partial(_read_warc, wanted=wanted), start)


def read_warc(
    path: Path, read: Callable[[WarcRecord], _Found | Broken | None], start: int = 0
) -> Iterator[_Found | Broken]:
    """Read a WARC file by a function of its records; None leaves a record out.

    A record that the function finds ``truncated`` is a break: reading goes on behind it, at the
    next place that looks like the beginning of a record. The rest is as for `read_records`.
    """
    return _runs(path, functools.partial(_warc_run, read=read), start)


def _runs(
    path: Path, run: Callable[[BinaryIO, int], _Run[_Found]], start: int
) -> Iterator[_Found | Broken]:
    try:
        with path.open("rb") as file:
            for _ in range(MAX_BREAKS):
                resumed = yield from run(file, start)
                if resumed is None:
                    return
                start = resumed
            yield Broken(start, "truncated", f"more than {MAX_BREAKS} breaks, the rest is not read")
    except OSError as error:
        raise InputError(
            "an archive cannot be read", facts={"file": path, "cause": error}
        ) from error


def _next_start(file: BinaryIO, after: int) -> int | None:
    """Return where the next record may begin, behind an offset; None where there is none."""
    marker = _GZIP if _is_compressed(file) else _WARC
    file.seek(after + 1)
    position, tail = after + 1, b""
    while block := file.read(1 << 20):
        place = (tail + block).find(marker)
        if place >= 0:
            return position - len(tail) + place
        position += len(block)
        tail = (tail + block)[-len(marker) + 1 :]
    return None


def _warc_run(
    file: BinaryIO, start: int, read: Callable[[WarcRecord], _Found | Broken | None]
) -> _Run[_Found]:
    """Read records up to the first break; return where to go on."""
    compressed = _is_compressed(file)
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
            found = read(record)
            if found is not None:
                yield found
            is_cut = isinstance(found, Broken) and found.reason == "truncated"
            if is_cut or (oversized and compressed):
                return _next_start(file, last)
    except (OSError, ValueError) as error:
        if n_read or start == 0:
            yield Broken(last, "truncated", str(error))
        return _next_start(file, last)
    return None


def _begins_member(file: BinaryIO, offset: int, last: int) -> bool:
    return offset > last and os.pread(file.fileno(), len(_GZIP), offset) == _GZIP


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
        head = Head(200, *_content_type(record.headers.get("Content-Type")))
    else:
        try:
            record.parse_http()
        except (OSError, ValueError) as error:
            return Broken(offset, "bad_record", f"{url}: {error}")
        get = record.http_headers.get
        head = Head(
            record.http_headers.status_code or 0,
            *_content_type(get("Content-Type")),
            get("Location"),
            [get("Transfer-Encoding") or "", get("Content-Encoding") or ""],
        )
    if oversized:
        return Broken(offset, "too_large", url) if wanted(head.status, head.mime) else None
    length = record.content_length
    stored = record.reader.read()
    if len(stored) < length or _SWALLOWED in stored:
        return Broken(offset, "truncated", url)
    return _decoded(offset, url, head, stored, wanted)


def _arc_run(file: BinaryIO, start: int, wanted: Wanted) -> _Run[Record]:
    """Read the records of an ARC file (version 1 and 2) up to the first break."""
    compressed = _is_compressed(file)
    entries = _gzip_entries(file, start) if compressed else _plain_entries(file, start)
    last = start
    for last, entry in entries:
        header = _ARC_HEADER.match(entry or b"")
        if entry is None or header is None:
            yield Broken(last, "truncated", "no ARC record")
            return _next_start(file, last) if compressed else None
        url, mime = header[1].decode("utf-8", "replace"), header[2].decode("ascii", "replace")
        length = int(header[3])
        stored = entry[header.end() : header.end() + length]
        if length > MAX_BYTES:
            yield Broken(last, "too_large", url)
            if compressed:
                return _next_start(file, last)
        elif len(stored) < length:
            yield Broken(last, "truncated", url)
            return _next_start(file, last) if compressed else None
        else:
            if compressed and entry[header.end() + length :].strip():
                yield Broken(last, "shared_member", "records behind the first are not read")
            if url.startswith("http"):
                found = _read_arc(last, url, mime, stored, wanted)
                if found is not None:
                    yield found
    return None


def _read_arc(
    offset: int, url: str, mime: str, stored: bytes, wanted: Wanted
) -> Record | Broken | None:
    end = stored.find(b"\r\n\r\n")
    head, body = stored[: max(end, 0)], stored[end + 4 :]
    lines = head.decode("latin-1").splitlines()
    status = re.match(r"HTTP/\d\S* (\d{3})", lines[0]) if lines else None
    if status is None:
        return Broken(offset, "bad_record", url)
    pairs = (line.partition(":") for line in lines[1:])
    fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
    codings = [fields.get("transfer-encoding", ""), fields.get("content-encoding", "")]
    kind = _content_type(fields.get("content-type", mime))
    parsed = Head(int(status[1]), *kind, fields.get("location"), codings)
    return _decoded(offset, url, parsed, body, wanted)


def _gzip_entries(file: BinaryIO, start: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield the offset and the content of each gzip member; None where it is damaged."""
    file.seek(start)
    offset, waiting = start, file.read(_BLOCK)
    while waiting:
        member = zlib.decompressobj(wbits=31)
        content, n_read = bytearray(), 0
        try:
            while waiting and not member.eof and len(content) <= _ENTRY_BYTES:
                content += member.decompress(waiting, _ENTRY_BYTES + 1 - len(content))
                n_read += len(waiting)
                waiting = member.unconsumed_tail or file.read(_BLOCK)
                n_read -= len(member.unconsumed_tail)
        except zlib.error:
            yield offset, None
            return
        if not member.eof:
            yield offset, bytes(content)
            return
        yield offset, bytes(content)
        rest = member.unused_data
        offset += n_read - len(rest)
        file.seek(offset)
        waiting = file.read(_BLOCK)


def _plain_entries(file: BinaryIO, start: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield the offset, and the header and content, of each record of an uncompressed ARC file."""
    offset = start
    while True:
        file.seek(offset)
        line = file.readline(_ARC_HEADER_BYTES)
        if line == b"\n":
            line += file.readline(_ARC_HEADER_BYTES)
        if not line.strip():
            return
        header = _ARC_HEADER.fullmatch(line)
        if header is None:
            yield offset, None
            return
        length = int(header[3])
        yield offset, line + file.read(min(length, MAX_BYTES))
        offset += len(line) + length


def _decoded(
    offset: int, url: str, head: Head, stored: bytes, wanted: Wanted
) -> Record | Broken | None:
    """Return a record with its body free of transfer and content codings, where it is wanted."""
    body: bytes | None = b""
    if wanted(head.status, head.mime):
        body = _decode(stored, [c for coding in head.codings for c in coding.lower().split(",")])
    elif head.redirect is None:
        return None
    if body is None:
        return Broken(offset, "too_large", url)
    return Record(offset, url, head.status, head.mime, head.charset, head.redirect, body)


def _decode(stored: bytes, codings: list[str]) -> bytes | None:
    """Undo the codings, the last first; None where the body is too large or coded too often.

    Many archives hold the body decoded, under the header that it came with: a coding is undone
    only where the body looks like it. What is damaged ends where the damage begins.
    """
    names = [name for name in (c.strip().removeprefix("x-") for c in codings) if name in _READERS]
    if len(names) > MAX_CODINGS:
        return None
    transfer = [name for name in names if name == "chunked"]
    body = stored
    for name in transfer + [n for n in reversed(names) if n != "chunked"]:
        if name == "chunked" and not _CHUNK.match(body):
            continue
        if name == "gzip" and not body.startswith(_GZIP):
            continue
        try:
            body = _READERS[name](body)
        except (OSError, ValueError):
            continue
        if len(body) > MAX_BYTES:
            return None
    return body


def _content_type(header: str | None) -> tuple[str, str | None]:
    """Return the media type in lower case, and the charset."""
    mime, _, parameters = (header or "").partition(";")
    charset = re.search(r"charset=[\"']?([\w.:-]+)", parameters, re.IGNORECASE)
    return mime.strip().lower(), charset[1] if charset else None


def _is_compressed(file: BinaryIO) -> bool:
    file.seek(0)
    return file.read(len(_GZIP)) == _GZIP
