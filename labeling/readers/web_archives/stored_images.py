"""The images and redirects of archives, as rows of `labeling.readers.web_archives.image_index`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys import ids
from labeling.keys.runs import run_begins
from labeling.keys.urls import Resolver
from labeling.readers.listing import WAT_SUFFIXES
from labeling.readers.web_archives.archive_files import archives_in
from labeling.readers.web_archives.http import Broken, Record, Unused, Wanted
from labeling.readers.web_archives.image_index import (
    ROWS,
    ImageIndex,
    entries_of,
    text_key,
    url_key,
)
from labeling.readers.web_archives.warc import read_records
from labeling.schemas import REJECTS, table_of

_ORDER = ("key", "is_redirect", "archive", "offset")

_Row = tuple[bytes, bool, bool, str, int, bytes, int]


ReadRecords = Callable[[Path, Wanted], Iterator[Record | Unused | Broken]]
"""`labeling.readers.web_archives.warc.read_records`, or another reading of the same."""


def read_stored_images(
    path: Path, name: str, read: ReadRecords = read_records
) -> Iterator[tuple[str, pa.Table]]:
    """Read the images and redirects of a file.

    Parameters
    ----------
    path, name
        As for `labeling.readers.web_archives.archives.read_archive`.
    read
        Reads the records.

    Yields
    ------
    name, table
        ``stored`` (`labeling.readers.web_archives.image_index.ROWS`), and ``rejects``: those that a
        reader of pages does not see. An archive with a ``shared_member`` has no images, because
        they could not be read again by an offset.
    """
    if path.name.lower().endswith(WAT_SUFFIXES):
        return
    for archive, its_name in archives_in(path, name)[0]:
        rows: list[_Row] = []
        rejects, is_shared = [], False
        for record in read(archive, is_image):
            item = _with_whole_body(record) if isinstance(record, Record) else record
            if isinstance(item, Record):
                rows += _rows_of(item, its_name)
            elif isinstance(item, Broken):
                is_shared |= item.reason == "shared_member"
                if item.is_wanted:
                    rejects.append((f"{its_name}#{item.offset}", item.reason, item.value[:200]))
        yield "stored", table_of([row for row in rows if row[1] or not is_shared], ROWS)
        yield "rejects", table_of(rejects, REJECTS.arrow)


def index_of(rows: pa.Table) -> ImageIndex:
    """Return an index in memory."""
    rows = referred_to(first_rows(rows))
    archives = sorted(rows["archive"].unique().to_pylist())
    return ImageIndex(entries_of(rows, archives), archives)


def first_rows(rows: pa.Table) -> pa.Table:
    """Return the rows in the order of an index, and of each URL the first of each archive.

    Of images by payload the first of all archives is kept: their bytes are the same.
    """
    names = rows["archive"].cast(pa.string())
    keys = rows.set_column(rows.column_names.index("archive"), "archive", names)
    order = pc.sort_indices(keys, [(column, "ascending") for column in _ORDER])
    rows = rows.take(order)
    numbers = names.take(order).combine_chunks().dictionary_encode().indices.to_numpy()
    numbers = np.where(rows["by_payload"].to_numpy(), -1, numbers)
    is_redirect = rows["is_redirect"].to_numpy()
    return rows.filter(pa.array(run_begins(ids.to_halves(rows["key"]), is_redirect, numbers)))


def referred_to(rows: pa.Table) -> pa.Table:
    """Return the rows without images by a payload that no ``revisit`` record refers to."""
    targets = rows["key"].filter(rows["is_redirect"]).combine_chunks()
    is_target = pc.is_in(rows["key"], value_set=targets)
    return rows.filter(pc.or_(pc.invert(rows["by_payload"]), is_target))


def is_image(status: int, mime: str) -> bool:
    """Return whether a response is an image that is found by its URL."""
    return status == 200 and mime.startswith("image/")


def _with_whole_body(record: Record) -> Record | Broken:
    """Return a record; or its reject, if it is an image that is cut, damaged or empty."""
    is_empty = not record.body and not record.head.redirect
    damage = record.damage or ("no bytes" if is_empty else "")
    if not damage:
        return record
    return Broken(record.offset, "bad_body", f"{damage}: {record.url}", is_wanted=True)


def _rows_of(record: Record, archive: str) -> Iterator[_Row]:
    """Yield the rows of a record: one for its URL, and one for the digest of its payload.

    A ``revisit`` refers by the digest, if there is one, and from there by the URL.
    """
    key, payload = url_key(record.url), text_key(record.payload) if record.payload else b""
    origin = archive, record.offset
    if record.body:
        image = bytes.fromhex(ids.digest(record.body)), len(record.body)
        yield key, False, False, *origin, *image
        if payload:
            yield payload, False, True, *origin, *image
    elif record.head.redirect:
        target = Resolver(record.url)(record.head.redirect)
        keys = [key, url_key(target) if target else key]
        if record.is_revisit and payload:
            keys.insert(1, payload)
        # To itself a URL redirects from http to https, for example.
        yield from (
            (source, True, False, *origin, target_key, 0)
            for source, target_key in zip(keys[:-1], keys[1:], strict=True)
            if source != target_key
        )
