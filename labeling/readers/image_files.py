"""References to images, in pages and tables, to files, and files to ids."""

from __future__ import annotations

import functools
import os
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from labeling.errors import InputError
from labeling.keys import ids
from labeling.keys.urls import authority, serialised
from labeling.objects.client import is_address
from labeling.objects.paths import ObjectPath, join, path_of
from labeling.readers.site_names import PROTOCOLS, file_names, host_folder, host_of_folder
from labeling.readers.zips import ZIP_SUFFIX, read_zipped, zipped_names
from labeling.substitutes import N_START, is_pointer

MAX_CACHED = 50_000
"""Images that a `Locator` caches."""

LFS_POINTER = "lfs_pointer"
"""Reason of a reject."""

POINTER = ids.digest("pointer")
"""Id of all files of images that are pointers of Git LFS or git-annex; they have no content."""

_ODD_PART = re.compile(r"(?:\A|/)\.{0,2}(?:/|\Z)")
"""Empty at the beginning of an absolute path; else empty or dots, which have a meaning."""

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
    find_stored
        Returns the image that archives store at a URL, or None; sites come before it.
    template
        Path or URL in which ``{image}`` is replaced by a reference that is not a URL.
    """

    def __init__(
        self,
        base: Path,
        sites: Sequence[str],
        find_stored: Callable[[str], Located | None] = lambda url: None,
        template: str = "{image}",
    ) -> None:
        self.base = base
        self._root = os.fspath(base)
        self._template = template
        self._sites = sites
        self._find_stored = find_stored
        folders = (f"{self._root}/", template.partition("{image}")[0])
        self._object_folders = tuple(filter(is_address, folders))
        self._folders = functools.cache(self._host_folders)
        self.locate = functools.lru_cache(maxsize=MAX_CACHED)(self._locate)

    def _locate(self, reference: str) -> Located | None:
        """Return the image of a URL or a path; None for a path without a file or an invalid URL.

        The id is the digest of the bytes if the file exists, else the digest of the URL.
        """
        if "://" not in reference:
            reference = self._template.replace("{image}", reference)
        if "://" not in reference or reference.startswith(self._object_folders):
            return self._read(reference)
        url = serialised(reference)
        if not url:
            is_web = reference.strip().lower().startswith("http")
            return None if is_web else Located(ids.digest(reference), reference, 0)
        pointer = None
        for site in self._sites:
            for folder in self._folders(site).get(authority(url), ()):
                for name in file_names(url):
                    located = self._in_site(site, f"{folder}/{name}")
                    if located is not None and located.n_bytes:
                        return located
                    if located is not None and located.image_id == POINTER:
                        pointer = located
        return self._find_stored(url) or pointer or Located(ids.digest(url), url, 0)

    @property
    def reads_objects(self) -> bool:
        """True where files of images are objects of a store, with a request for each."""
        return bool(self._object_folders)

    def with_template(self, template: str) -> Locator:
        """Return a finder of the same files, by another template."""
        return Locator(self.base, self._sites, self._find_stored, template)

    def _host_folders(self, site: str) -> dict[str, list[str]]:
        """Return the folders of a site by their host; there may be several of one, as of A.org."""
        root = join(self.base, site)
        folders: dict[str, list[str]] = defaultdict(list)
        try:
            if self._is_zipped(site):
                names = {host_folder(name) for name in zipped_names(root)}
            else:
                names = {entry.name for entry in root.iterdir()}
                for name in names.intersection(PROTOCOLS):
                    names |= {f"{name}/{entry.name}" for entry in (root / name).iterdir()}
        except (InputError, OSError):
            return {}
        for name in sorted(names):
            folders[host_of_folder(name)].append(name)
        return folders

    def _is_zipped(self, site: str) -> bool:
        return site.lower().endswith(ZIP_SUFFIX) and join(self.base, site).is_file()

    def _in_site(self, site: str, path: str) -> Located | None:
        return self._unpack(site, path) if self._is_zipped(site) else self._read(f"{site}/{path}")

    def _unpack(self, site: str, path: str) -> Located | None:
        content = read_zipped(join(self.base, site), path, MAX_ZIPPED_BYTES + 1)
        if content is None or len(content) > MAX_ZIPPED_BYTES:
            return None
        if is_pointer(content[:N_START]):
            return Located(POINTER, f"{site}#{path}", 0)
        return Located(ids.digest(content), f"{site}#{path}", len(content))

    def _read(self, path: str) -> Located | None:
        location = self._below_base(path)
        if location is None:
            return None
        try:
            with self._open(location) as file:
                if is_pointer(file.read(N_START)):
                    return Located(POINTER, location, 0)
                file.seek(0)
                return Located(ids.digest_file(file), location, file.tell())
        except (OSError, ValueError):
            return None

    def _open(self, location: str) -> BufferedReader:
        if isinstance(self.base, ObjectPath) or is_address(location):
            return join(self.base, location).open("rb")
        path = os.path.join(self._root, location)
        if not os.path.isfile(path):  # a pipe would block
            raise FileNotFoundError(path)
        return open(path, "rb")

    def _below_base(self, path: str) -> str | None:
        """Return a path from `base` in its normal form, or an address; None if it leads elsewhere.

        Addresses elsewhere are those of `template` and of sites, which the configuration names.
        """
        if not is_utf8(path):
            return None
        # Objects of paths take longer than the file system, for each row of a table.
        if self._root[:1] == "/" and not _ODD_PART.search(path):
            return path
        location = path_of(path) if is_address(path) else PurePosixPath(path)
        if location.is_relative_to(self.base):
            location = location.relative_to(self.base)
        return None if location.is_absolute() or ".." in location.parts else str(location)


def is_utf8(name: str) -> bool:
    """Return whether the name of a file is text, as all that is written into tables."""
    return name.isascii() or name.encode("utf-8", "replace").decode() == name


def named(base: Path, path: Path) -> str:
    """Return the name of a path for messages and tables: from `base`, or whole if it is not below.

    Examples
    --------
    >>> named(Path("/data"), Path("/data/a/b.csv")), named(Path("/data"), Path("/etc/b.csv"))
    ('a/b.csv', '/etc/b.csv')
    """
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()
