"""The rows of a job's inputs, and the disk and memory that they need, within a factor of two."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labeling.errors import InputError
from labeling.readers.table_files import parquet_footers
from pipelines.inputs.splits import input_of, input_paths
from pipelines.run.config import Config
from pipelines.run.dependencies import taxonomy_files
from pipelines.shuffle.engine import ROWS_PER_BUCKET, Split
from pipelines.shuffle.runners import n_threads

BYTES_PER_ROW = {
    "signals, scratch": 140,
    "signals": 30,
    "candidates, scratch": 250,
    "candidates": 8,
}
"""Bytes on disk for a row of the inputs: in the segments of the first shuffle, in the signals, in
the files of the passes and the segments of the largest of them, and its share of a candidate.
The larger of two measurements, rounded up: the demo's web (62,000 rows), and 6,388 titles of a shop
with 19,158 links."""

BASE_MEMORY = 400 << 20
BUCKET_BYTES = 600
"""Bytes of memory: of a process with its libraries and a split, and for each row of a bucket with
its results."""


@dataclass(frozen=True)
class Source:
    """One input: its kind, path, files, bytes, and rows; whether these are counted or guessed."""

    kind: str
    path: str
    n_files: int
    n_bytes: int
    n_rows: int
    is_exact: bool


@dataclass(frozen=True)
class Part:
    """One output or scratch folder, and its bytes."""

    name: str
    bytes_per_row: int
    n_bytes: int


def disk(n_rows: int, with_signals: bool) -> tuple[list[Part], int]:
    """Return the parts that a job writes, and the most bytes that exist at the same time.

    Parameters
    ----------
    n_rows
        Rows of all inputs.
    with_signals
        Whether the signals are still to be made.

    Examples
    --------
    >>> disk(1_000_000, with_signals=True)[1], disk(1_000_000, with_signals=False)[1]
    (288000000, 258000000)
    """
    parts = [Part(name, each, n_rows * each) for name, each in BYTES_PER_ROW.items()]
    scratch, signals, *candidates = (part.n_bytes for part in parts)
    if not with_signals:
        return parts[2:], sum(candidates)
    # The scratch of the signals is deleted before the candidates are begun.
    return parts, signals + max(scratch, sum(candidates))


def memory(n_rows: int, n_buckets: int) -> int:
    """Return the bytes that a process with a thread for each core takes.

    Parameters
    ----------
    n_rows, n_buckets
        Rows of a shuffle, and the buckets that hold them: each thread works on one.

    Examples
    --------
    >>> memory(10**9, 4096) < 1 << 30
    True
    """
    n_at_once = min(n_threads(), n_buckets)
    return BASE_MEMORY + n_at_once * BUCKET_BYTES * min(n_rows // n_buckets, 2 * ROWS_PER_BUCKET)


def free_space(path: Path) -> tuple[Path, int]:
    """Return the folder that holds or will hold `path`, and its free bytes."""
    folder = path.absolute()
    while not folder.is_dir():
        folder = folder.parent
    return folder, shutil.disk_usage(folder).free


def sources(config: Config, splits: Sequence[Split]) -> list[Source]:
    """Return the inputs in the order of the configuration, the taxonomy last, without reading them.

    The footers of Parquet files give their rows; those of other files are guessed by size, as for
    the buckets.

    Raises
    ------
    InputError
        If a file is missing, or the footer of one cannot be read.
    """
    of_input: dict[tuple[str, str], list[Split]] = {}
    for split in splits:
        path = input_of(config, split)[0].shown_path
        of_input.setdefault((split.kind, path), []).append(split)
    files = {key: input_paths(config, some) for key, some in of_input.items()}
    parquet = sorted({p for rows in files.values() for p in rows if p.suffix == ".parquet"})
    counted = dict(zip(parquet, parquet_footers.rows_of(parquet), strict=True))
    inputs = [_source(kind, path, rows, counted) for (kind, path), rows in files.items()]
    return [*inputs, _taxonomy(config)]


def _source(kind: str, path: str, guessed: dict[Path, int], counted: dict[Path, int]) -> Source:
    n_rows = sum(counted.get(file, n) for file, n in guessed.items())
    n_bytes = sum(file.stat().st_size for file in guessed)
    return Source(kind, path, len(guessed), n_bytes, n_rows, counted.keys() >= guessed.keys())


def _taxonomy(config: Config) -> Source:
    paths = taxonomy_files(config).paths
    for path in paths:
        if not path.is_file():
            raise InputError(
                "an input is missing",
                facts={"path": path},
                help="correct the path in the configuration; paths start from `base`",
            )
    n_bytes = sum(path.stat().st_size for path in paths)
    return Source("taxonomy", config.taxonomy.path, len(paths), n_bytes, 0, True)
