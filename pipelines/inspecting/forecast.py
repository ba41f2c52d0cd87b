"""What a job will take: disk and memory, from the rows of its inputs. Rough by a factor of two."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from pipelines.shuffle.engine import ROWS_PER_BUCKET

INPUT_SCRATCH = 140
SIGNALS = 30
PASS_SCRATCH = 250
CANDIDATES = 8
"""Bytes that a row of the inputs takes: as segments of the first shuffle, as a row of the signals,
as what the passes keep and the segments of the largest of them, and as its share of a candidate.
The larger of what was measured on the demo's web (62,000 rows) and on 6,388 titles of a shop with
19,158 links, rounded up."""

BASE_MEMORY = 400 << 20
BUCKET_BYTES = 600
"""Bytes of memory: of a process with its libraries and what a split is read by, and for each row
of a bucket with what its kernel makes of it."""


@dataclass(frozen=True)
class Part:
    """One thing that is written: how many rows, and bytes for each."""

    name: str
    n_rows: int
    bytes_per_row: int
    is_kept: bool

    @property
    def n_bytes(self) -> int:
        """How many bytes it takes."""
        return self.n_rows * self.bytes_per_row


@dataclass(frozen=True)
class Disk:
    """What is written, and how much of it is there at the same time at most."""

    parts: tuple[Part, ...]
    n_bytes: int


def disk(n_rows: int, with_signals: bool) -> Disk:
    """Return what is written for so many rows of input.

    Parameters
    ----------
    n_rows
        Rows of all inputs.
    with_signals
        Whether the signals are still to be made.

    Examples
    --------
    >>> disk(1_000_000, with_signals=True).n_bytes
    288000000
    >>> disk(1_000_000, with_signals=False).n_bytes
    258000000
    """
    signals = (
        Part("signals, scratch", n_rows, INPUT_SCRATCH, False),
        Part("signals", n_rows, SIGNALS, True),
    )
    candidates = (
        Part("candidates, scratch", n_rows, PASS_SCRATCH, False),
        Part("candidates", n_rows, CANDIDATES, True),
    )
    if not with_signals:
        return Disk(candidates, sum(part.n_bytes for part in candidates))
    first = sum(part.n_bytes for part in signals)
    second = signals[1].n_bytes + sum(part.n_bytes for part in candidates)
    return Disk((*signals, *candidates), max(first, second))


def memory(n_rows: int, n_buckets: int) -> int:
    """Return the bytes that a worker process takes for buckets of so many rows together.

    Examples
    --------
    >>> memory(10**9, 4096) < 1 << 30
    True
    """
    return BASE_MEMORY + BUCKET_BYTES * min(n_rows // n_buckets, 2 * ROWS_PER_BUCKET)


def free_at(path: Path) -> tuple[Path, int]:
    """Return the folder that is or will hold `path`, and the bytes that are free there."""
    folder = path.absolute()
    while not folder.is_dir():
        folder = folder.parent
    return folder, shutil.disk_usage(folder).free
