"""HTTP responses of archives: their headers, and their decoded bodies.

Headers are read as servers write them: of any version, with LF alone as the end of lines, continued
on a second line, without a reason, or without a body.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from labeling.keys.urls import is_url
from labeling.readers.media_types import N_SNIFFED, media_type
from labeling.readers.web_archives.codings import MAX_BYTES, Decoded, undone

MAX_HEAD = 64 * 1024
"""Bytes within which a header ends."""

_TRANSFORMED = 203
"""Status of a response of status 200 that a proxy has changed (RFC 9110, section 15.3.4)."""

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"\s*(?:HTTP(?:/[\d.]+)?|ICY)[ \t]+(\d{3})\b", re.IGNORECASE)
_CODINGS = (b"content-encoding", b"transfer-encoding")
_FIELD = re.compile(
    rb"^(Content-Type|Content-Length|Location|Content-Encoding|Transfer-Encoding)[ \t]*:"
    rb"(.*(?:\r?\n[ \t]+.*)*)",
    re.IGNORECASE | re.MULTILINE,
)
_PREFIX = 8 * 1024
"""Bytes of a coded body that are decoded for its media type."""
_LENGTH = re.compile(r"\d{1,15}")


class Head(NamedTuple):
    """Fields of the header of a response.

    ``redirect`` is the Location header of a response that has one; ``mime`` is lower case. Status
    203 is read as 200. ``n_bytes`` is the length of the body that the header states, else 0.
    """

    status: int
    mime: str
    charset: str | None
    redirect: str | None = None
    codings: Sequence[str] = ()
    n_bytes: int = 0


class Origin(NamedTuple):
    """A record of an archive, and what its own header states of the body.

    ``payload`` is the digest of the body, such as ``sha1:3I42H3S6…``, and ``cut`` the reason for
    which the archive holds only the beginning of it, if it does.
    """

    offset: int
    url: str
    payload: str = ""
    cut: str = ""


@dataclass(frozen=True)
class Record:
    """A stored HTTP response: its offset, the fields of its header, and its decoded body.

    ``payload`` is as in `Origin`. A record that ``is_revisit`` has no body, and redirects to the
    URL whose body it repeats. ``damage`` is empty, or why the body ends before its end.
    """

    offset: int
    url: str
    head: Head
    body: bytes
    payload: str = ""
    is_revisit: bool = False
    damage: str = ""


@dataclass(frozen=True)
class Unused:
    """A record that is not wanted: its media type, its status if that is not 200, or its kind."""

    kind: str


@dataclass(frozen=True)
class Broken:
    """A rejected record, with a reason of `labeling.reasons`.

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
    r"""Return the header and the body of a response.

    None if it begins with no status line, or its header is longer than `MAX_HEAD`.

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
    if end is None and len(block) > MAX_HEAD:
        return None
    stop, start = end.span() if end else (len(block), len(block))
    fields = [(name.lower(), _text(value)) for name, value in _FIELD.findall(block, 0, stop)]
    codings = [value for coding in _CODINGS for name, value in fields if name == coding]
    first = dict(reversed(fields))
    media = content_type(", ".join(value for name, value in fields if name == b"content-type"))
    length = _LENGTH.match(first.get(b"content-length", ""))
    number = 200 if int(status[1]) == _TRANSFORMED else int(status[1])
    n_bytes = int(length[0]) if length else 0
    return Head(number, *media, first.get(b"location"), codings, n_bytes), block[start:]


def _text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return " ".join(text.split())


def read_response(
    origin: Origin, block: bytes, wanted: Wanted, *, mime: str = "", is_whole: bool = True
) -> Record | Unused | Broken:
    """Return the response in the block of a record, with its body only if it is wanted.

    Parameters
    ----------
    origin, block
        Of the record.
    wanted
        Decides by status and media type, which the body corrects; redirects are returned anyway.
    mime
        Media type where the header has none.
    is_whole
        Whether the block has not been cut to its first bytes because it is too large.
    """
    parsed = parse_head(block)
    if parsed is None:
        return Broken(origin.offset, "bad_record", origin.url)
    head, stored = parsed
    head = head if head.mime else head._replace(mime=mime)
    return decoded(origin, head, stored, wanted, is_whole=is_whole)


def decoded(
    origin: Origin, head: Head, stored: bytes, wanted: Wanted, *, is_whole: bool = True
) -> Record | Unused | Broken:
    """Return a record with its decoded body; the parameters are those of `read_response`."""
    offset, url, payload, cut = origin
    codings = [name for coding in head.codings for name in coding.lower().split(",")]
    first = undone(stored[:_PREFIX], codings, N_SNIFFED) if codings else Decoded(stored)
    head = head._replace(mime=media_type(head.mime, first.content if first else b""))
    is_wanted = wanted(head.status, head.mime)
    if not (is_wanted or head.redirect):
        return Unused(f"status {head.status}" if head.status != 200 else head.mime or "no type")
    if not is_wanted:
        body: Decoded | None = Decoded(b"")
    else:
        body = undone(stored, codings, MAX_BYTES + 1) if is_whole else None
    if body is None or len(body.content) > MAX_BYTES:
        return Broken(offset, "too_large", url, is_wanted)
    if not is_url(url):
        return Broken(offset, "bad_url", url, is_wanted and not head.redirect)
    damage = (cut or body.damage or _missing(head, codings, stored)) if is_wanted else ""
    return Record(offset, url, head, body.content, payload, damage=damage)


def _missing(head: Head, codings: Sequence[str], stored: bytes) -> str:
    """Return that a body is shorter than its header states; an empty text if it is not."""
    # Of a body with codings the length is unknown: archives may hold it decoded.
    is_short = not codings and len(stored) < head.n_bytes
    return f"{len(stored):,} of {head.n_bytes:,} bytes" if is_short else ""


def content_type(header: str | None) -> tuple[str, str | None]:
    """Return the media type in lower case, of several the last one, and the charset."""
    media, _, parameters = (header or "").partition(";")
    charset = re.search(r"charset=[\"']?([\w.:-]+)", parameters, re.IGNORECASE)
    mime = media.rpartition(",")[2]
    return mime.strip().lower(), charset[1] if charset else None
