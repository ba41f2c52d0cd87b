"""Files in gzip, bzip2, xz and Zstandard, unpacked up to the first damage.

The readers of the standard library ignore what follows a whole member of bzip2 or xz if its first
bytes are damaged, and lose up to a buffer of what precedes a damage.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Protocol

import pyarrow as pa

from labeling.objects.paths import ObjectPath

_ZSTANDARD = ".zst"
_READ_BYTES = 4 << 10
_STEP_BYTES = 2 << 10
"""Bytes that are unpacked at a time, and so are lost at most before a damage."""


class _Decompressor(Protocol):
    """A decompressor of one member, as `bz2.BZ2Decompressor`."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gzip:
    """A decompressor of one member of gzip."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


_STARTS: dict[str, Callable[[], _Decompressor]] = {
    ".gz": _Gzip,
    ".bz2": bz2.BZ2Decompressor,
    ".xz": lzma.LZMADecompressor,
}


def is_packed(path: Path) -> bool:
    """Return whether a file is compressed, by its ending."""
    return path.suffix.lower() in (*_STARTS, _ZSTANDARD)


def unpacked(path: Path, n_bytes: int) -> Iterator[bytes]:
    """Yield the content of a compressed file in pieces of at least `n_bytes`.

    Members that follow each other are all read, with zeros between them or not.

    Raises
    ------
    OSError, EOFError, zlib.error, lzma.LZMAError
        After what precedes the damage, for a file that is damaged or cut.
    """
    ending = path.suffix.lower()
    if ending == _ZSTANDARD:
        source = path.open("rb") if isinstance(path, ObjectPath) else str(path)
        with pa.input_stream(source, compression="zstd") as stream:
            yield from _joined(iter(lambda: stream.read(_STEP_BYTES), b""), n_bytes)
    else:
        with path.open("rb") as file:
            yield from _joined(_members(file, _STARTS[ending]), n_bytes)


def _joined(steps: Iterator[bytes], n_bytes: int) -> Iterator[bytes]:
    """Yield steps in pieces of at least some bytes; before an error, what precedes it."""
    piece = bytearray()
    try:
        for step in steps:
            piece += step
            if len(piece) >= n_bytes:
                yield bytes(piece)
                piece.clear()
    except Exception as error:
        if piece:
            yield bytes(piece)
        raise error
    if piece:
        yield bytes(piece)


def _members(file: IO[bytes], start: Callable[[], _Decompressor]) -> Iterator[bytes]:
    content = file.read(_READ_BYTES)
    while content:
        decompressor = start()
        while not decompressor.eof:
            if is_waiting := decompressor.needs_input and not content:
                content = file.read(_READ_BYTES)
            step = decompressor.decompress(content, _STEP_BYTES)
            if is_waiting and not content and not step:
                raise EOFError("the file ends within compressed data")
            content = b""
            yield step
        content = _without_zeros(file, decompressor.unused_data)


def _without_zeros(file: IO[bytes], content: bytes) -> bytes:
    """Return the beginning of the next member, an empty text at the end of the file."""
    content = content.lstrip(b"\0")
    while not content and (block := file.read(_READ_BYTES)):
        content = block.lstrip(b"\0")
    return content
