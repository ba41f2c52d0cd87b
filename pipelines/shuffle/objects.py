"""Files in an object store, such as ``s3://…`` and ``gs://…``, through Beam's file systems.

An object appears whole when it is closed, and replaces what had its name, so nothing is renamed or
synced. Names have no slash at the end and none of ``*?[``, which are patterns for Beam.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from labeling.errors import ConfigError

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)

_EXTRAS = {"s3": "aws", "gs": "gcp", "azfs": "azure"}
"""Extra of Beam with the file system of a scheme."""

IN_MEMORY = 8 << 20
"""Bytes up to which an object is kept in memory while it is written; a temporary file then."""


def is_object(path: str) -> bool:
    """Return whether a path names an object, not a file of this machine.

    Examples
    --------
    >>> [is_object(path) for path in ("s3://bucket/work", "run/work", "/data")]
    [True, False, False]
    """
    return _SCHEME.match(path) is not None


def check_folder(path: str) -> None:
    """Raise `ConfigError` unless objects below `path` can be named and reached."""
    if re.search(r"[*?\[]", path):
        raise ConfigError(
            "the name of a folder holds one of *?[",
            facts={"folder": path},
            help="choose another folder",
        )
    scheme = path.partition(":")[0]
    try:
        _system(path)
    except ValueError as error:
        extra = _EXTRAS.get(scheme)
        raise ConfigError(
            f"Beam has no file system for {scheme}://",
            facts={"folder": path},
            help=f"install it with: pip install 'apache-beam[{extra}]'" if extra else "",
        ) from error


@contextmanager
def writing(path: str) -> Iterator[IO[bytes]]:
    """Write an object that appears at the end of the block, unless there is an error."""
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as spool:
        yield spool
        spool.seek(0)
        handle = _system(path).create(path, compression_type=_plain())
        try:
            shutil.copyfileobj(spool, handle, 1 << 20)
            handle.close()
        except BaseException:
            remove(path)
            raise


@contextmanager
def reading(path: str) -> Iterator[IO[bytes]]:
    """Open an object for reading, from its beginning or in ranges."""
    with _system(path).open(path, compression_type=_plain()) as handle:
        yield handle


def list_names(folder: str) -> list[str]:
    """Return the sorted names of the objects directly in a folder."""
    return sorted(path.rpartition("/")[2] for path in _match(f"{folder.rstrip('/')}/*"))


def size(path: str) -> int | None:
    """Return the size of an object in bytes, or None where it is missing."""
    system = _system(path)
    return int(system.size(path)) if system.exists(path) else None


def remove(path: str) -> None:
    """Remove an object and all in the folder of its name, as far as they are there."""
    there = _match(f"{path.rstrip('/')}/**")
    if size(path) is not None:
        there.append(path)
    if there:
        _system(path).delete(there)


def _match(pattern: str) -> list[str]:
    (result,) = _system(pattern).match([pattern])
    return [metadata.path for metadata in result.metadata_list]


def _system(path: str) -> Any:
    """Return Beam's file system for a path; it takes its keys from options or the environment.

    Beam sets the options of the pipeline where it runs a worker itself, but not in one of Dask.
    """
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.options.value_provider import RuntimeValueProvider

    if FileSystems._pipeline_options is None and RuntimeValueProvider.runtime_options is None:
        FileSystems.set_options(PipelineOptions([]))
    return FileSystems.get_filesystem(path)


def _plain() -> str:
    from apache_beam.io.filesystem import CompressionTypes

    return str(CompressionTypes.UNCOMPRESSED)
