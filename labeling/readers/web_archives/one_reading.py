"""Archives that are read for their images and then for their pages, small ones only once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from labeling.readers.web_archives.http import Broken, Record, Unused, Wanted
from labeling.readers.web_archives.warc import read_records

MAX_KEPT = 64 << 20
"""Bytes of decoded bodies that are kept in memory."""

MAX_RECORDS = 50_000
"""Records of an archive that are kept in memory."""

_Item = Record | Unused | Broken


class OneReading:
    """`labeling.readers.web_archives.warc.read_records`, which keeps the records of small archives.

    Parameters
    ----------
    wanted
        Decides whether a body is read, for all readings.
    """

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._n_left = MAX_KEPT
        self._kept: dict[Path, list[_Item] | None] = {}

    def __call__(self, path: Path, wanted: Wanted) -> Iterator[_Item]:
        """Read the responses of an archive; the parameters are those of `read_records`."""
        if path not in self._kept:
            self._kept[path] = self._items(path)
        kept = self._kept[path]
        return read_records(path, wanted) if kept is None else (_as(wanted, item) for item in kept)

    def _items(self, path: Path) -> list[_Item] | None:
        """Return all records; None if they are many, or one of them depends on what is wanted."""
        items = []
        n_left = self._n_left
        for item in read_records(path, self._wanted):
            items.append(item)
            n_left -= len(item.body) if isinstance(item, Record) else 0
            if n_left < 0 or len(items) > MAX_RECORDS or self._depends(item):
                return None
        self._n_left = n_left
        return items

    def _depends(self, item: _Item) -> bool:
        """Return whether a record reads otherwise, and not only without body, where not wanted."""
        if isinstance(item, Record):
            return bool(item.head.redirect) and self._wanted(item.head.status, item.head.mime)
        return isinstance(item, Broken) and item.is_wanted


def _as(wanted: Wanted, item: _Item) -> _Item:
    """Return a record as it is read where only some are wanted."""
    if not isinstance(item, Record) or item.head.redirect or item.is_revisit:
        return item
    return item if wanted(item.head.status, item.head.mime) else Unused(item.head.mime)
