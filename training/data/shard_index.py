"""Shards as one sequence of samples, read in place: nothing is unpacked or copied."""

from __future__ import annotations

import dataclasses
import mmap
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.shards.tars import find_samples, map_shard, parse_json
from labeling.errors import InputError

MAX_OPEN = 256
"""Shards that are open at a time: each takes a file descriptor."""


@dataclass(frozen=True, eq=False)
class Shards:
    """The n samples of some shards, by number.

    Parameters
    ----------
    paths
        The shards.
    keys
        The image ids, in the order of the shards.
    spans
        ``int64[n, 5]``: number of the shard, start and stop of the JPEG, start and stop of the
        JSON.
    """

    paths: tuple[Path, ...]
    keys: list[str]
    spans: npt.NDArray[np.int64]
    _open: Callable[[Path], mmap.mmap] = field(
        default_factory=lambda: lru_cache(MAX_OPEN)(map_shard), init=False, repr=False
    )

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: npt.NDArray[np.int64]) -> Shards:
        """Return some of the samples, in the given order."""
        keys = [self.keys[row] for row in rows.tolist()]
        return dataclasses.replace(self, keys=keys, spans=self.spans[rows])

    def path(self, row: int) -> Path:
        """Return the shard of a sample."""
        return self.paths[int(self.spans[row, 0])]

    def jpeg(self, row: int) -> memoryview:
        """Return the JPEG of a sample: a view of the file, read when it is used."""
        _, start, stop, _, _ = self.spans[row].tolist()
        return memoryview(self._open(self.path(row)))[start:stop]

    def facts(self, row: int) -> dict[str, Any]:
        """Return the JSON of a sample.

        Raises
        ------
        InputError
            If it cannot be read. The message names the shard and the key.
        """
        _, _, _, start, stop = self.spans[row].tolist()
        path = self.path(row)
        return parse_json(self._open(path)[start:stop], path, self.keys[row])


def open_shards(paths: Sequence[Path]) -> Shards:
    """Find all samples of some shards; only the headers of the tars are read.

    Raises
    ------
    InputError
        If there is no sample, a shard is cut, or an image occurs twice.
    """
    keys: list[str] = []
    spans = array("q")
    for number, path in enumerate(paths):
        with map_shard(path) as data:
            for key, jpeg, json in find_samples(data, path):
                keys.append(key)
                spans.extend((number, jpeg.start, jpeg.stop, json.start, json.stop))
    _refuse_empty_or_doubled(keys, paths)
    return Shards(tuple(paths), keys, np.array(spans).reshape(-1, 5))


def _refuse_empty_or_doubled(keys: list[str], paths: Sequence[Path]) -> None:
    if not keys:
        raise InputError(
            "there is no image in the shards",
            facts={"shards": len(paths)},
            help="export a selection that keeps some labels; for held-out images, a larger share",
        )
    if len(set(keys)) < len(keys):
        twice = next(key for key, n in Counter(keys).items() if n > 1)
        raise InputError(
            "an image is in the shards twice",
            facts={"key": twice, "first shard": paths[0]},
            help="use the shards of one export, each once",
        )
