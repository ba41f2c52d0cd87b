"""Web archives to signals, placements, links and images.

An archive is read twice: first for the images that it holds and for its redirects, then for its
pages, so that only one page is in memory at a time. URLs are compared in the form of
`labeling.keys.urls`, without their scheme and default port; all other differences count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from labeling.html.page import Page, read_page
from labeling.keys import ids
from labeling.keys.urls import Resolver, host_of, resource
from labeling.readers.guard import PARSING_ERRORS, cause
from labeling.readers.http import Broken, Record
from labeling.readers.image_files import Located
from labeling.readers.page_rows import Locate, PageRows
from labeling.readers.warc import read_records
from labeling.readers.wat import WAT_SUFFIXES, read_wat

PAGES_PER_TABLE = 200

_HTML = ("text/html", "application/xhtml+xml")
_MAX_REDIRECTS = 5


def read_archive(path: Path, name: str, locate: Locate) -> Iterator[tuple[str, pa.Table]]:
    """Read one WARC, ARC or WAT file.

    Parameters
    ----------
    path
        The file, of the format that its ending names.
    name
        Its path below the data folder. A stored image's location is ``<name>#<offset>``.
    locate
        Finds images that the archive does not hold.

    Yields
    ------
    name, table
        Tables of `labeling.schemas` by name: pages, signals, placements, links, images and rejects.
        Rejects are the reasons of `labeling.readers.http.Broken` for records, and those of
        `labeling.html.page` for parts of pages. From an archive with a ``shared_member`` no image
        is taken, because it could not be read again by its offset.

    Raises
    ------
    InputError
        If the file cannot be opened.
    """
    stored = _Stored()
    if path.name.lower().endswith(WAT_SUFFIXES):
        pages = read_wat(path)
    else:
        stored = _stored(path, name)
        pages = _pages(path)

    def find(url: str) -> Located | None:
        return stored.find(url) or locate(url)

    rows = PageRows()
    broken = {(b.offset, b.reason): b for b in stored.broken}
    n_pages = 0
    for item in pages:
        if isinstance(item, Broken):
            broken[item.offset, item.reason] = item
        else:
            offset, page = item
            origin = (name, offset)
            rows.add_page(page, host_of(page.url), find, origin, missing_is_reject=False)
            n_pages += 1
            if n_pages % PAGES_PER_TABLE == 0:
                yield from rows.tables()
    for (offset, reason), record in sorted(broken.items()):
        rows.reject(f"{name}#{offset}", reason, record.value)
    yield from rows.tables()


def read_stored(path: Path, offset: int) -> bytes | None:
    """Return the body of the response at an offset; None if there is no response."""
    record = next(read_records(path, lambda status, mime: True, offset), None)
    return record.body if isinstance(record, Record) and record.offset == offset else None


def _pages(path: Path) -> Iterator[tuple[int, Page] | Broken]:
    for record in read_records(path, _is_page):
        if isinstance(record, Broken):
            yield record
        elif _is_page(record.head.status, record.head.mime):
            try:
                page = read_page(record.body, record.url, record.head.charset)
                yield record.offset, page
            except PARSING_ERRORS as error:
                yield Broken(record.offset, "bad_record", f"{record.url}: {cause(error)}")


@dataclass
class _Stored:
    """The images and redirects of an archive, by `resource` of their URL."""

    images: dict[str, Located] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)

    def find(self, url: str) -> Located | None:
        key = resource(url)
        for _ in range(_MAX_REDIRECTS):
            if key in self.images or key not in self.redirects:
                break
            key = self.redirects[key]
        return self.images.get(key)


def _stored(path: Path, name: str) -> _Stored:
    stored = _Stored()
    for record in read_records(path, _is_image):
        if isinstance(record, Broken):
            stored.broken.append(record)
        elif record.body:
            location = f"{name}#{record.offset}"
            image = Located(ids.digest(record.body), location, len(record.body))
            stored.images.setdefault(resource(record.url), image)
        elif record.head.redirect:
            target = Resolver(record.url)(record.head.redirect)
            stored.redirects.setdefault(resource(record.url), resource(target))
    if any(record.reason == "shared_member" for record in stored.broken):
        stored.images.clear()
    return stored


def _is_page(status: int, mime: str) -> bool:
    return status == 200 and mime in _HTML


def _is_image(status: int, mime: str) -> bool:
    return status == 200 and mime.startswith("image/")
