"""ARC files (versions 1 and 2), the predecessors of WARC files, to responses."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

from labeling.readers.web_archives.archive_files import Coding, Window, gzip_members
from labeling.readers.web_archives.codings import MAX_BYTES
from labeling.readers.web_archives.http import (
    Broken,
    Origin,
    Record,
    Unused,
    Wanted,
    content_type,
    read_response,
)

# A URL and the parameters of a type may hold spaces, and a type may be empty.
_TYPE = rb"(?P<type>[^\s;]{0,256}+(?:;[ ]*+[^\s;]{0,64}+){0,9}+)"
_FIELDS = rb"[ ]\S{1,64} \d{8,17} %s (?:\S+ \S+ \S+ \d+ \S+ )?" % _TYPE
_HEADER = re.compile(rb"\s*(?P<url>[A-Za-z][\w+.-]*+:[^\r\n]+?)%s(?P<length>\d+)\r?\n" % _FIELDS)
_MAX_DIGITS = 15
"""Digits of a length; no disk holds a record of more."""

NEXT_HEADER = re.compile(rb"\n[A-Za-z][\w+.-]{0,20}+:[^\r\n]{1,4096}?%s\d{1,15}\r?\n" % _FIELDS)
"""The beginning of a record of a file without compression, after the end of a line."""

_SWALLOWED = re.compile(NEXT_HEADER.pattern + rb"(?=HTTP/)")

_HEADER_BYTES = 16 * 1024


def read_arc(
    file: Window, start: int, coding: Coding, wanted: Wanted
) -> Generator[Record | Unused | Broken, None, int | None]:
    """Read the records from an offset up to the first break.

    Returns the offset of the break; None at the end of the file.
    """
    compressed = bool(coding.magic)
    read = gzip_members if compressed else _plain_entries
    entry = None
    for offset, entry in read(file, start):
        header = _HEADER.match((entry or b"")[:_HEADER_BYTES])
        if entry is None or header is None:
            yield Broken(offset, "truncated", "no ARC record")
            return offset
        if len(header["length"]) > _MAX_DIGITS:
            yield Broken(offset, "bad_record", f"length {header['length'][:50].decode()}")
            return offset
        length, rest = int(header["length"]), len(entry) - header.end()
        if not compressed and length <= MAX_BYTES and _SWALLOWED.search(entry, header.end()):
            yield Broken(offset, "truncated", _url(header))
            return offset
        yield _read_entry(offset, entry, header, wanted)
        if length > MAX_BYTES and not compressed and offset + header.end() + length <= file.n_bytes:
            continue
        if rest < length:
            return offset
        if compressed and entry[header.end() + length :].strip():
            yield Broken(offset, "shared_member", "records after the first are not read")
    if entry is None and start == 0:
        yield Broken(0, "truncated", "no record")
    return None


def _read_entry(
    offset: int, entry: bytes, header: re.Match[bytes], wanted: Wanted
) -> Record | Unused | Broken:
    url, mime = _url(header), content_type(header["type"].decode("ascii", "replace"))[0]
    length = int(header["length"])
    stored = entry[header.end() : header.end() + length]
    if length > MAX_BYTES:
        return Broken(offset, "too_large", url)
    if len(stored) < length:
        return Broken(offset, "truncated", url)
    if not url.lower().startswith("http"):
        is_head = url.startswith("filedesc:")
        return Unused("filedesc record" if is_head else mime or "no type")
    return read_response(Origin(offset, url), stored, wanted, mime=mime)


def _url(header: re.Match[bytes]) -> str:
    return header["url"].decode("utf-8", "replace")


def _plain_entries(file: Window, start: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield the offset, and the header and content, of each record of an uncompressed ARC file."""
    offset = start
    while True:
        line = _line(file, offset)
        if line == b"\n":
            line += _line(file, offset + 1)
        if not line:
            return
        if not line.strip():
            offset += len(line)
            continue
        header = _HEADER.fullmatch(line)
        if header is None:
            yield offset, None
            return
        length = int(header["length"][:_MAX_DIGITS])
        yield offset, line + file.read_at(offset + len(line), min(length, MAX_BYTES))
        offset += len(line) + length


def _line(file: Window, offset: int) -> bytes:
    """Return the bytes from an offset to the end of a line, or the first `_HEADER_BYTES`."""
    for n_bytes in (512, _HEADER_BYTES):
        line, end, _ = file.read_at(offset, n_bytes).partition(b"\n")
        if end:
            return line + end
    return line
