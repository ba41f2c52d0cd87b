"""An index of the images that archives store, for lookups by URL.

It has an entry for each URL of an image and for each redirect, sorted by the digest of the URL, so
that a lookup reads a few pages of a file that is mapped into memory, however large it is. URLs are
compared in the form of `labeling.keys.urls`, without their scheme and default port.
"""

from __future__ import annotations

import hashlib
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from mmap import mmap
from typing import Any, cast

import numpy as np
import pyarrow as pa

from labeling.keys import ids
from labeling.keys.urls import resource
from labeling.readers.image_files import Located
from labeling.readers.listing import WACZ_SUFFIX

MAX_REDIRECTS = 5

ROWS = pa.schema(
    [
        ("key", ids.BINARY),
        ("is_redirect", pa.bool_()),
        ("by_payload", pa.bool_()),
        ("archive", pa.dictionary(pa.int32(), pa.string())),
        ("offset", pa.int64()),
        ("id", ids.BINARY),
        ("n_bytes", pa.int64()),
    ]
)
"""An image or a redirect: ``key`` is the `url_key` of its URL, or ``by_payload`` that of the digest
of its body which the archive states; ``id`` is the image's, or the key that the redirect leads to.
"""

_ENTRY = struct.Struct("=QQ16sQII")
_ENTRIES = np.dtype(
    {
        "names": ["high", "low", "id", "offset", "rank", "n_bytes"],
        "formats": ["u8", "u8", "V16", "u8", "u4", "u4"],
    }
)
"""``rank`` is the number of the archive, and for a redirect `_REDIRECT` more."""

_REDIRECT = 1 << 31


def url_key(url: str) -> bytes:
    """Return 16 bytes by which the URLs of a resource are looked up."""
    return text_key(resource(url))


def text_key(text: str) -> bytes:
    """Return 16 bytes of the digest of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def entries_of(rows: pa.Table, archives: Sequence[str]) -> bytes:
    """Return `ROWS` as entries of an index.

    Parameters
    ----------
    rows
        Sorted by key, redirects last, archive and offset.
    archives
        Sorted names of archives, those of the rows among them.
    """
    of_name = {name: number for number, name in enumerate(archives)}
    column = rows["archive"].combine_chunks()
    numbers = np.array([of_name[name] for name in column.dictionary.to_pylist()], np.int64)
    is_redirect = rows["is_redirect"].to_numpy()
    entries = np.empty(len(rows), _ENTRIES)
    entries["high"], entries["low"] = ids.to_halves(rows["key"]).T
    entries["id"] = ids.to_halves(rows["id"]).astype(">u8").view("V16").ravel()
    entries["offset"], entries["n_bytes"] = rows["offset"].to_numpy(), rows["n_bytes"].to_numpy()
    entries["rank"] = np.take(numbers, column.indices.to_numpy()) + _REDIRECT * is_redirect
    return entries.tobytes()


class ImageIndex:
    """The images and redirects of archives.

    Parameters
    ----------
    entries
        The bytes of `entries_of`; of rows in several parts, one after the other.
    archives
        The sorted names of the archives.
    """

    def __init__(self, entries: bytes | mmap, archives: Sequence[str]) -> None:
        self._entries = entries
        self._archives = archives
        rows = np.frombuffer(entries, _ENTRIES) if len(entries) else np.empty(0, _ENTRIES)
        self._high, self._low, self._rank = (
            memoryview(cast(Any, rows[name])) for name in ("high", "low", "rank")
        )

    def archives_of(self, name: str) -> range:
        """Return the numbers of the archives of a file: its own, or those within a WACZ."""
        if name.lower().endswith(WACZ_SUFFIX):
            return range(*(bisect_left(self._archives, name + end) for end in "#$"))
        return range(bisect_left(self._archives, name), bisect_right(self._archives, name))

    def find(self, url: str, near: range = range(0)) -> Located | None:
        """Return the image of a URL, over at most `MAX_REDIRECTS` redirects.

        Parameters
        ----------
        url
            Absolute URL.
        near
            Numbers of the archives that come first: those of the page that shows the image. Within
            them and of the others, the first by name and offset is taken.
        """
        return self._follow(url_key(url), near, MAX_REDIRECTS)

    def _follow(self, key: bytes, near: range, n_left: int) -> Located | None:
        for row in self._rows(key, near):
            start = row * _ENTRY.size
            _, _, target, offset, rank, n_bytes = _ENTRY.unpack_from(self._entries, start)
            if rank < _REDIRECT:
                return Located(target.hex(), f"{self._archives[rank]}#{offset}", n_bytes)
            located = self._follow(target, near, n_left - 1) if n_left else None
            if located is not None:
                return located
        return None

    def _rows(self, key: bytes, near: range) -> list[int]:
        """Return the rows of a key to try, four at most, however many archives have it.

        They are the first image and the first redirect, of the own archives and then of all.
        """
        high, low = struct.unpack(">QQ", key)
        start = bisect_left(self._high, high)
        if start == len(self._high) or self._high[start] != high:
            return []
        stop = bisect_right(self._high, high, start)
        start = bisect_left(self._low, low, start, stop)
        stop = bisect_right(self._low, low, start, stop)
        middle = bisect_left(self._rank, _REDIRECT, start, stop)
        rows = []
        for begin, end, least in ((start, middle, 0), (middle, stop, _REDIRECT)):
            row = bisect_left(self._rank, near.start + least, begin, end)
            if row < end and self._rank[row] - least in near:
                rows.append(row)
        rows += [begin for begin, end in ((start, middle), (middle, stop)) if begin < end]
        return list(dict.fromkeys(rows))
