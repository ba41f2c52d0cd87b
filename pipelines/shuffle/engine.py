"""The shuffle that every labeling pass runs on: splits in, sorted files out, on Apache Beam.

A *split* is a part of the input that one worker reads at a time. Its rows are partitioned by the
high bits of a key into *buckets*; each bucket is then reduced by a vectorised kernel and written as
one Parquet file a table. There are two carriers of the rows from one to the other:

``files``
    Each split writes its rows once, ordered by bucket, into a segment file, and only pointers go
    through Beam's ``GroupByKey``: memory stays flat on the embedded runner, which keeps all
    elements of a stage in lists. For workers that share a disk.
``engine``
    The same bytes go through the engine's own ``GroupByKey``.

The output is equal byte for byte with either, whatever the number of workers and the order of
bundles: a kernel gets the rows of its bucket by table, then in the order of the split ids, then as
they were read. Other splits of the same input give another order; a kernel whose output must not
depend on it sorts.

A finished split and a finished bucket are never done again (see `pipelines.shuffle.markers`). The
pipeline has only what every runner does right: Create, ParDo and GroupByKey, with one terminal
branch. Errors are written as files by the step that meets them.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import apache_beam as beam
import pyarrow as pa

from curation.runs.table_files import file_name, parquet_bytes
from labeling.errors import IntegrityError, WinnowError
from labeling.memory import release_memory
from pipelines.shuffle import (
    engine_jobs,
    failures,
    markers,
    partition,
    runners,
    segments,
    storage,
)
from pipelines.shuffle.gather import Combine, Tables
from pipelines.shuffle.markers import File, Marker
from pipelines.shuffle.monitor import monitored
from pipelines.shuffle.segments import Segment, SegmentSlice

__all__ = ["Combine", "Shuffle", "Split", "Tables", "keep_all", "n_buckets_for", "run", "united"]

Carrier = Literal["files", "engine"]

ROWS_PER_BUCKET = 300_000
"""Rows for which a bucket's kernel is fastest (80,000 to 600,000 are nearly as good)."""

MAX_BUCKETS = 1 << 16

ROWS_AT_ONCE = 500_000
"""Rows of a bucket's table that are collected before they are combined for the first time."""

N_GROUPS = 64
"""Groups of consecutive buckets: a segment has one pointer for each, not one for each bucket."""


def keep_all(table: str, rows: pa.Table) -> pa.Table:
    """Combine nothing."""
    return rows


class Split(NamedTuple):
    """One part of the input; `kind` selects the reader, `arguments` are for it."""

    split_id: str
    kind: str
    arguments: tuple[Any, ...]


UNITED = "united"
"""Kind of a split whose arguments are several splits."""


def united(splits: Sequence[Split]) -> Split:
    """Return one split for several small ones, whose rows go into one segment."""
    return splits[0] if len(splits) == 1 else Split(splits[0].split_id, UNITED, tuple(splits))


@dataclass(eq=False)
class Shuffle(beam.PTransform):
    """Read splits, shuffle their tables by key, reduce each bucket to files.

    In: (number, `Split`), with numbers that differ. Out: the number of each finished bucket.
    The work folder was prepared by `begin`.

    Parameters
    ----------
    read
        Yields (table name, rows) of a split; runs in the worker. The same split always gives the
        same rows. Only the rows of one yield are held.
    keys
        For each table name the column that it is shuffled by, of ids (see `labeling.keys.ids`).
    reduce
        Kernel: all rows of one bucket by table name, in the order of the splits, to output tables.
        Tables without rows in the bucket are absent, and buckets without rows have no output.
        Kernels run in threads.
    n_buckets
        A power of two.
    work_dir, out_dir
        Folders that all workers share, on one file system: for segments and markers (see
        `pipelines.shuffle.markers`), and for the output.
    combine
        Makes fewer rows of a table's rows, so that a key with very many of them does not fill the
        memory: runs whenever more than `ROWS_AT_ONCE` rows of a bucket have been collected. The
        output of the kernel must not depend on whether it ran.
    carrier
        The way of the rows from `read` to `reduce`.
    name
        Name on the terminal.
    """

    read: Callable[[Split], Iterable[tuple[str, pa.Table]]]
    keys: Mapping[str, str]
    reduce: Callable[[Tables], Tables]
    n_buckets: int
    work_dir: str
    out_dir: str
    combine: Combine = keep_all
    carrier: Carrier = "files"
    name: str = "shuffle"

    def expand(self, splits: beam.PCollection) -> beam.PCollection:
        """Apply the shuffle."""
        # Groups of distinct keys spread the splits over the workers as Reshuffle does, with a third
        # of its transforms, which take longer than the work of a small pass.
        return (
            splits
            | "Spread" >> beam.GroupByKey()
            | "Map" >> beam.ParDo(_Map(self))
            | "Group" >> beam.GroupByKey()
            | "Reduce" >> beam.ParDo(_Reduce(self))
        )

    @property
    def partial_dir(self) -> str:
        """Folder of files until they are whole."""
        return storage.join(self.work_dir, "partial")

    @property
    def groups(self) -> list[tuple[int, int]]:
        """Ranges of consecutive buckets that are reduced one after the other by one worker."""
        n = min(self.n_buckets, N_GROUPS) if self.carrier == "files" else self.n_buckets
        size = self.n_buckets // n
        return [(first, first + size) for first in range(0, self.n_buckets, size)]


def run(shuffle: Shuffle, splits: Sequence[Split], beam_options: Sequence[str] = ()) -> None:
    """Run a shuffle to its end; work that an earlier run of it finished is not done again.

    Parameters
    ----------
    shuffle, splits
        The shuffle, and its input; split ids are distinct.
    beam_options
        Options for Beam as on its command line, such as ``--runner=FlinkRunner``; without a runner
        the embedded one is used. See `pipelines.shuffle.runners` for short names.

    Raises
    ------
    WinnowError
        The first error, by split id, that reading or reducing met.
    IntegrityError
        If Beam reports success and not all was done.
    KeyboardInterrupt
        If the process was interrupted, also where Beam reports something else.
    """
    if begin(shuffle, splits):
        with runners.ready(beam_options) as options:
            run_job([shuffle], splits, shuffle, options)
    finish(shuffle)


def begin(shuffle: Shuffle, splits: Sequence[Split]) -> bool:
    """Prepare the folders of a shuffle; return whether there is work."""
    storage.make_folder(shuffle.out_dir)
    job = _job(shuffle, splits)
    if markers.is_job_done(shuffle.work_dir, shuffle.out_dir, job):
        return False
    markers.begin_job(shuffle.work_dir, job)
    return True


def begin_again(shuffle: Shuffle, splits: Sequence[Split]) -> None:
    """Prepare the folders of a shuffle, unless another attempt of the same job has done so."""
    storage.make_folder(shuffle.out_dir)
    if not markers.is_job(shuffle.work_dir, _job(shuffle, splits)):
        markers.begin_job(shuffle.work_dir, _job(shuffle, splits))


def run_job(
    shuffles: Sequence[Shuffle],
    splits: Sequence[Split],
    transform: beam.PTransform,
    beam_options: Sequence[str],
) -> None:
    """Run a pipeline with some shuffles, of which the first has begun and reads some splits.

    Parameters
    ----------
    shuffles
        The shuffles in their order.
    splits
        Splits of the first shuffle.
    transform
        Transform of (number, split) that applies the shuffles.
    beam_options
        Options for Beam, of `pipelines.shuffle.runners.ready`.
    """
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    names = dict.fromkeys((shuffles[0].name, shuffles[-1].name))
    options = engine_jobs.with_name(beam_options, "-to-".join(names))
    pipeline = runners.pipeline(options, min(len(splits), shuffles[0].n_buckets))
    _ = pipeline | beam.Create(list(enumerate(splits)), reshuffle=False) | transform
    work_dirs = {shuffle.name: shuffle.work_dir for shuffle in shuffles}
    try:
        with (
            monitored(work_dirs, engine_jobs.workers_of(options)),
            runners.interruptible(),
        ):
            engine_jobs.run_to_end(pipeline)
    except Exception as error:
        for shuffle in shuffles:
            failures.raise_first(shuffle.work_dir)
        known = failures.from_engine(error, shuffles[0].work_dir)
        if known is not None:
            raise known from error
        raise


def finish(shuffle: Shuffle) -> None:
    """Mark a shuffle as done after its job.

    Raises
    ------
    WinnowError
        The first error, by split id, that reading or reducing met.
    IntegrityError
        If not all was done.
    """
    failures.raise_first(shuffle.work_dir)
    n_finished = len(markers.finished(shuffle.work_dir, "buckets"))
    if markers.n_splits(shuffle.work_dir) and n_finished != shuffle.n_buckets:
        raise IntegrityError(
            "Beam reports success, but not all buckets are there",
            facts={"work": shuffle.work_dir, "buckets": shuffle.n_buckets, "found": n_finished},
            help="give the same command again; if that does not help, try another runner",
        )
    markers.finish_job(shuffle.work_dir)


def _job(shuffle: Shuffle, splits: Sequence[Split]) -> dict[str, Any]:
    parts = [sorted(shuffle.keys.items()), sorted(splits)]
    digest = hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()
    return {
        "name": shuffle.name,
        "carrier": shuffle.carrier,
        "n_splits": len(splits),
        "n_buckets": shuffle.n_buckets,
        "digest": digest,
    }


def n_buckets_for(n_rows: int) -> int:
    """Return the power of two that gives buckets of about `ROWS_PER_BUCKET` rows.

    Examples
    --------
    >>> [n_buckets_for(n) for n in (0, 300_000, 10_000_000, 1_000_000_000)]
    [1, 1, 32, 4096]
    """
    return min(MAX_BUCKETS, 1 << max(0, round(math.log2(max(n_rows, 1) / ROWS_PER_BUCKET))))


class _Map(beam.DoFn):
    def __init__(self, shuffle: Shuffle) -> None:
        self._shuffle = shuffle

    def process(self, element: tuple[int, Iterable[Any]]) -> Iterator[tuple[int, Any]]:
        markers.begin_work(self._shuffle.work_dir)
        _, splits = element
        for split in splits:
            yield from self._pointers(Split(*split))

    def _pointers(self, split: Split) -> Iterator[tuple[int, Any]]:
        groups = list(enumerate(self._shuffle.groups))
        try:
            if self._shuffle.carrier == "files":
                segment = failures.retried(functools.partial(self._segment, split))
                release_memory()
                yield from ((number, segment) for number, _ in groups)
            else:
                parts = failures.retried(lambda: list(self._chunks(split)))
                for number, (first, last) in groups:
                    yield number, segments.cut(split.split_id, parts, first, last)
        except (WinnowError, OSError) as error:
            failures.write_error(self._shuffle.work_dir, f"map-{split.split_id}", error)

    def _chunks(self, split: Split) -> Iterator[partition.Chunk]:
        splits = split.arguments if split.kind == UNITED else (split,)
        read = (self._shuffle.read(Split(*fields)) for fields in splits)
        rows = itertools.chain.from_iterable(read)
        return partition.chunks(rows, self._shuffle.keys, self._shuffle.n_buckets)

    def _segment(self, split: Split) -> Segment:
        """Write the segment of a split, unless a whole one is there."""
        work_dir, partial_dir = self._shuffle.work_dir, self._shuffle.partial_dir
        folder = storage.join(work_dir, "segments")
        path = storage.join(folder, split.split_id)
        marker_path = markers.split_marker(work_dir, split.split_id)
        marker = markers.read_marker(marker_path, folder)
        if marker is None:
            with storage.writing(path, partial_dir) as writer:
                footer, n_rows = segments.write_segment(writer, self._chunks(split))
            file = File(split.split_id, writer.n_bytes, writer.sha256)
            marker = Marker((file,), n_rows, {"footer": footer})
            markers.write_marker(marker_path, marker, partial_dir)
        return Segment(split.split_id, path, marker.facts["footer"], marker.files[0].n_bytes)


class _Reduce(beam.DoFn):
    def __init__(self, shuffle: Shuffle) -> None:
        self._shuffle = shuffle

    def process(self, element: tuple[int, Iterable[Any]]) -> Iterator[int]:
        group, pointers = element
        first, last = self._shuffle.groups[group]
        pointer_class = Segment if self._shuffle.carrier == "files" else SegmentSlice
        of_split = {pointer[0]: pointer_class(*pointer) for pointer in pointers}
        if len(of_split) < markers.n_splits(self._shuffle.work_dir):
            return  # a split has failed, and written its error
        try:
            reader = None
            for bucket in range(first, last):
                if not self._is_finished(bucket):
                    reader = reader or segments.Reader(of_split.values(), first, last)
                    failures.retried(functools.partial(self._finish, bucket, reader))
                    release_memory()
                yield bucket
        except (WinnowError, OSError) as error:
            failures.write_error(self._shuffle.work_dir, f"reduce-{bucket:05d}", error)

    def _is_finished(self, bucket: int) -> bool:
        path = markers.bucket_marker(self._shuffle.work_dir, bucket)
        return markers.read_marker(path, self._shuffle.out_dir) is not None

    def _finish(self, bucket: int, reader: segments.Reader) -> None:
        """Reduce a bucket and commit its output."""
        shuffle = self._shuffle
        tables = reader.tables(bucket, shuffle.combine, ROWS_AT_ONCE)
        output = shuffle.reduce(tables) if tables else {}
        del tables
        files = []
        for table, rows in output.items():
            name = file_name(table, bucket, shuffle.n_buckets)
            path = storage.join(shuffle.out_dir, name)
            with storage.writing(path, shuffle.partial_dir) as writer:
                writer.write(parquet_bytes(rows))
            files.append(File(name, writer.n_bytes, writer.sha256))
        n_rows = {table: len(rows) for table, rows in output.items()}
        path = markers.bucket_marker(shuffle.work_dir, bucket)
        markers.write_marker(path, Marker(tuple(files), n_rows, {}), shuffle.partial_dir)
