"""References to images, in pages and tables, to files, and files to ids."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from labeling.errors import InputError
from labeling.keys import ids
from labeling.readers.zips import ZIP_SUFFIX, read_zipped

MAX_CACHED = 50_000
"""Images that a `Locator` caches."""

MAX_ZIPPED_BYTES = 64 * 1024 * 1024
"""Bytes of an image in a zip file; a larger one is skipped."""


class Located(NamedTuple):
    """An image: its id, its path below the data folder or its URL, and its size (0: no file)."""

    image_id: str
    location: str
    n_bytes: int


class Locator:
    """Finds the image of a reference with `locate`, and caches the last ones.

    Parameters
    ----------
    base
        The data folder: paths start from it.
    sites
        Folders or zip files below `base` that hold a folder for each host: ``https://a.org/x.jpg``
        is looked for at ``<site>/a.org/x.jpg``.
    """

    def __init__(self, base: Path, sites: Sequence[str]) -> None:
        self.base = base
        self._sites = sites
        self.locate = functools.lru_cache(maxsize=MAX_CACHED)(self._locate)

    def _locate(self, reference: str) -> Located | None:
        """Return the image that a URL or a path refers to; None for a path without a file.

        The id is the digest of the bytes if the file exists, else the digest of the URL.
        """
        if "://" not in reference:
            return self._read(reference)
        for site in self._sites:
            path = site_path(reference)
            zipped = site.lower().endswith(ZIP_SUFFIX) and (self.base / site).is_file()
            located = self._unpack(site, path) if zipped else self._read(f"{site}/{path}")
            if located is not None:
                return located
        return Located(ids.digest(reference), reference, 0)

    def _unpack(self, site: str, path: str) -> Located | None:
        content = read_zipped(self.base / site, path, MAX_ZIPPED_BYTES + 1)
        if content is None or len(content) > MAX_ZIPPED_BYTES:
            return None
        return Located(ids.digest(content), f"{site}#{path}", len(content))

    def _read(self, path: str) -> Located | None:
        location = PurePosixPath(path)
        if location.is_absolute() or ".." in location.parts:
            return None
        try:
            if not (self.base / location).is_file():
                return None
            with (self.base / location).open("rb") as file:
                return Located(ids.digest_file(file), str(location), file.tell())
        except (OSError, ValueError):
            return None


def site_path(url: str) -> str:
    """Return the path of a URL's file below a site folder: host and path, without the query.

    Examples
    --------
    >>> site_path("https://a.org/fruit/red%20apple.jpg?size=2")
    'a.org/fruit/red apple.jpg'
    """
    return f"{host_of(url)}/{unquote(_split(url).path).lstrip('/')}"


def host_of(url: str) -> str:
    """Return the host of a URL in lower case; an empty text for anything else.

    Examples
    --------
    >>> host_of("https://A.org:80/x"), host_of("page 7"), host_of("http://[")
    ('a.org', '', '')
    """
    return _split(url).hostname or ""


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def named(base: Path, path: Path) -> str:
    """Return the name of a path for messages and tables: from `base`, or whole if it is not below.

    Examples
    --------
    >>> named(Path("/data"), Path("/data/a/b.csv")), named(Path("/data"), Path("/etc/b.csv"))
    ('a/b.csv', '/etc/b.csv')
    """
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()


def input_files(base: Path, path: str, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the file at `path`, or the files below it with one of the endings, sorted.

    Raises
    ------
    InputError
        If there are no such files.
    """
    root = base / path
    files = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file())
    files = [p for p in files if p.name.lower().endswith(suffixes)]
    if not files:
        raise no_input(root, suffixes)
    return files


def no_input(root: Path, suffixes: tuple[str, ...]) -> InputError:
    """Return the error for an input that is missing, or has no file with one of the endings."""
    return InputError(
        "an input contains no file that is read" if root.exists() else "an input is missing",
        facts={"path": root, "endings": ", ".join(suffixes)},
        help="correct the path in the configuration; paths start from `base`",
    )
