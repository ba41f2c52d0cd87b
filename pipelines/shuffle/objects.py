"""Files of a shuffle in an object store, such as ``s3://…`` and ``gs://…``.

An object appears whole when it is closed, and replaces what had its name, so nothing is renamed or
synced. A worker that was given up may still write: what it writes has the same bytes.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from labeling.errors import ConfigError
from labeling.objects import client
from labeling.objects.paths import path_of

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)

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
    """Raise `ConfigError` for a store that is not known, `StoreError` for one that fails."""
    if not client.is_address(path):
        raise ConfigError(
            "the shared folder is in no store that is known",
            facts={"folder": path},
            help="name a folder, or an address of s3://, gs:// or az://",
        )
    list_names(path)


@contextmanager
def writing(path: str) -> Iterator[IO[bytes]]:
    """Write an object that appears at the end of the block, unless there is an error."""
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as spool:
        yield spool
        spool.seek(0)
        client.write_object(path, spool)


@contextmanager
def reading(path: str) -> Iterator[IO[bytes]]:
    """Open an object for reading, from its beginning or in ranges."""
    with path_of(path).open("rb") as handle:
        yield handle


def list_names(folder: str) -> list[str]:
    """Return the sorted names of the objects directly in a folder."""
    return client.names_in(folder, with_folders=False)


def size(path: str) -> int | None:
    """Return the size of an object in bytes, or None where it is missing."""
    try:
        return client.facts_of(path).n_bytes
    except FileNotFoundError:
        return None


def remove(path: str) -> None:
    """Remove an object and all in the folder of its name, as far as they are there."""
    client.remove_objects(path)
