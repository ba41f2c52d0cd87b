"""Web archives to signals, placements, links and images.

Images are found by an index of all archives, which is read before the pages, so that only one page
is in memory at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from labeling.html.page import Page, read_page
from labeling.keys.urls import host_of
from labeling.readers.guard import PARSING_ERRORS, cause
from labeling.readers.image_files import MAX_CACHED, Located
from labeling.readers.listing import WAT_SUFFIXES
from labeling.readers.page_rows import Locate, PageRows
from labeling.readers.web_archives.archive_files import archives_in, other_members
from labeling.readers.web_archives.http import Broken, Record, Unused
from labeling.readers.web_archives.image_index import ROWS, ImageIndex
from labeling.readers.web_archives.one_reading import OneReading
from labeling.readers.web_archives.stored_images import (
    ReadRecords,
    index_of,
    is_image,
    read_stored_images,
)
from labeling.readers.web_archives.warc import read_records
from labeling.readers.web_archives.wat import read_wat
from labeling.schemas import SKIPS, table_of

MAX_KINDS, MAX_TYPE = 50, 60
"""Kinds of responses that are counted by their own names, and characters of a name."""

_HTML = ("text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml")


def read_archive(
    path: Path, name: str, locate: Locate, index: ImageIndex | None = None
) -> Iterator[tuple[str, pa.Table]]:
    """Read a WARC, ARC, WAT or WACZ file.

    Parameters
    ----------
    path
        The file, of the format that its ending names.
    name
        Its path below the data folder. A stored image's location is ``<name>#<offset>``, and
        ``<name>#<member>#<offset>`` in a WACZ.
    locate
        Finds images that the archives do not hold.
    index
        The images of all archives; if None, those of this file are found first.

    Yields
    ------
    name, table
        Tables of `labeling.schemas` by name: pages, signals, placements, links, images, rejects
        and skips.
        Rejects are the reasons of `labeling.readers.web_archives.http.Broken` for records, those of
        `labeling.html.page` for parts of pages, and ``bad_body`` for a page of which only the
        beginning can be read. Those of images are in the tables of `index`.

    Raises
    ------
    InputError
        If the file cannot be opened.
    """
    read: ReadRecords = read_records
    if index is None:
        read = OneReading(lambda status, mime: is_image(status, mime) or _is_page(status, mime))
        tables = list(read_stored_images(path, name, read))
        yield from ((table, rows) for table, rows in tables if table == "rejects")
        stored = [rows for table, rows in tables if table == "stored"]
        index = index_of(pa.concat_tables([ROWS.empty_table(), *stored]))
    near = index.archives_of(name)

    @lru_cache(maxsize=MAX_CACHED)
    def find(url: str) -> Located | None:
        return index.find(url, near) or locate(url)

    rows = PageRows()
    archives, problem = archives_in(path, name)
    if problem:
        rows.reject(f"{name}#", "truncated", problem)
    for archive, its_name in archives:
        yield from _read_pages(archive, its_name, find, rows, read)
    others: Counter[str] = Counter()
    for ending, number in other_members(path).items():
        others[_kept_kind(ending, others)] += number
    yield _skips(name, others)
    yield from rows.tables()


def _read_pages(
    path: Path, name: str, find: Locate, rows: PageRows, read: ReadRecords
) -> Iterator[tuple[str, pa.Table]]:
    """Add the pages of an archive to the rows, and yield their tables when they are many."""
    broken = {}
    skipped: Counter[str] = Counter()
    is_wat = path.name.lower().endswith(WAT_SUFFIXES)
    for item in read_wat(path) if is_wat else _pages(read(path, _is_page)):
        if isinstance(item, Broken):
            broken[item.offset, item.reason] = item.value
        elif isinstance(item, Unused):
            skipped[_kept_kind(item.kind, skipped)] += 1
        else:
            offset, page = item
            origin = (name, offset)
            rows.add_page(page, host_of(page.url), find, origin, missing_is_reject=False)
            if rows.is_full():
                yield from rows.tables()
    for (offset, reason), value in sorted(broken.items()):
        rows.reject(f"{name}#{offset}", reason, value)
    yield _skips(name, skipped)


def _skips(name: str, numbers: Mapping[str, int]) -> tuple[str, pa.Table]:
    """Return the table of the numbers of items in a file that are not used, by kind."""
    return SKIPS.name, table_of(
        [(name, *number) for number in sorted(numbers.items())], SKIPS.arrow
    )


def read_stored(path: Path, offset: int) -> bytes | None:
    """Return the body of the response at an offset; None if there is no response."""
    record = next(read_records(path, lambda status, mime: True, offset), None)
    return record.body if isinstance(record, Record) and record.offset == offset else None


def _pages(
    records: Iterable[Record | Unused | Broken],
) -> Iterator[tuple[int, Page] | Unused | Broken]:
    """Yield the pages of an archive, and the records that are neither pages nor images."""
    for record in records:
        if isinstance(record, Broken):
            yield record
        elif isinstance(record, Unused):
            if not record.kind.startswith("image/"):
                yield record
        elif record.is_revisit:
            if record.head.mime and not record.head.mime.startswith("image/"):
                yield Unused("revisit record")
        elif _is_page(record.head.status, record.head.mime):
            yield _parsed(record)


def _parsed(record: Record) -> tuple[int, Page] | Broken:
    try:
        page = read_page(record.body, record.url, record.head.charset)
    except PARSING_ERRORS as error:
        return Broken(record.offset, "bad_record", f"{record.url}: {cause(error)}")
    if record.damage:
        page = replace(page, losses=(*page.losses, ("bad_body", record.damage)))
    return record.offset, page


def _kept_kind(kind: str, known: Counter[str]) -> str:
    """Return a kind of records; a header may have any text, so that few are kept."""
    is_kept = len(kind) <= MAX_TYPE and (kind in known or len(known) < MAX_KINDS)
    return kind if is_kept else "other types"


def _is_page(status: int, mime: str) -> bool:
    return status == 200 and mime in _HTML
