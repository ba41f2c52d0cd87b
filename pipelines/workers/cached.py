"""Results of slow functions that the threads of a worker share."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from curation.runs.table_files import file_name

T = TypeVar("T")

MAX_RESULTS = 4
"""Results that a cache keeps."""


class Cache(Generic[T]):
    """The latest results of a slow function, each made by one thread while others wait.

    The keys are digests of the content that a result is made from, never a path alone: a worker
    outlives its run, and in the next one the same path may hold other content.
    """

    def __init__(self) -> None:
        self._results: dict[Hashable, T] = {}
        self._lock = threading.RLock()

    def get(self, content: Hashable, make: Callable[[], T]) -> T:
        """Return the result for some content, given as digests; make it if it is not kept."""
        with self._lock:
            result = self._results.pop(content) if content in self._results else make()
            self._results[content] = result
            if len(self._results) > MAX_RESULTS:
                del self._results[next(iter(self._results))]
            return result

    def of_tables(
        self,
        directory: Path,
        names: Sequence[str],
        make: Callable[[dict[str, pa.Table]], T],
        *others: Hashable,
    ) -> T:
        """Return the result for some tables that are one file each.

        Parameters
        ----------
        directory, names
            Folder and names of the tables.
        make
            Returns the result for the tables by their names.
        others
            Digests of what else the result is made from.
        """
        # Digests and tables are of the same bytes, whatever happens to the files meanwhile.
        files = {name: (directory / file_name(name)).read_bytes() for name in names}
        digests = [hashlib.sha256(content).hexdigest() for content in files.values()]
        return self.get((*others, *digests), lambda: make(_parsed(files)))


def _parsed(files: dict[str, bytes]) -> dict[str, pa.Table]:
    return {name: pq.read_table(pa.BufferReader(content)) for name, content in files.items()}
