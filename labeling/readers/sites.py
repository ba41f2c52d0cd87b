"""A folder or zip file of HTML pages to signals, placements, links and images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from labeling.html.page import MAX_PAGE_BYTES, Page, read_page
from labeling.keys.urls import host_of, is_url
from labeling.objects.paths import join
from labeling.readers.guard import rejecting
from labeling.readers.image_files import Locator, named
from labeling.readers.listing import REPEATED, files_below, no_input, skipped_files
from labeling.readers.media_types import N_SNIFFED, media_type
from labeling.readers.page_rows import PageRows
from labeling.readers.site_names import (
    PAGE_SUFFIXES,
    SCRIPT_SUFFIXES,
    linked_url,
    page_url,
    split_query,
    without_number,
)
from labeling.readers.zips import ZIP_SUFFIX, is_encrypted, passed_over, read_zipped, zipped_names

IMAGE_SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".jfif",
    ".png",
    ".gif",
    ".webp",
    ".avif",
    ".bmp",
    ".ico",
    ".tif",
    ".tiff",
)
"""Endings of files that may be images of pages, which are not listed as skipped."""


def site_pages(base: Path, path: str) -> list[str]:
    """Return the paths of the pages of a site below its folder, or in its zip file, sorted.

    Files of scripts (``.php``, …), with a query in their names and without an ending are pages if
    they begin as HTML does.

    Raises
    ------
    InputError
        If there are no pages, or the zip file cannot be read.
    """
    root = join(base, path)
    pages = [name for name in _names(base, path) if _is_page(root, name)]
    if not pages:
        raise no_input(base, path, PAGE_SUFFIXES + SCRIPT_SUFFIXES)
    return pages


def other_files(base: Path, path: str, pages: Sequence[str]) -> dict[Path, str]:
    """Return the files of a site that are neither pages nor images, with their endings.

    Those without an ending may be either. With them are those that are hidden or cannot be read,
    and in a zip file those with the name of another, by their kind.

    Parameters
    ----------
    base, path, pages
        The site, and its `site_pages`.
    """
    root = join(base, path)
    names = set(_names(base, path)).difference(pages)
    endings = {name: Path(split_query(name)[0]).suffix.lower() for name in names}
    return _unread(base, path) | {
        root / name: ending
        for name, ending in endings.items()
        if ending not in ("", *IMAGE_SUFFIXES) and not _is_image_of_script(root, name, ending)
    }


def _unread(base: Path, path: str) -> dict[Path, str]:
    """Return the files of a site that are hidden or cannot be read, with their kind."""
    root = join(base, path)
    if _is_zipped(root):
        members = enumerate(passed_over(root))
        return {root / f"{name}#{number}": kind for number, (name, kind) in members}
    skipped = skipped_files(base, path, ("",))
    return {file: kind for file, kind in skipped.items() if kind != REPEATED or file.is_dir()}


def _is_zipped(root: Path) -> bool:
    return root.name.lower().endswith(ZIP_SUFFIX) and root.is_file()


def _names(base: Path, path: str) -> list[str]:
    """Return the names of the files below the folder of a site, or in its zip file."""
    root = join(base, path)
    if _is_zipped(root):
        return zipped_names(root)
    return [file.relative_to(root).as_posix() for file in files_below(base, path)]


def _is_page(root: Path, path: str) -> bool:
    whole = without_number(path.rpartition("/")[2].lower())
    name, query = split_query(whole)
    if whole.endswith(PAGE_SUFFIXES):
        return True
    if not query and "." in name and not name.endswith(SCRIPT_SUFFIXES):
        return False
    return media_type("", _read(root, path, N_SNIFFED) or b"") == "text/html"


def _is_image_of_script(root: Path, path: str, ending: str) -> bool:
    """Return whether a script, such as ``img.php?id=3``, wrote an image."""
    if ending not in SCRIPT_SUFFIXES:
        return False
    return media_type("", _read(root, path, N_SNIFFED) or b"").startswith("image/")


def read_site(root: Path, pages: Sequence[str], locator: Locator) -> Iterator[tuple[str, pa.Table]]:
    """Read pages of a site.

    Parameters
    ----------
    root
        Folder or zip file with a folder for each host.
    pages
        Paths of pages below `root`: ``<host>/<path>.html``, for ``https://<host>/<path>.html``.
    locator
        Finds the files of the images.

    Yields
    ------
    name, table
        Tables of `labeling.schemas` by name: pages, signals, placements, links, images and rejects.
        A page that cannot be unpacked or parsed is a reject, ``bad_record``; one whose path makes
        no URL, or that is in no folder of a host, is a ``bad_url``.
    """
    rows = PageRows()
    for path in pages:
        content = _read(root, path, MAX_PAGE_BYTES + 1)
        if content is None:
            locked = root.is_file() and is_encrypted(root, path)
            rows.reject(f"{root.name}#{path}", "bad_record", "encrypted" if locked else path)
            continue
        url = page_url(path)
        if not is_url(url):
            rows.reject(f"{root.name}#{path}", "bad_url", url or path)
            continue
        site = named(locator.base, root)
        origin = (f"{site}#{path}" if root.is_file() else f"{site}/{path}", None)
        with rejecting(partial(rows.reject, f"{root.name}#{path}"), "bad_record"):
            page = _with_linked_pages(read_page(content, url))
            rows.add_page(page, host_of(url), locator.locate, origin, missing_is_reject=True)
        if rows.is_full():
            yield from rows.tables()
    yield from rows.tables()


def _with_linked_pages(page: Page) -> Page:
    """Return a page whose links lead to pages, where tools wrote the names of their files."""
    links = (link._replace(url=linked_url(link.url)) for link in page.links)
    return replace(page, links=tuple(links))


def _read(root: Path, path: str, n_bytes: int) -> bytes | None:
    """Return the first bytes of a page; None if it cannot be read."""
    if root.is_file():
        return read_zipped(root, path, n_bytes)
    try:
        with (root / path).open("rb") as file:
            return file.read(n_bytes)
    except OSError:
        return None
