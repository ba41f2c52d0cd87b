"""Bodies of responses without their transfer and content codings.

Many archives hold the body decoded, under the header that it came with: a coding is undone only if
the body looks like it. Nothing is decoded beyond a number of bytes, whatever a header declares.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import NamedTuple

from fastwarc.stream_io import BrotliReader, WarcReader, ZstdReader

from labeling.readers.media_types import N_SNIFFED, media_type

MAX_BYTES = 32 * 1024 * 1024
"""Bytes of a record, as stored and also when decoded; a larger one is not read."""

MAX_CODINGS = 3
"""Nested codings of a body."""

MAX_MEMBERS = 10_000
"""Members of a body in gzip."""

GZIP = b"\x1f\x8b\x08"

_SLICE = 1024
"""Bytes that are decoded at a time: damage costs what these become, and nothing before them."""

_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")
_CHUNK = re.compile(rb"\s*([0-9a-fA-F]{1,16})[ \t]*(?:;[^\r\n]*)?\r?\n")

_BINARY = re.compile(rb"[\0-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""A byte that no text has (https://mimesniff.spec.whatwg.org, section 3)."""

_RARE_IMAGE = re.compile(rb"....ftyp|II\*\0|MM\0\*|\xff\x0a|\0\0\0\x0cJXL ", re.DOTALL)
"""Signatures of images that `media_type` leaves to the header: AVIF, TIFF and JPEG XL."""


class Decoded(NamedTuple):
    """A decoded body, which ends at its damage, and the damage in words; empty for a whole body."""

    content: bytes
    damage: str = ""


def undone(stored: bytes, codings: Sequence[str], n_bytes: int) -> Decoded | None:
    r"""Undo the codings of a body, the last first, up to some bytes; None if they are too many.

    Parameters
    ----------
    stored
        The body.
    codings
        Names in the order of the header, in lower case.
    n_bytes
        Bytes to decode.

    Examples
    --------
    >>> undone(b"5;x=y\nfruit\n0\n\n", ["chunked"], 100)
    Decoded(content=b'fruit', damage='')
    >>> undone(b"6\r\nfru", ["chunked"], 100)
    Decoded(content=b'fru', damage='chunked: cut')
    """
    names = [name.strip().removeprefix("x-") for name in codings]
    known = [name for name in names if name in _READERS]
    if len(known) > MAX_CODINGS:
        return None
    body, damage = stored, ""
    # Chunks enclose all other codings, wherever the header lists them.
    chunks = [name for name in known if name == "chunked"]
    for name in chunks + [name for name in reversed(known) if name != "chunked"]:
        if _looks_like(name, body):
            body, problem = _decoded(name, body, n_bytes)
            damage = damage or (f"{name}: {problem}" if problem else "")
        if len(body) > MAX_BYTES:
            return Decoded(body, damage)
    if body.startswith(GZIP):  # once more than declared: no page or image begins so
        body, problem = _decoded("gzip", body, n_bytes)
        damage = damage or (f"gzip: {problem}" if problem else "")
    others = {*names} - {*_READERS, "identity", ""}
    if others and not _is_plain(body):
        return Decoded(b"", f"a coding that is not known: {min(others)}")
    return Decoded(body, damage)


def _decoded(name: str, body: bytes, n_bytes: int) -> Decoded:
    decoded = _READERS[name](body, n_bytes)
    # Of these two no first bytes are known, so that a decoded body may have been tried.
    is_stored_so = decoded.damage and name in ("br", "deflate") and _is_plain(body)
    return Decoded(body) if is_stored_so else decoded


def _looks_like(name: str, body: bytes) -> bool:
    """Return whether a body may have a coding, by its first bytes."""
    if name == "chunked":
        head = _CHUNK.match(body)
        end = head.end() + int(head[1], 16) if head else 0
        return end > 0 and body[end : end + 1] in (b"", b"\r", b"\n")
    if name == "gzip":
        return body.startswith(GZIP)
    if name == "zstd":
        return _ZSTD.match(body) is not None
    return not media_type("", body)


def _is_plain(body: bytes) -> bool:
    """Return whether a body begins as text, or as an image."""
    is_image = media_type("", body) or _RARE_IMAGE.match(body)
    return bool(is_image) or not _BINARY.search(body, 0, N_SNIFFED)


def _unchunked(body: bytes, n_bytes: int) -> Decoded:
    """Join chunks (RFC 9112, section 7.1), also with LF alone or blanks between them."""
    chunks: list[bytes] = []
    n_read, offset = 0, 0
    while n_read < n_bytes:
        head = _CHUNK.match(body, offset)
        if head is None:
            is_cut = not body[offset:].strip()
            return Decoded(b"".join(chunks), "cut" if is_cut else "no chunk where one begins")
        offset = head.end() + int(head[1], 16)
        if offset == head.end():
            break
        chunks.append(body[head.end() : offset])
        n_read += len(chunks[-1])
        if offset > len(body):
            return Decoded(b"".join(chunks), "cut")
    return Decoded(b"".join(chunks))


def _inflated(body: bytes, n_bytes: int, wbits: int) -> Decoded:
    """Decode a stream of zlib, or the members of gzip; what follows them is left out."""
    content, offset, n_members = bytearray(), 0, 1
    stream = zlib.decompressobj(wbits)
    try:
        while len(content) < n_bytes and n_members <= MAX_MEMBERS:
            if offset >= len(body):
                return Decoded(bytes(content), "cut")
            content += stream.decompress(body[offset : offset + _SLICE])
            offset = min(offset + _SLICE, len(body))
            if stream.eof:
                offset -= len(stream.unused_data)
                if not body.startswith(GZIP, offset):
                    break
                n_members, stream = n_members + 1, zlib.decompressobj(wbits)
    except zlib.error as error:
        return Decoded(bytes(content), str(error))
    is_whole = n_members <= MAX_MEMBERS
    return Decoded(bytes(content), "" if is_whole else f"more than {MAX_MEMBERS:,} members")


def _deflated(body: bytes, n_bytes: int) -> Decoded:
    if not body:
        return Decoded(b"")
    # Servers leave out the two bytes of zlib that the standard asks for.
    is_zlib = int.from_bytes(body[:2]) % 31 == 0 and body[0] & 0x8F == 8
    return _inflated(body, n_bytes, zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)


def _streamed(body: bytes, n_bytes: int, make: Callable[[BytesIO], WarcReader]) -> Decoded:
    try:
        return Decoded(make(BytesIO(body)).read(n_bytes))
    except OSError as error:
        reader, content = make(BytesIO(body)), bytearray()
        with suppress(OSError):
            while len(content) < n_bytes and (piece := reader.read(_SLICE)):
                content += piece
        return Decoded(bytes(content), str(error))


_READERS: dict[str, Callable[[bytes, int], Decoded]] = {
    "chunked": _unchunked,
    "gzip": partial(_inflated, wbits=16 + zlib.MAX_WBITS),
    "deflate": _deflated,
    "br": partial(_streamed, make=BrotliReader),
    "zstd": partial(_streamed, make=ZstdReader),
}
