"""Objects as open files, read in ranges that grow while one follows the other."""

from __future__ import annotations

import io
import os
from typing import Any

from labeling.objects.client import Facts, facts_of, read_range

FIRST_BYTES = 256 << 10
"""Bytes of a request, as most images are smaller."""

MOST_BYTES = 8 << 20
"""Bytes of a request that follows others."""


KEPT_BYTES = 1 << 20
"""Bytes that are kept of the block before."""


class ObjectFile(io.RawIOBase):
    """An object that is open for reading, as a file in binary mode.

    Parameters
    ----------
    url
        The object.
    facts
        Its facts; None to get them with the first bytes. Another version is refused from then on.
    """

    def __init__(self, url: str, facts: Facts | None = None) -> None:
        self.name = url
        self._facts = facts
        self._position = 0
        self._start, self._block, self._n_ahead = 0, b"", FIRST_BYTES

    @property
    def n_bytes(self) -> int:
        """Size of the object."""
        if self._facts is None:
            self._facts = facts_of(self.name)
        return self._facts.n_bytes

    def read_at(self, offset: int, n_bytes: int) -> bytes:
        """Return the bytes from an offset on, as many as there are; the position stays."""
        content = self._in_block(offset, n_bytes)
        offset, n_more = offset + len(content), n_bytes - len(content)
        if n_more > 0 and (self._facts is None or offset < self.n_bytes):
            self._fetch(offset, n_more)
            content += self._in_block(offset, n_more)
        return content

    def _in_block(self, offset: int, n_bytes: int) -> bytes:
        begin = offset - self._start
        return self._block[begin : begin + n_bytes] if begin >= 0 else b""

    def _fetch(self, start: int, n_bytes: int) -> None:
        """Replace the block; by a larger one that begins with its end, where that is near.

        Readers of archives pass over a member and go back to it.
        """
        stop, end, before = start + n_bytes, self._start + len(self._block), b""
        if self._block and end <= start <= end + self._n_ahead:
            start, before = end, self._block[-KEPT_BYTES:]
            self._n_ahead = min(4 * self._n_ahead, MOST_BYTES)
        else:
            self._n_ahead = FIRST_BYTES
        version = None if self._facts is None else self._facts.version
        stop = max(stop, start + self._n_ahead)
        block, self._facts = read_range(self.name, start, stop, version)
        self._start, self._block = start - len(before), before + block

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with the next bytes, and return how many these are."""
        content = self.read_at(self._position, len(buffer))
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def readall(self) -> bytes:
        """Return all further bytes."""
        content = self.read_at(self._position, max(0, self.n_bytes - self._position))
        self._position += len(content)
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position, and return it."""
        if whence == os.SEEK_END:
            offset += self.n_bytes
        elif whence == os.SEEK_CUR:
            offset += self._position
        self._position = max(0, offset)
        return self._position

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True
