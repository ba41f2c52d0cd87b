"""HTTP responses of archives: their headers, and their bodies without transfer and content codings.

Headers are read as servers write them: of any version, with LF alone as the end of lines, continued
on a second line, without a reason, or without a body. Nothing is decoded beyond `MAX_BYTES`,
whatever a header declares.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

from fastwarc.stream_io import BrotliReader, ChunkedReader, GzipReader, WarcReader, ZstdReader

from labeling.keys.urls import is_url
from labeling.readers.media_types import N_SNIFFED, media_type

MAX_BYTES = 32 * 1024 * 1024
"""Bytes of a record, as stored and also when decoded; a larger one is not read."""

MAX_CODINGS = 3
"""Nested codings of a body."""

MAX_HEAD = 64 * 1024
"""Bytes within which a header ends."""

GZIP = b"\x1f\x8b\x08"
_GZIP_HEAD = GZIP + b"\0\0\0\0\0\0\xff"

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"\s*(?:HTTP(?:/[\d.]+)?|ICY)[ \t]+(\d{3})\b", re.IGNORECASE)
_CODINGS = (b"content-encoding", b"transfer-encoding")
_FIELD = re.compile(
    rb"^(Content-Type|Location|Content-Encoding|Transfer-Encoding)[ \t]*:"
    rb"(.*(?:\r?\n[ \t]+.*)*)",
    re.IGNORECASE | re.MULTILINE,
)
_PREFIX = 8 * 1024
"""Bytes of a coded body that are decoded for its media type."""

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
    """A stored HTTP response: its offset, the fields of its header, and its decoded body.

    ``payload`` is the digest of the body that the archive states, such as ``sha1:3I42H3S6…``. A
    record that ``is_revisit`` has no body, and redirects to the URL whose body it repeats.
    """

    offset: int
    url: str
    head: Head
    body: bytes
    payload: str = ""
    is_revisit: bool = False


@dataclass(frozen=True)
class Broken:
    """A rejected record: ``truncated``, ``too_large``, ``bad_url`` or ``bad_record``.

    ``shared_member`` means that records of a compressed file share a gzip member, so that those
    after the first cannot be read again by an offset. ``is_wanted`` where only a reader that wants
    the body sees the fault.
    """

    offset: int
    reason: str
    value: str
    is_wanted: bool = False


Wanted = Callable[[int, str], bool]
"""A function of the status and media type of a response: True if its body is to be read."""


def parse_head(block: bytes) -> tuple[Head, bytes] | None:
    r"""Return the header and the body of a response; None if it begins with no status line.

    Examples
    --------
    >>> head, body = parse_head(b"HTTP/2 200\nContent-Type: text/html;\n charset=utf-8\n\n<p>")
    >>> head.status, head.mime, head.charset, body
    (200, 'text/html', 'utf-8', b'<p>')
    """
    status = _STATUS.match(block)
    if status is None:
        return None
    end = _HEAD_END.search(block, 0, MAX_HEAD)
    stop, start = end.span() if end else (MAX_HEAD, len(block))
    fields = [(name.lower(), _text(value)) for name, value in _FIELD.findall(block, 0, stop)]
    codings = [value for coding in _CODINGS for name, value in fields if name == coding]
    first = dict(reversed(fields))
    media = content_type(first.get(b"content-type"))
    return Head(int(status[1]), *media, first.get(b"location"), codings), block[start:]


def _text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return " ".join(text.split())


def _reader(make: Callable[[BytesIO], WarcReader]) -> Callable[[bytes, int], bytes]:
    return lambda body, n_bytes: make(BytesIO(body)).read(n_bytes)


_READERS: dict[str, Callable[[bytes, int], bytes]] = {
    "chunked": _reader(ChunkedReader),
    "gzip": _reader(GzipReader),
    "deflate": _reader(lambda body: GzipReader(body, zlib=True)),
    "raw deflate": lambda body, n_bytes: _READERS["gzip"](_GZIP_HEAD + body, n_bytes),
    "br": _reader(BrotliReader),
    "zstd": _reader(ZstdReader),
}


def read_response(
    offset: int,
    url: str,
    block: bytes,
    wanted: Wanted,
    *,
    mime: str = "",
    payload: str = "",
    is_whole: bool = True,
) -> Record | Broken | None:
    """Return the response in the block of a record, with its body only if it is wanted.

    Parameters
    ----------
    offset, url, block
        Of the record.
    wanted
        Decides by status and media type, which the body corrects; redirects are returned anyway.
    mime
        Media type where the header has none.
    payload
        As in `Record`.
    is_whole
        Whether the block has not been cut to its first bytes because it is too large.
    """
    parsed = parse_head(block)
    if parsed is None:
        return Broken(offset, "bad_record", url)
    head, stored = parsed
    head = head if head.mime else head._replace(mime=mime)
    return decoded(offset, url, head, stored, wanted, payload=payload, is_whole=is_whole)


def decoded(
    offset: int,
    url: str,
    head: Head,
    stored: bytes,
    wanted: Wanted,
    *,
    payload: str = "",
    is_whole: bool = True,
) -> Record | Broken | None:
    """Return a record with its decoded body; the parameters are those of `read_response`."""
    codings = [name for coding in head.codings for name in coding.lower().split(",")]
    first_bytes = _decode(stored[:_PREFIX], codings, N_SNIFFED) if codings else stored
    head = head._replace(mime=media_type(head.mime, first_bytes or b""))
    is_wanted = wanted(head.status, head.mime)
    if not (is_wanted or head.redirect):
        return None
    body = None if is_wanted and not is_whole else b""
    if is_wanted and is_whole:
        body = _decode(stored, codings, MAX_BYTES + 1)
    if body is None or len(body) > MAX_BYTES:
        return Broken(offset, "too_large", url, is_wanted)
    if not is_url(url):
        return Broken(offset, "bad_url", url, is_wanted and not head.redirect)
    return Record(offset, url, head, body, payload)


def _decode(stored: bytes, codings: Sequence[str], n_bytes: int) -> bytes | None:
    """Undo the codings, the last first, up to some bytes; None if there are too many codings.

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
        coding = _coding(name, body)
        if coding is None:
            continue
        try:
            body = _READERS[coding](body, n_bytes)
        except (OSError, ValueError):
            continue
        if len(body) > MAX_BYTES:
            break
    return body


def _coding(name: str, body: bytes) -> str | None:
    """Return the coding that a body has under a name; None if it does not look like it."""
    if name == "chunked" and not _CHUNK.match(body):
        return None
    if name == "gzip" and not body.startswith(GZIP):
        return None
    if name == "deflate" and int.from_bytes(body[:2]) % 31:
        # Servers leave out the two bytes of zlib that the standard asks for.
        return None if media_type("", body) else "raw deflate"
    return name


def content_type(header: str | None) -> tuple[str, str | None]:
    """Return the media type in lower case, and the charset."""
    mime, _, parameters = (header or "").partition(";")
    charset = re.search(r"charset=[\"']?([\w.:-]+)", parameters, re.IGNORECASE)
    return mime.strip().lower(), charset[1] if charset else None
