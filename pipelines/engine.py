"""The shuffle that every labeling pass runs on: splits in, sorted files out, on Apache Beam.

A *split* is a part of the input that one worker reads at a time. Its rows are partitioned by the
high bits of a key into *buckets* and written once, as Arrow, into a segment file; only pointers to
the parts go through Beam's ``GroupByKey``, so memory stays flat on the embedded runner, which keeps
all elements of a stage in lists. Each bucket is then reduced by a vectorised kernel and written as
one Parquet file a table. Parts are taken in the order of their splits, so that the output is equal
byte for byte whatever the number of workers and the order of bundles.

The pipeline uses only what every runner does right: Create, Reshuffle, ParDo and GroupByKey, with
one terminal branch. Errors and rows put aside are written as files by the step that finds them.
"""

from __future__ import annotations

import itertools
import json
import logging
import math
import os
import signal
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions

from curation.manifest import write_parquet
from labeling import errors, ids
from labeling.errors import ConfigError, WinnowError

Tables = Mapping[str, pa.Table]

Combine = Callable[[str, pa.Table], pa.Table]
"""Name of a table and some of its rows, to fewer rows of the same columns."""

ROWS_PER_BUCKET = 300_000
"""Rows for which a bucket's kernel is fastest (80,000 to 600,000 are nearly as good)."""

ROWS_AT_ONCE = 500_000
"""Rows of a bucket's table that are collected before they are combined for the first time."""

EMBEDDED = "FnApiRunner"
"""Beam's embedded runner by its own name: ``DirectRunner`` would first try to download another."""


def keep_all(table: str, rows: pa.Table) -> pa.Table:
    """Combine nothing."""
    return rows


class Split(NamedTuple):
    """One part of the input: what reads it (`kind`), and what to read."""

    split_id: str
    kind: str
    arguments: tuple[Any, ...]


class Part(NamedTuple):
    """Where the rows of one table, split and bucket lie in a segment file."""

    table: str
    split_id: str
    path: str
    offset: int
    length: int


@dataclass(eq=False)
class Shuffle(beam.PTransform):
    """Read splits, shuffle their tables by key, reduce each bucket to files.

    In: `Split`. Out: the number of each bucket written.

    Parameters
    ----------
    read
        Returns (table name, rows) for a split, any number of times; runs in the worker.
    keys
        For each table name the column that it is shuffled by, of ids (see `labeling.ids`).
    reduce
        Kernel: all rows of one bucket by table name, in the order of the splits, to output tables.
        Tables without rows in the bucket are absent.
    n_buckets
        A power of two.
    work_dir, out_dir
        Folders that all workers share: for segment files and errors, and for the output.
    combine
        Makes fewer rows of a table's rows, so that a key with very many of them does not fill the
        memory: run on what has been collected of a bucket whenever that is more than
        `ROWS_AT_ONCE`. The kernel gets the same whether it ran or not.
    """

    read: Callable[[Split], Iterable[tuple[str, pa.Table]]]
    keys: Mapping[str, str]
    reduce: Callable[[Tables], Tables]
    n_buckets: int
    work_dir: str
    out_dir: str
    combine: Combine = keep_all

    def expand(self, splits: beam.PCollection) -> beam.PCollection:
        """Apply the shuffle."""
        return (
            splits
            | "Spread" >> beam.Reshuffle()
            | "Map" >> beam.ParDo(_Map(self))
            | "Group" >> beam.GroupByKey()
            | "Reduce" >> beam.ParDo(_Reduce(self))
        )


def run(shuffle: Shuffle, splits: Sequence[Split], beam_options: Sequence[str] = ()) -> None:
    """Run a shuffle to its end.

    Parameters
    ----------
    shuffle
        What to do.
    splits
        The input; split ids are distinct.
    beam_options
        Options for Beam as on its command line, such as ``--runner=FlinkRunner``; without a runner
        the embedded one is used.

    Raises
    ------
    WinnowError
        The first error, by split id, that reading or reducing met.
    KeyboardInterrupt
        If the process was interrupted, whatever Beam makes of that.
    """
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    Path(shuffle.work_dir).mkdir(parents=True, exist_ok=True)
    Path(shuffle.out_dir).mkdir(parents=True, exist_ok=True)
    with _interruptible(), _pipeline(beam_options) as pipeline:
        _ = pipeline | beam.Create(list(splits)) | shuffle
    _raise_first(Path(shuffle.work_dir))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Raise `KeyboardInterrupt` at the end where one was wrapped or lost: Beam does both."""
    interrupts: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    except Exception as error:
        if interrupts:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupts:
        raise KeyboardInterrupt


def _pipeline(beam_options: Sequence[str]) -> beam.Pipeline:
    named = any(option.startswith("--runner") for option in beam_options)
    options = beam_options if named else [*beam_options, f"--runner={EMBEDDED}"]
    try:
        return beam.Pipeline(options=PipelineOptions(list(options)))
    except (ValueError, TypeError, ImportError, AttributeError) as error:
        raise ConfigError(
            "Beam refuses the runner or its options",
            facts={"options": " ".join(options), "cause": error},
        ) from error


def n_buckets_for(n_rows: int) -> int:
    """Return the power of two that gives buckets of about `ROWS_PER_BUCKET` rows.

    Examples
    --------
    >>> [n_buckets_for(n) for n in (0, 300_000, 10_000_000, 1_000_000_000)]
    [1, 1, 32, 4096]
    """
    return 1 << max(0, round(math.log2(max(n_rows, 1) / ROWS_PER_BUCKET)))


class _Map(beam.DoFn):
    def __init__(self, shuffle: Shuffle) -> None:
        self._read = shuffle.read
        self._keys = dict(shuffle.keys)
        self._n_buckets = shuffle.n_buckets
        self._work_dir = Path(shuffle.work_dir)

    def process(self, split: Split) -> Iterator[tuple[int, Part]]:
        split = Split(*split)
        path = self._work_dir / f"segment-{split.split_id}-{uuid.uuid4().hex}.arrow"
        try:
            with path.open("wb") as segment:
                for table, rows in self._read(split):
                    for bucket, content in self._partition(table, rows):
                        offset = segment.tell()
                        segment.write(content)
                        part = Part(table, split.split_id, str(path), offset, len(content))
                        yield bucket, part
        except WinnowError as error:
            _write_error(self._work_dir, f"map-{split.split_id}", error)

    def _partition(self, table: str, rows: pa.Table) -> Iterator[tuple[int, pa.Buffer]]:
        if len(rows) == 0:
            return
        bucket = ids.bucket(ids.to_words(rows[self._keys[table]]), self._n_buckets)
        order = np.argsort(bucket, kind="stable")
        starts = np.searchsorted(bucket[order], np.arange(self._n_buckets + 1))
        ordered = rows.take(pa.array(order))
        for number in np.flatnonzero(np.diff(starts)):
            part = ordered.slice(starts[number], starts[number + 1] - starts[number])
            yield int(number), _to_ipc(part)


class _Reduce(beam.DoFn):
    def __init__(self, shuffle: Shuffle) -> None:
        self._reduce = shuffle.reduce
        self._combine = shuffle.combine
        self._n_buckets = shuffle.n_buckets
        self._work_dir = Path(shuffle.work_dir)
        self._out_dir = Path(shuffle.out_dir)

    def process(self, element: tuple[int, Iterable[Part]]) -> Iterator[int]:
        bucket, parts = element
        try:
            output = self._reduce(_read_parts(parts, self._combine))
        except WinnowError as error:
            _write_error(self._work_dir, f"reduce-{bucket:05d}", error)
            return
        for table, rows in output.items():
            path = self._out_dir / f"{table}-{bucket:05d}-of-{self._n_buckets:05d}.parquet"
            partial = self._work_dir / f"{path.name}.{uuid.uuid4().hex}"
            write_parquet(rows, partial)
            os.replace(partial, path)
        yield bucket


def _read_parts(parts: Iterable[Part], combine: Combine) -> dict[str, pa.Table]:
    """Return the rows of a bucket by table; a part that a retry has written again counts once."""
    distinct = {(p.table, p.split_id, p.offset): p for p in sorted(Part(*p) for p in parts)}
    tables = {}
    for table, of_table in itertools.groupby(distinct.values(), key=lambda part: part.table):
        tables[table] = _collect(table, of_table, combine)
    return tables


def _collect(table: str, parts: Iterable[Part], combine: Combine) -> pa.Table:
    waiting: list[pa.Table] = []
    n_rows, most = 0, ROWS_AT_ONCE
    for part in parts:
        with pa.memory_map(part.path) as segment:
            content = segment.read_at(part.length, part.offset)
        waiting.append(pa.ipc.open_stream(content).read_all())
        n_rows += len(waiting[-1])
        if n_rows > most:
            waiting = [combine(table, pa.concat_tables(waiting)).combine_chunks()]
            n_rows = len(waiting[0])
            most = max(ROWS_AT_ONCE, 2 * n_rows)
    return pa.concat_tables(waiting).combine_chunks()


def _to_ipc(rows: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows.combine_chunks())
    return sink.getvalue()


def _write_error(work_dir: Path, name: str, error: WinnowError) -> None:
    facts = {key: str(value) for key, value in error.facts.items()}
    content = {
        "type": type(error).__name__,
        "message": error.message,
        "facts": facts,
        "help": error.help,
    }
    (work_dir / f"error-{name}.json").write_text(json.dumps(content), encoding="utf-8")


def _raise_first(work_dir: Path) -> None:
    for path in sorted(work_dir.glob("error-*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        kind: type[WinnowError] = getattr(errors, content["type"])
        raise kind(content["message"], facts=content["facts"], help=content["help"])
