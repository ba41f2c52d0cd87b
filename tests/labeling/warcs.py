"""Small web archives for tests."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import zstandard


class Response(NamedTuple):
    url: str
    body: bytes
    mime: str = "text/html"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


def http(response: Response) -> bytes:
    fields = [("Content-Type", response.mime), *response.headers]
    lines = [f"HTTP/1.1 {response.status} Any", *(f"{name}: {value}" for name, value in fields)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + response.body


def record(
    response: Response,
    length: int | None = None,
    block: bytes | None = None,
    kind: str = "response",
    fields: str = "Content-Type: application/http; msgtype=response\r\n",
) -> bytes:
    """Return a WARC record; `length` is written in place of its own, `block` of the response."""
    block = http(response) if block is None else block
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\n"
        f"WARC-Target-URI: {response.url}\r\nWARC-Date: 2020-01-01T00:00:00Z\r\n"
        f"{fields}Content-Length: {len(block) if length is None else length}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def in_other_case(stored: bytes) -> bytes:
    """Return a WARC record with names of fields in lower case."""
    head, end, block = stored.partition(b"\r\n\r\n")
    for name in (b"WARC-Type", b"WARC-Target-URI", b"Content-Length", b"Content-Type"):
        head = head.replace(name, name.lower())
    return head + end + block


def with_type_in_lower_case(stored: bytes) -> bytes:
    return stored.replace(b"WARC-Type", b"warc-type")


def with_line_feeds(stored: bytes) -> bytes:
    """Return a WARC record with the lines of its header ended by LF alone."""
    head, end, block = stored.partition(b"\r\n\r\n")
    return (head + end).replace(b"\r\n", b"\n") + block


def revisit(url: str, refers_to: str | None, payload: str | None) -> bytes:
    """Return a WARC record that repeats a response by its URL or by the digest of its payload."""
    fields = {"WARC-Refers-To-Target-URI": refers_to, "WARC-Payload-Digest": payload}
    lines = [f"{name}: {value}\r\n" for name, value in fields.items() if value]
    block = b"HTTP/1.1 200 OK\r\nContent-Type: image/gif\r\n\r\n"
    head = (
        f"WARC/1.1\r\nWARC-Type: revisit\r\nWARC-Target-URI: {url}\r\n{''.join(lines)}"
        f"Content-Type: application/http\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def wat_record(url: str, n_images: int = 1) -> bytes:
    """Return a record of a WAT file: a page of some images."""
    links = [{"path": "IMG@/src", "url": f"/{i}.png", "alt": "apple"} for i in range(n_images)]
    html = {"Head": {"Title": "Fruit"}, "Links": links}
    envelope = {
        "WARC-Header-Metadata": {"WARC-Target-URI": url},
        "Payload-Metadata": {"HTTP-Response-Metadata": {"HTML-Metadata": html}},
    }
    block = json.dumps({"Envelope": envelope}).encode()
    head = f"WARC/1.0\r\nWARC-Type: metadata\r\nContent-Length: {len(block)}\r\n\r\n"
    return head.encode() + block + b"\r\n\r\n"


def arc_record(response: Response, block: bytes | None = None) -> bytes:
    block = http(response) if block is None else block
    head = f"{response.url} 1.2.3.4 20080430204825 {response.mime} {len(block)}\n"
    return head.encode() + block + b"\n"


def arc_head() -> bytes:
    version = b"1 0 InternetArchive\nURL IP-address Archive-date Content-type Archive-length\n"
    head = f"filedesc://x.arc 0.0.0.0 20080430204825 text/plain {len(version)}\n"
    return head.encode() + version + b"\n"


def members(records: Sequence[bytes]) -> bytes:
    return b"".join(gzip.compress(stored, mtime=0) for stored in records)


def zstd_warc(records: Sequence[bytes], dictionary: str) -> bytes:
    """Return a frame for each record, after a dictionary: ``plain``, ``compressed`` or ``none``."""
    if dictionary == "none":
        return b"".join(zstandard.ZstdCompressor().compress(content) for content in records)
    trained = zstandard.train_dictionary(2048, [b"%d %s" % (n, records[0]) for n in range(200)])
    frames = zstandard.ZstdCompressor(dict_data=trained)
    content = trained.as_bytes()
    if dictionary == "compressed":
        content = zstandard.ZstdCompressor().compress(content)
    head = struct.pack("<LL", 0x184D2A5D, len(content)) + content
    return head + b"".join(frames.compress(content) for content in records)


def wacz(contents: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as file:
        for name, content in {"datapackage.json": b"{}", **contents}.items():
            file.writestr(name, content)
    return packed.getvalue()
