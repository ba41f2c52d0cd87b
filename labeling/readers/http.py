"""HTTP responses of archives, and their bodies without transfer and content codings.

Nothing is decoded beyond `MAX_BYTES`, whatever a header declares.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

from fastwarc.stream_io import BrotliReader, ChunkedReader, GzipReader, WarcReader, ZstdReader

from labeling.keys.urls import is_url

MAX_BYTES = 32 * 1024 * 1024
"""Bytes of a record, as stored and also when decoded; a larger one is not read."""

MAX_CODINGS = 3
"""Nested codings of a body."""

GZIP = b"\x1f\x8b\x08"

_CHUNK = re.compile(rb"[0-9a-fA-F]+[ \t]*(;[^\r\n]*)?\r?\n")


class Head(NamedTuple):
    """Fields of the header of a response.

    ``redirect`` is the Location header of a response that has one; ``mime`` is lower case.
    """

    status: int
    mime: str
    charset: str | None
    redirect: str | None = None
    codings: Sequence[str] = ()


@dataclass(frozen=True)
class Record:
    """A stored HTTP response: its offset, the fields of its header, and its decoded body."""

    offset: int
    url: str
    head: Head
    body: bytes


@dataclass(frozen=True)
class Broken:
    """A rejected record: ``truncated``, ``too_large``, ``bad_url`` or ``bad_record``.

    ``shared_member`` means that records of a compressed file share a gzip member, so that those
    after the first cannot be read again by an offset.
    """

    offset: int
    reason: str
    value: str


Wanted = Callable[[int, str], bool]
"""A function of the status and media type of a response: True if its body is to be read."""


def _reader(make: Callable[[BytesIO], WarcReader]) -> Callable[[bytes], bytes]:
    return lambda body: make(BytesIO(body)).read(MAX_BYTES + 1)


_READERS = {
    "chunked": _reader(ChunkedReader),
    "gzip": _reader(GzipReader),
    "deflate": _reader(lambda body: GzipReader(body, zlib=True)),
    "br": _reader(BrotliReader),
    "zstd": _reader(ZstdReader),
}


def decoded(
    offset: int, url: str, head: Head, stored: bytes, wanted: Wanted
) -> Record | Broken | None:
    """Return a record with its decoded body, if it is wanted; without body, if it redirects."""
    body: bytes | None = b""
    if wanted(head.status, head.mime):
        body = _decode(stored, [c for coding in head.codings for c in coding.lower().split(",")])
    elif head.redirect is None:
        return None
    if body is None:
        return Broken(offset, "too_large", url)
    if not is_url(url):
        return Broken(offset, "bad_url", url)
    return Record(offset, url, head, body)


def _decode(stored: bytes, codings: list[str]) -> bytes | None:
    """Undo the codings, the last first; None if the body is too large or coded too often.

    Many archives hold the body decoded, under the header that it came with: a coding is undone
    only if the body looks like it. A damaged body ends at the damage.
    """
    names = [name for name in (c.strip().removeprefix("x-") for c in codings) if name in _READERS]
    if len(names) > MAX_CODINGS:
        return None
    # Chunks enclose all other codings, wherever the header lists them.
    transfer = [name for name in names if name == "chunked"]
    body = stored
    for name in transfer + [n for n in reversed(names) if n != "chunked"]:
        if name == "chunked" and not _CHUNK.match(body):
            continue
        if name == "gzip" and not body.startswith(GZIP):
            continue
        try:
            body = _READERS[name](body)
        except (OSError, ValueError):
            continue
        if len(body) > MAX_BYTES:
            return None
    return body


def content_type(header: str | None) -> tuple[str, str | None]:
    """Return the media type in lower case, and the charset."""
    mime, _, parameters = (header or "").partition(";")
    charset = re.search(r"charset=[\"']?([\w.:-]+)", parameters, re.IGNORECASE)
    return mime.strip().lower(), charset[1] if charset else None
