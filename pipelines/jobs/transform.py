"""The labeling passes as one transform of a Beam pipeline, for pipelines of one's own."""

from __future__ import annotations

import atexit
import functools
import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq

from curation.runs.table_files import parquet_bytes
from labeling.arguments import Natural, Rule, Text, check_fields
from labeling.frames.frames import to_table
from labeling.schemas import SIGNALS
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.jobs.from_signals import TAXONOMY_FILE, passes_on_signals, split_of, taxonomy_lines
from pipelines.passes.labeling_pass import Pass
from pipelines.run.config import SUPPORT_ONLY
from pipelines.shuffle import partition, segments
from pipelines.shuffle.engine import ROWS_AT_ONCE

Files = tuple[tuple[str, bytes], ...]
"""Path below a work folder and content of each file that a pass looks up."""

PowerOfTwo = Annotated[
    int, Rule("a power of two up to 65,536", lambda n: 1 <= n <= 1 << 16 and n & (n - 1) == 0)
]

READ_WITH_FILES = {"pages"}
"""Passes whose `read` looks up what earlier ones concluded.

The others must not be given it: where several tables that are brought together wait for the same
side input, the embedded runner of Beam 2.77 stops with "watermark-pending bundles".
"""


@dataclass(eq=False)
class CandidatesFromSignals(beam.PTransform):
    """Label images by the texts about them, on the runner and the workers of your own pipeline.

    In: `pyarrow.Table`, `pyarrow.RecordBatch` or `pandas.DataFrame` of `labeling.schemas.SIGNALS`,
    in batches of any size. Out: `pyarrow.Table` of `labeling.schemas.CANDIDATES`, each sorted by
    image and label, with whole images.

    The candidates are those of `candidates_from_signals`, whatever the batches and the workers.
    Rows go through the engine's own ``GroupByKey``, so the workers need no shared disk. The graph
    of pages that show the same images is held by one worker up to a million signals. For links,
    feedback, resuming and more than some ten million signals use `winnow label`.

    Parameters
    ----------
    taxonomy
        The labels; it is sent to every worker.
    support_only
        Sources that support a candidate of others but make none by themselves; by default those
        of `winnow label`.
    n_signals
        Number of signals, about: how names are used is judged on a sample that depends on it. With
        0 all are used.
    n_buckets
        Parts of each pass that workers may take, a power of two.

    Examples
    --------
    Signals from Parquet files, in a pipeline::

        (
            pipeline
            | beam.io.ReadFromParquetBatched("signals-*.parquet")
            | CandidatesFromSignals(read_taxonomy("taxonomy.jsonl"))
            | beam.Map(lambda candidates: len(candidates))
        )
    """

    taxonomy: Taxonomy
    support_only: tuple[Text, ...] = SUPPORT_ONLY
    n_signals: Natural = 0
    n_buckets: PowerOfTwo = 16

    def __post_init__(self) -> None:
        check_fields(self)

    def expand(self, signals: beam.PCollection) -> beam.PCollection:
        """Apply the passes one after the other."""
        pipeline = signals.pipeline
        labels: Files = ((TAXONOMY_FILE, taxonomy_lines(self.taxonomy).encode()),)
        only_labels = beam.pvalue.AsSingleton(pipeline | "Taxonomy" >> beam.Create([labels]))
        known = only_labels
        tables = {"given": signals | "Check" >> beam.Map(_checked)}
        for number, labeling_pass in enumerate(
            passes_on_signals(Path(), self.support_only, self.n_signals)
        ):
            pass_ref = _PassRef(number, self.support_only, self.n_signals, self.n_buckets)
            files = known if labeling_pass.name in READ_WITH_FILES else only_labels
            read = [
                tables[name]
                | f"{labeling_pass.name}: read {name}" >> beam.ParDo(_Read(pass_ref, name), files)
                for name in labeling_pass.inputs
                if name in tables
            ]
            made = (
                read
                | f"{labeling_pass.name}: bring together" >> beam.Flatten(pipeline=pipeline)
                | f"{labeling_pass.name}: group" >> beam.GroupByKey()
                | f"{labeling_pass.name}: reduce" >> beam.ParDo(_Reduce(pass_ref), known)
            )
            for name in labeling_pass.outputs:
                tables[name] = made | f"{labeling_pass.name}: take {name}" >> beam.FlatMap(
                    _of_table, name
                )
            if labeling_pass.conclude is not None:
                whole = (
                    made
                    | f"{labeling_pass.name}: collect" >> beam.combiners.ToList()
                    | f"{labeling_pass.name}: conclude" >> beam.Map(pass_ref.conclude, known)
                )
                known = beam.pvalue.AsSingleton(whole)
        return tables["candidates"] | "Tables" >> beam.Map(_table)


@dataclass(frozen=True)
class _PassRef:
    """One pass, to be found again by a worker, where its files lie in another folder."""

    number: int
    support_only: tuple[str, ...]
    n_signals: int
    n_buckets: int

    def at(self, files: Files) -> Pass:
        """Return the pass, which looks up its files in a folder of this process."""
        return passes_on_signals(_folder(files), self.support_only, self.n_signals)[self.number]

    def buckets(self, labeling_pass: Pass) -> int:
        """Return the number of parts of the pass."""
        return labeling_pass.n_buckets or self.n_buckets

    def conclude(self, made: Iterable[tuple[str, bytes]], files: Files) -> Files:
        """Return the files with those that the pass adds when all of its output is there."""
        labeling_pass = self.at(files)
        assert labeling_pass.conclude is not None
        with tempfile.TemporaryDirectory() as directory:
            folder = Path(directory)
            empty = [
                _as_bytes(name, of.empty_table()) for name, of in labeling_pass.outputs.items()
            ]
            for number, (name, content) in enumerate(sorted([*made, *empty])):
                (folder / f"{name}-{number:05d}.parquet").write_bytes(content)
            before = set(folder.iterdir())
            labeling_pass.conclude(folder)
            added = sorted(set(folder.iterdir()) - before)
            return *files, *(
                (f"{labeling_pass.name}/{path.name}", path.read_bytes()) for path in added
            )


class _Read(beam.DoFn):
    def __init__(self, pass_ref: _PassRef, table: str) -> None:
        self._pass_ref = pass_ref
        self._table = table

    def process(self, content: bytes, files: Files) -> Iterator[tuple[int, Any]]:
        labeling_pass = self._pass_ref.at(files)
        n_buckets = self._pass_ref.buckets(labeling_pass)
        split = split_of(self._table, content, hashlib.sha256(content).hexdigest())
        chunks = list(partition.chunks(labeling_pass.read(split), labeling_pass.keys, n_buckets))
        for bucket in range(n_buckets):
            some = [c for c in chunks if c.starts[bucket] < c.starts[bucket + 1]]
            if some:
                yield bucket, segments.cut(split.split_id, some, bucket, bucket + 1)


class _Reduce(beam.DoFn):
    def __init__(self, pass_ref: _PassRef) -> None:
        self._pass_ref = pass_ref

    def process(
        self, element: tuple[int, Iterable[Any]], files: Files
    ) -> Iterator[tuple[str, bytes]]:
        bucket, carried = element
        labeling_pass = self._pass_ref.at(files)
        slices = [segments.SegmentSlice(*pointer) for pointer in carried]
        reader = segments.Reader(slices, bucket, bucket + 1)
        made = labeling_pass.reduce(reader.tables(bucket, labeling_pass.combine, ROWS_AT_ONCE))
        yield from (
            _as_bytes(name, made[name]) for name in labeling_pass.outputs if len(made.get(name, ()))
        )


def _checked(signals: object) -> bytes:
    return _as_bytes("signals", to_table(signals, SIGNALS, "signals"))[1]


def _as_bytes(name: str, table: pa.Table) -> tuple[str, bytes]:
    return name, parquet_bytes(table).to_pybytes()


def _of_table(file: tuple[str, bytes], table: str) -> list[bytes]:
    return [file[1]] if file[0] == table else []


def _table(content: bytes) -> pa.Table:
    return pq.read_table(pa.BufferReader(content))


@functools.lru_cache(maxsize=8)
def _folder(files: Files) -> Path:
    """Return a folder of this process with these files; it goes when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="winnow-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, content in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
