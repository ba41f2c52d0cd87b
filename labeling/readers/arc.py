"""ARC files (versions 1 and 2), the predecessors of WARC files, to responses."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Generator, Iterator
from typing import BinaryIO

from labeling.readers.http import MAX_BYTES, Broken, Head, Record, Wanted, content_type, decoded

_HEADER = re.compile(rb"\n?([a-z]+:\S+) \S+ \d{8,17} (\S+) (?:\S+ \S+ \S+ \d+ \S+ )?(\d+)\r?\n")
_MAX_DIGITS = 15
"""Digits of a length; no disk holds a record of more."""

NEXT_HEADER = re.compile(
    rb"\n[a-z]+:\S{1,4096} \S{1,64} \d{8,17} \S{1,256} (?:\S+ \S+ \S+ \d+ \S+ )?\d{1,15}\r?\n"
)
"""The beginning of a record of a file without compression, after the end of a line."""

_HEADER_BYTES = 16 * 1024
_ENTRY_BYTES = MAX_BYTES + _HEADER_BYTES
_BLOCK = 64 * 1024


def read_arc(
    file: BinaryIO, start: int, compressed: bool, wanted: Wanted
) -> Generator[Record | Broken, None, int | None]:
    """Read the records from an offset up to the first break.

    Returns the offset of the break; None at the end of the file.
    """
    n_bytes = os.fstat(file.fileno()).st_size
    entries = _gzip_entries(file, start) if compressed else _plain_entries(file, start)
    for offset, entry in entries:
        header = _HEADER.match(entry or b"")
        if entry is None or header is None:
            yield Broken(offset, "truncated", "no ARC record")
            return offset
        if len(header[3]) > _MAX_DIGITS:
            yield Broken(offset, "bad_record", f"length {header[3][:50].decode()}")
            return offset
        item = _read_entry(offset, entry, header, wanted)
        if item is not None:
            yield item
        length, rest = int(header[3]), len(entry) - header.end()
        if length > MAX_BYTES and not compressed and offset + header.end() + length <= n_bytes:
            continue
        if rest < length:
            return offset
        if compressed and entry[header.end() + length :].strip():
            yield Broken(offset, "shared_member", "records after the first are not read")
    return None


def _read_entry(
    offset: int, entry: bytes, header: re.Match[bytes], wanted: Wanted
) -> Record | Broken | None:
    url, mime = header[1].decode("utf-8", "replace"), header[2].decode("ascii", "replace")
    length = int(header[3])
    stored = entry[header.end() : header.end() + length]
    if length > MAX_BYTES:
        return Broken(offset, "too_large", url)
    if len(stored) < length:
        return Broken(offset, "truncated", url)
    return _read_response(offset, url, mime, stored, wanted) if url.startswith("http") else None


def _read_response(
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
    media = content_type(fields.get("content-type", mime))
    parsed = Head(int(status[1]), *media, fields.get("location"), codings)
    return decoded(offset, url, parsed, body, wanted)


def _gzip_entries(file: BinaryIO, start: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield the offset and the content of each gzip member; None if it is damaged."""
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
        yield offset, bytes(content)
        if not member.eof:
            return
        offset += n_read - len(member.unused_data)
        file.seek(offset)
        waiting = file.read(_BLOCK)


def _plain_entries(file: BinaryIO, start: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield the offset, and the header and content, of each record of an uncompressed ARC file."""
    offset = start
    while True:
        file.seek(offset)
        line = file.readline(_HEADER_BYTES)
        if line == b"\n":
            line += file.readline(_HEADER_BYTES)
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
        yield offset, line + file.read(min(length, MAX_BYTES))
        offset += len(line) + length
