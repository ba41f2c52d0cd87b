"""Web archives to signals, placements, links and images.

An archive is read twice: first for the images that it holds and for its redirects, then for its
pages, so that no more than one page is held at a time. URLs are compared without their scheme and
fragment, with the host in lower case and without a default port; nothing else is taken for equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa

from labeling.html.page import Page, read_page
from labeling.keys import ids
from labeling.keys.urls import Resolver
from labeling.readers.http import Broken, Record
from labeling.readers.image_files import Located, host_of
from labeling.readers.page_rows import Gathered
from labeling.readers.warc import ARCHIVE_SUFFIXES, read_records
from labeling.readers.wat import WAT_SUFFIXES, read_wat

PAGES_PER_TABLE = 200

INPUT_SUFFIXES = (*ARCHIVE_SUFFIXES, *WAT_SUFFIXES)

_HTML = ("text/html", "application/xhtml+xml")
_MAX_REDIRECTS = 5


def read_archive(
    path: Path, name: str, locate: Callable[[str], Located | None]
) -> Iterator[tuple[str, pa.Table]]:
    """Read one WARC, ARC or WAT file.

    Parameters
    ----------
    path
        The file; its ending says what it is.
    name
        Its path below the data folder. A stored image's location is ``<name>#<offset>``.
    locate
        Finds images that the archive does not hold.

    Yields
    ------
    name, table
        Tables of `labeling.schemas` by name: signals, placements, links, images and rejects.
        Rejects are the reasons of `labeling.readers.http.Broken` for records, and those of
        `labeling.html.page` for parts of pages. Of an archive with a ``shared_member`` no image is
        taken from the archive, for it could not be found again.
    """
    stored = _Stored()
    if path.name.lower().endswith(WAT_SUFFIXES):
        pages = read_wat(path)
    else:
        stored = _stored(path, name)
        pages = _pages(path)
    gathered = Gathered(lambda url: stored.find(url) or locate(url))
    broken = {(b.offset, b.reason): b for b in stored.broken}
    n_pages = 0
    for item in pages:
        if isinstance(item, Broken):
            broken[item.offset, item.reason] = item
        else:
            gathered.add(item, host_of(item.url), missing_is_reject=False)
            n_pages += 1
            if n_pages % PAGES_PER_TABLE == 0:
                yield from gathered.tables()
    for key in sorted(broken):
        gathered.reject(f"{name}#{key[0]}", broken[key].reason, broken[key].value)
    yield from gathered.tables()


def read_stored(path: Path, offset: int) -> bytes | None:
    """Return the body of the response at an offset; None where there is none."""
    for found in read_records(path, lambda status, mime: True, offset):
        is_here = isinstance(found, Record) and found.offset == offset
        return found.body if is_here and isinstance(found, Record) else None
    return None


def _pages(path: Path) -> Iterator[Page | Broken]:
    for found in read_records(path, _is_page):
        if isinstance(found, Broken):
            yield found
        elif _is_page(found.status, found.mime):
            yield read_page(found.body, found.url, found.charset)


@dataclass
class _Stored:
    """The images and redirects of an archive, by `_key` of their URL."""

    images: dict[str, Located] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)

    def find(self, url: str) -> Located | None:
        key = _key(url)
        for _ in range(_MAX_REDIRECTS):
            if key in self.images or key not in self.redirects:
                break
            key = self.redirects[key]
        return self.images.get(key)


def _stored(path: Path, name: str) -> _Stored:
    result = _Stored()
    for found in read_records(path, _is_image):
        if isinstance(found, Broken):
            result.broken.append(found)
        elif found.body:
            location = f"{name}#{found.offset}"
            image = Located(ids.digest(found.body), location, len(found.body))
            result.images.setdefault(_key(found.url), image)
        elif found.redirect:
            target = Resolver(found.url)(found.redirect)
            result.redirects.setdefault(_key(found.url), _key(target))
    if any(found.reason == "shared_member" for found in result.broken):
        result.images.clear()
    return result


def _is_page(status: int, mime: str) -> bool:
    return status == 200 and mime in _HTML


def _is_image(status: int, mime: str) -> bool:
    return status == 200 and mime.startswith("image/")


def _key(url: str) -> str:
    """Return what URLs of the same resource have in common.

    Examples
    --------
    >>> _key("HTTP://A.org:80/x?y#z") == _key("https://a.org/x?y")
    True
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    except ValueError:
        return url
    query = f"?{parts.query}" if parts.query else ""
    return f"//{parts.hostname or ''}{port}{parts.path or '/'}{query}"
