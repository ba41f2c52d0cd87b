"""The base of all kinds of input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, ClassVar

import pyarrow as pa

from labeling.objects.paths import identity, join
from labeling.readers.image_files import Locator, named
from labeling.readers.listing import input_files, skipped_files
from labeling.readers.web_archives.image_index import ImageIndex
from pipelines.run.sections import Section


def reader(name: str) -> Callable[..., Any]:
    """Return a function of `labeling.readers`, such as ``web_archives.archives:read_archive``.

    By its name and not by an import: every stage imports the keys of the inputs, but only signals
    are to be made again when a reader changes (`curation.runs.code.MAKERS` lists the readers).
    """
    function: Callable[..., Any] = resolve_name(f"labeling.readers.{name}")
    return function


Paths = str | tuple[str, ...]
"""A file, a folder, or a pattern of these such as ``2024-*/*.csv``; or several."""


@dataclass(frozen=True)
class ReadContext:
    """The data folder, finders of image files and of images in archives, and the known labels.

    ``is_first`` is True for the first files of an input, of which one reader at a time reads some.
    """

    base: Path
    locator: Locator
    index: ImageIndex | None
    label_ids: Callable[[], Container[str]]
    is_first: bool = True


class Input(Section, ABC):
    """One input of a run; the fields of a subclass are the keys of its section."""

    path_keys: ClassVar[tuple[str, ...]] = ("path",)
    """Keys that are paths below the data folder; the first one identifies the input."""

    suffixes: ClassVar[tuple[str, ...]]
    """Endings of the files that are read, in lower case."""

    files_per_split: ClassVar[int] = 1
    """Files that a worker reads at a time."""

    bytes_per_row: ClassVar[int] = 100
    """Bytes of a file that give about one signal."""

    counted: ClassVar[str] = "signals"
    """Table whose rows `label.limit` counts."""

    stores_images: ClassVar[bool] = False
    """Whether the files hold images that any input may refer to by their URL."""

    reads_labels: ClassVar[bool] = False
    """Whether the rows depend on the labels of the taxonomy."""

    @property
    def path_names(self) -> list[str]:
        """The paths of the section, as they are written there."""
        values = (getattr(self, key) for key in self.path_keys)
        return [path for value in values for path in ([value] if isinstance(value, str) else value)]

    @property
    def shown_path(self) -> str:
        """The paths of the key that identifies the input, in one text."""
        first = getattr(self, self.path_keys[0])
        return first if isinstance(first, str) else ", ".join(first)

    def files(self, base: Path) -> list[str]:
        """Return the names of the files to read below the data folder, sorted.

        Raises
        ------
        InputError
            If no file has one of the endings.
        """
        paths = getattr(self, self.path_keys[0])
        return [named(base, path) for path in input_files(base, paths, self.suffixes)]

    def skipped(self, base: Path, files: Sequence[str]) -> dict[Path, str]:
        """Return the files beside `files` that are not read, with their endings."""
        return skipped_files(base, getattr(self, self.path_keys[0]), self.suffixes)

    def check(self, base: Path, files: Sequence[str]) -> None:
        """Raise `InputError` if the beginnings of some of `files` show that they cannot be read."""

    def notes(self, base: Path, files: Sequence[str]) -> dict[str, str]:
        """Return what was guessed about some of `files`, by their names."""
        return {}

    def identities(self, base: Path, files: Sequence[str]) -> list[str]:
        """Return for each of `files` a text that is the same for the same file in any section."""
        return [identity(join(base, file)) for file in files]

    def paths(self, base: Path, files: Sequence[str]) -> list[Path]:
        """Return the paths of everything that is read for some of `files`."""
        return [join(base, file) for file in files]

    def sizes_beside(self, base: Path) -> dict[str, str]:
        """Return names and sizes of further files, which take too long to digest."""
        return {}

    @abstractmethod
    def read(self, files: Sequence[str], context: ReadContext) -> Iterator[tuple[str, pa.Table]]:
        """Yield tables of `labeling.schemas`, by name, from some of `files`."""
