"""Paths of files and of objects: every input is named, listed and opened through these."""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path, PosixPath
from typing import IO, Any

from labeling.objects.client import Facts, facts_of, is_address, is_folder, list_objects, names_in
from labeling.objects.object_file import ObjectFile

_ONE_SLASH = re.compile(r"\A(s3|gs|az):/(?!/)")

_listed: dict[str, Facts] = {}
"""Facts of objects by the last list that had them, so that a thousand take one request."""


class ObjectPath(PosixPath):
    """The path of an object, or of a folder of objects, as ``s3://bucket/crawl/x.warc.gz``.

    It has what winnow uses of a path: its parts, `open` and `stat`, and the content of a folder.
    """

    def __str__(self) -> str:
        return _ONE_SLASH.sub(r"\1://", super().__str__())

    def __fspath__(self) -> str:
        return str(self)

    def as_posix(self) -> str:
        """Return the address."""
        return str(self)

    @property
    def facts(self) -> Facts:
        """Size and version, or FileNotFoundError."""
        return _listed.get(str(self)) or facts_of(str(self))

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return size and time of an object; there is no such thing of a folder."""
        size, _, modified = self.facts
        mode = stat.S_IFREG | 0o444
        return os.stat_result((mode, 0, 0, 1, 0, 0, size, *[int(modified)] * 3))

    def is_file(self) -> bool:
        """Return whether there is an object."""
        try:
            return self.facts is not None
        except FileNotFoundError:
            return False

    def is_dir(self) -> bool:
        """Return whether there are objects below."""
        return is_folder(str(self))

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Return whether there is an object here or below."""
        return self.is_file() or self.is_dir()

    def is_symlink(self) -> bool:
        """Return False."""
        return False

    def open(self, mode: str = "r", *_: Any, **kwargs: Any) -> IO[Any]:  # type: ignore[override]
        """Open the object for reading."""
        file = ObjectFile(str(self), _listed.get(str(self)))
        file.read_at(0, 1)  # an object that is missing is an error now, as a file is
        whole = io.BufferedReader(file)
        return whole if "b" in mode else io.TextIOWrapper(whole, **kwargs)

    def iterdir(self) -> Generator[ObjectPath, None, None]:
        """Yield what is directly in a folder."""
        yield from (self / name for name in names_in(str(self)))

    def walk_objects(self) -> Iterator[ObjectPath]:
        """Yield all objects below, and keep their facts."""
        for url, facts in list_objects(str(self)):
            _listed[url] = facts
            yield ObjectPath(url)


def forget_objects() -> None:
    """Forget the facts of listed objects, which hold as long as one command runs."""
    _listed.clear()


def path_of(text: str | Path) -> Path:
    """Return the path of a file or of an object."""
    return ObjectPath(text) if is_address(str(text)) else Path(text)


def join(base: Path, name: str) -> Path:
    """Return a path that starts from a folder; an address or an absolute path is its own.

    Examples
    --------
    >>> str(join(Path("/data"), "s3://bucket/x")), str(join(path_of("s3://bucket"), "x/y"))
    ('s3://bucket/x', 's3://bucket/x/y')
    """
    is_whole = is_address(name) or os.path.isabs(name)
    return path_of(name) if is_whole else base / name


def open_raw(path: Path) -> io.FileIO | ObjectFile:
    """Return a file that is open for reading, without a buffer; of an object nothing is read yet.

    Raises
    ------
    FileNotFoundError
        If it is missing.
    """
    if isinstance(path, ObjectPath):
        return ObjectFile(str(path), path.facts)
    return io.FileIO(path)


def read_part(path: Path, offset: int, n_bytes: int) -> bytes | None:
    """Return some bytes of a file, as many as there are; None if it is missing, or no file."""
    if isinstance(path, ObjectPath):
        try:
            return ObjectFile(str(path)).read_at(offset, n_bytes)
        except FileNotFoundError:
            return None
    if not path.is_file():  # a pipe would block
        return None
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(n_bytes)


def is_remote(base: Path, names: Iterable[str]) -> bool:
    """Return whether some of the paths that start from a folder may be objects."""
    return isinstance(base, ObjectPath) or any(map(is_address, names))


def identity(path: Path) -> str:
    """Return a text that is the same for the same file by any path: links are followed."""
    return str(path) if isinstance(path, ObjectPath) else os.path.realpath(path)
