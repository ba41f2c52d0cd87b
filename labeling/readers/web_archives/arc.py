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

_HEADER = re.compile(rb"\n?([a-z]+:\S+) \S+ \d{8,17} (\S+) (?:\S+ \S+ \S+ \d+ \S+ )?(\d+)\r?\n")
_MAX_DIGITS = 15
"""Digits of a length; no disk holds a record of more."""

NEXT_HEADER = re.compile(
    rb"\n[a-z]+:\S{1,4096} \S{1,64} \d{8,17} \S{1,256} (?:\S+ \S+ \S+ \d+ \S+ )?\d{1,15}\r?\n"
)
"""The beginning of a record of a file without compression, after the end of a line."""

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
        header = _HEADER.match(entry or b"")
        if entry is None or header is None:
            yield Broken(offset, "truncated", "no ARC record")
            return offset
        if len(header[3]) > _MAX_DIGITS:
            yield Broken(offset, "bad_record", f"length {header[3][:50].decode()}")
            return offset
        yield _read_entry(offset, entry, header, wanted)
        length, rest = int(header[3]), len(entry) - header.end()
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
    url, mime = header[1].decode("utf-8", "replace"), header[2].decode("ascii", "replace")
    length = int(header[3])
    stored = entry[header.end() : header.end() + length]
    if length > MAX_BYTES:
        return Broken(offset, "too_large", url)
    if len(stored) < length:
        return Broken(offset, "truncated", url)
    if not url.startswith("http"):
        is_head = url.startswith("filedesc:")
        return Unused("filedesc record" if is_head else content_type(mime)[0])
    return read_response(Origin(offset, url), stored, wanted, mime=content_type(mime)[0])


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
        length = int(header[3][:_MAX_DIGITS])
        yield offset, line + file.read_at(offset + len(line), min(length, MAX_BYTES))
        offset += len(line) + length


def _line(file: Window, offset: int) -> bytes:
    """Return the bytes from an offset to the end of a line, or the first `_HEADER_BYTES`."""
    for n_bytes in (512, _HEADER_BYTES):
        line, end, _ = file.read_at(offset, n_bytes).partition(b"\n")
        if end:
            return line + end
    return line
