"""Mutations of files: bits, pieces, numbers and the words of their formats."""

from __future__ import annotations

import gzip
import random
import re
import zlib
from collections.abc import Sequence

WORDS = (
    b'', b'\x00', b'\xff', b'\xe9', b'\xef\xbb\xbf', b'\xff\xfe', b'\r', b'\n', b'\r\n\r\n', b'"',
    b',', b'\t', b'-1', b'0', b'NaN', b'1e999', b'99999999999999999999', b'2147483648', b'null',
    b'[]', b'{}', b'[[[[', b'\\ud800', b'\xed\xa0\x80', b'\xf0\x9f\x90\xb6', b'../',
    b'/etc/passwd', b'http://[', b'http://a:b@c:99999/', b'http://\xc3\xa9.org/', b'//', b'?',
    b'#', b'%', b'%zz', b'%00', b'data:,', b'<!--', b']]>', b'<svg>', b"<base href='http://['>",
    b'<meta charset=utf-7>', b'<meta charset=utf-16>', b'<![CDATA[', b'&#x110000;', b'gzip',
    b'deflate', b'br', b'chunked', b'Content-Length: -5\r\n', b'Content-Encoding: gzip, gzip\r\n',
    b'Location: http://[\r\n', b'WARC/1.0\r\n', b'PK\x03\x04', b'\x1f\x8b\x08', b'ustar',
    b'ffffffff',
)  # fmt: skip
"""Values at the edge of what formats allow."""

_NUMBER = re.compile(rb"\d+")


def mutate(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a file with one to six changes; half of the packed ones are changed inside.

    Parameters
    ----------
    content
        The file.
    others
        Files of the same format, from which pieces are taken.
    rng
        Decides everything: equal states give equal results.
    """
    if content[:2] == b"\x1f\x8b" and rng.random() < 0.5:
        inner = [inside for inside in map(_unpacked, others) if inside]
        return gzip.compress(mutate(_unpacked(content), inner or [b""], rng), 1, mtime=0)
    for _ in range(rng.randint(1, 6)):
        content = rng.choice(_CHANGES)(content, others, rng)
    return content


def _unpacked(content: bytes) -> bytes:
    parts, rest = [], content
    while rest[:2] == b"\x1f\x8b":
        member = zlib.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(rest))
        except zlib.error:
            break
        rest = member.unused_data
    return b"".join(parts)


def _span(content: bytes, rng: random.Random) -> tuple[int, int]:
    """Return the ends of a piece, mostly short."""
    start = rng.randint(0, len(content))
    return start, min(len(content), start + int(2 ** rng.uniform(0, 11)))


def _flip(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    if not content:
        return content
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :]


def _cut(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    return content[: rng.randint(0, len(content))]


def _delete(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    start, stop = _span(content, rng)
    return content[:start] + content[stop:]


def _repeat(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    start, stop = _span(content, rng)
    n = min(2 ** rng.randint(1, 12), 1 + (1 << 20) // max(1, stop - start))
    return content[:stop] + content[start:stop] * n + content[stop:]


def _insert(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    at = rng.randint(0, len(content))
    return content[:at] + rng.choice(WORDS) + content[at:]


def _overwrite(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    at, word = rng.randint(0, len(content)), rng.choice(WORDS)
    return content[:at] + word + content[at + len(word) :]


def _number(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """Replace a decimal number: lengths, statuses, dates, weights."""
    spans = [match.span() for match in _NUMBER.finditer(content[: 1 << 16])]
    if not spans:
        return content
    start, stop = rng.choice(spans)
    value = rng.choice((b"0", b"-1", b"1", b"4294967296", b"9" * 25, b"1e400", b"00", b"0x10"))
    return content[:start] + value + content[stop:]


def _splice(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    other = rng.choice(others)
    start, stop = _span(other, rng)
    at = rng.randint(0, len(content))
    return content[:at] + other[start:stop] + content[at:]


_CHANGES = (_flip, _flip, _cut, _delete, _repeat, _insert, _insert, _overwrite, _number, _splice)
