"""An object store for tests: ``shelf://`` over a folder, without renaming and without folders.

The folder is named by the environment variable of `ROOT`, which worker processes inherit. A file
appears when it is closed, as an object does.
"""

from __future__ import annotations

import io
import os
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from apache_beam.io.filesystem import BeamIOError, FileMetadata, FileSystem

ROOT = "WINNOW_TEST_SHELF"
PREFIX = "shelf://"


class _Upload(io.BytesIO):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def close(self) -> None:
        if not self.closed:
            partial = self._path.with_name(f"{self._path.name}.{os.getpid()}.uploading")
            partial.write_bytes(self.getvalue())
            os.replace(partial, self._path)
        super().close()


class Shelf(FileSystem):
    @classmethod
    def scheme(cls) -> str:
        return "shelf"

    def join(self, basepath: str, *paths: str) -> str:
        return posixpath.join(basepath, *paths)

    def split(self, path: str) -> tuple[str, str]:
        head, _, tail = path.rpartition("/")
        return head, tail

    def mkdirs(self, path: str) -> None:
        raise BeamIOError("an object store has no folders")

    def has_dirs(self) -> bool:
        return False

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        root = Path(os.environ[ROOT])
        for path in sorted(root.iterdir()):
            name = PREFIX + unquote(path.name)
            if name.startswith(dir_or_prefix) and not name.endswith(".uploading"):
                yield FileMetadata(name, path.stat().st_size, path.stat().st_mtime)

    def create(self, path: str, mime_type: str = "", compression_type: Any = None) -> Any:
        return _Upload(self._file(path))

    def open(self, path: str, mime_type: str = "", compression_type: Any = None) -> Any:
        try:
            return io.BytesIO(self._file(path).read_bytes())
        except OSError as error:
            raise BeamIOError("open failed", {path: error}) from error

    def exists(self, path: str) -> bool:
        return self._file(path).is_file()

    def size(self, path: str) -> int:
        return self._file(path).stat().st_size

    def delete(self, paths: list[str]) -> None:
        for path in paths:
            self._file(path).unlink()

    def copy(self, source_file_names: Any, destination_file_names: Any) -> None:
        raise BeamIOError("nothing is copied")

    def rename(self, source_file_names: Any, destination_file_names: Any) -> None:
        raise BeamIOError("an object store cannot rename")

    def last_updated(self, path: str) -> float:
        return self._file(path).stat().st_mtime

    def checksum(self, path: str) -> str:
        raise NotImplementedError

    def metadata(self, path: str) -> FileMetadata:
        return FileMetadata(path, self.size(path), self.last_updated(path))

    def _file(self, path: str) -> Path:
        return Path(os.environ[ROOT], quote(path.removeprefix(PREFIX), safe=""))
