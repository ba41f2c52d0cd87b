"""Both carriers give the same bytes, for any workers, order of splits and size of splits."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.keys import ids
from labeling.keys.host_numbers import SOURCE
from labeling.taxonomy.published import TaxonomyFiles
from pipelines.passes.plan import plan
from pipelines.shuffle import engine, segments
from pipelines.shuffle.engine import UNITED, Carrier, Shuffle, Split, Tables, run, united
from pipelines.shuffle.partition import partition

N_ROWS = 300

COLUMNS = {
    "fixed": pa.schema([("key", ids.BINARY), ("a", pa.int8()), ("b", pa.float64()), ("c", SOURCE)]),
    "mixed": pa.schema(
        [("key", pa.string()), ("texts", pa.list_(pa.string())), ("flag", pa.bool_())]
    ),
    "nulls": pa.schema([("key", ids.BINARY), ("value", pa.int32()), ("c", SOURCE)]),
}


def row(table: str, n: int) -> dict[str, object]:
    digits = ids.digest(f"{n % 90}")
    key = digits if table == "mixed" else bytes.fromhex(digits)
    if table == "fixed":
        return {"key": key, "a": n % 100 - 50, "b": n / 7, "c": f"source {n % 9}"}
    if table == "mixed":
        texts = [f"text {n}"] * (n % 3)
        return {"key": key, "texts": texts if n % 5 else None, "flag": n % 2 == 0}
    source = f"source {n % 7}" if n % 3 else None
    return {"key": key, "value": n if n % 4 else None, "c": source}


def read(split: Split) -> Iterator[tuple[str, pa.Table]]:
    for numbers in split.arguments:
        for table, schema in COLUMNS.items():
            rows = [row(table, n) for n in numbers]
            yield table, pa.Table.from_pylist(rows, schema=schema)


def sort(tables: Tables) -> Tables:
    """Sort the rows by all that they hold: what comes out depends on them as a set alone."""
    output = {}
    for name, rows in tables.items():
        text = [repr(r) for r in rows.to_pylist()]
        output[name] = rows.take(pa.array(np.argsort(np.array(text), kind="stable")))
    return output


def result(
    parts: list[Split], n_buckets: int, carrier: Carrier = "files", options: tuple[str, ...] = ()
) -> dict[str, bytes]:
    keys = dict.fromkeys(COLUMNS, "key")
    with tempfile.TemporaryDirectory() as folder:
        work, out = f"{folder}/work", f"{folder}/out"
        run(Shuffle(read, keys, sort, n_buckets, work, out, carrier=carrier), parts, options)
        return {path.name: path.read_bytes() for path in Path(out).iterdir()}


def cut(n_splits: int, n_yields: int, order: random.Random) -> list[Split]:
    numbers = list(range(N_ROWS))
    order.shuffle(numbers)
    splits = []
    for n in range(n_splits):
        of_split = numbers[n::n_splits]
        parts = tuple(tuple(of_split[m::n_yields]) for m in range(n_yields))
        splits.append(Split(f"{n:03d}", "rows", parts))
    order.shuffle(splits)
    return splits


STRAIGHT: dict[int, dict[str, bytes]] = {}


@settings(max_examples=6, deadline=None)
@given(
    n_buckets=st.sampled_from([1, 8]),
    n_splits=st.integers(1, 6),
    n_yields=st.integers(1, 3),
    order=st.randoms(use_true_random=False),
    carrier=st.sampled_from(["files", "engine"]),
    n_workers=st.integers(1, 2),
    chunk_rows=st.sampled_from([7, 1000]),
    window=st.sampled_from([1, 1 << 20]),
    n_groups=st.sampled_from([2, 64]),
)
def test_the_bytes_are_equal_whatever_carries_the_rows(
    n_buckets: int,
    n_splits: int,
    n_yields: int,
    order: random.Random,
    carrier: Carrier,
    n_workers: int,
    chunk_rows: int,
    window: int,
    n_groups: int,
) -> None:
    if n_buckets not in STRAIGHT:
        STRAIGHT[n_buckets] = result(cut(1, 1, random.Random(0)), n_buckets)
    threads = (f"--direct_num_workers={n_workers}", "--direct_running_mode=multi_threading")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipelines.shuffle.partition.CHUNK_ROWS", chunk_rows)
        patch.setattr(segments, "WINDOW_BYTES", window)
        patch.setattr(engine, "N_GROUPS", n_groups)
        parts = cut(n_splits, n_yields, order)
        contents = result(parts, n_buckets, carrier, threads if n_workers > 1 else ())
    assert contents == STRAIGHT[n_buckets]


def test_splits_together_give_what_they_give_alone() -> None:
    parts = cut(7, 2, random.Random(1))
    together = [united(parts[:3]), united(parts[3:4]), united(parts[4:])]
    assert [split.kind for split in together] == [UNITED, "rows", UNITED]
    assert result(together, 4) == result(parts, 4)


@given(
    st.lists(st.integers(0, 2**128 - 1), min_size=1, max_size=60),
    st.integers(0, 12),
    st.integers(0, 5),
)
def test_a_partition_holds_every_row_in_its_bucket_and_order(
    numbers: list[int], bits: int, offset: int
) -> None:
    keys = pa.array([n.to_bytes(16, "big") for n in numbers], ids.BINARY)
    rows = pa.table({"key": keys, "row": np.arange(len(keys), dtype=np.int16)}).slice(offset)
    chunk = partition("t", rows, "key", 1 << bits)
    carried = segments.cut("s", [chunk], 0, 1 << bits)
    reader = segments.Reader([carried], 0, 1 << bits)
    rows_of = {}
    for bucket in range(1 << bits) if len(rows) else ():
        tables = reader.tables(bucket, engine.keep_all, 1000)
        if tables:
            rows_of[bucket] = tables["t"].to_pylist()
    expected: dict[int, list[object]] = {}
    for row in rows.to_pylist():
        expected.setdefault(int.from_bytes(row["key"], "big") >> (128 - bits), []).append(row)
    assert rows_of == expected


@pytest.mark.parametrize("text", [False, True])
def test_a_dictionary_arrives_sorted_with_the_values_in_use(text: bool) -> None:
    cut = []
    for n, names in enumerate((["b", "z", "a"], ["c", "b", None])):
        keys = pa.array([bytes(16), b"\xff" * 16, bytes(16)], ids.BINARY)
        column = pa.array(names if text else names[:2] + ["a"]).dictionary_encode()
        rows = pa.table({"key": keys, "name": column.cast(SOURCE)})
        if text:
            rows = rows.append_column("text", pa.array(["x", "y", "z"]))
        cut.append(segments.cut(f"{n}", [partition("t", rows, "key", 2)], 0, 2))
    column_read = segments.Reader(cut, 0, 2).tables(0, engine.keep_all, 9)["t"]["name"]
    assert column_read.type == SOURCE
    assert column_read.to_pylist() == ["b", "a", "c", None if text else "a"]
    assert column_read.chunk(0).dictionary.to_pylist() == ["a", "b", "c"]


# The shape of the pipeline

RIGHT_EVERYWHERE = (beam.Create, beam.GroupByKey, beam.ParDo)

LIFECYCLE = ("setup", "start_bundle", "finish_bundle", "teardown", "process_batch")


class Walk(PipelineVisitor):
    """Notes the transforms of a pipeline, without what Beam makes the known ones of."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.made: list[object] = []
        self.used: list[object] = []
        self._within: list[AppliedPTransform] = []

    def enter_composite_transform(self, node: AppliedPTransform) -> None:
        if isinstance(node.transform, RIGHT_EVERYWHERE):
            self._note(node)
            self._within.append(node)

    def leave_composite_transform(self, node: AppliedPTransform) -> None:
        if self._within and self._within[-1] is node:
            self._within.pop()

    def visit_transform(self, node: AppliedPTransform) -> None:
        self._note(node)

    def _note(self, node: AppliedPTransform) -> None:
        if self._within:
            return
        self.names.append(type(node.transform).__name__)
        self.made += node.outputs.values()
        self.used += node.inputs
        assert list(node.outputs) == [None]
        assert not node.side_inputs
        if isinstance(node.transform, beam.ParDo):
            for name in LIFECYCLE:
                assert getattr(type(node.transform.fn), name) is getattr(beam.DoFn, name), name


def walk(shuffle: Shuffle) -> Walk:
    pipeline = beam.Pipeline()
    _ = pipeline | beam.Create([(0, Split("0", "any", ()))]) | shuffle
    visitor = Walk()
    pipeline.visit(visitor)
    return visitor


@pytest.mark.parametrize("carrier", ["files", "engine"])
def test_every_pass_is_built_of_what_all_runners_do_right(tmp_path: Path, carrier: Carrier) -> None:
    passes = [
        labeling_pass
        for n_edges in (10, 10**9)
        for labeling_pass in plan(
            TaxonomyFiles(tmp_path / "t.jsonl"), (), 10, 10, tmp_path, n_edges
        )
    ]
    assert passes
    for labeling_pass in passes:
        folders = str(tmp_path / "work"), str(tmp_path / "out")
        visited = walk(
            Shuffle(
                labeling_pass.read,
                labeling_pass.keys,
                labeling_pass.reduce,
                4,
                *folders,
                carrier=carrier,
            )
        )
        assert visited.names == ["Create", "GroupByKey", "ParDo", "GroupByKey", "ParDo"]
        (terminal,) = [made for made in visited.made if made not in visited.used]
        assert terminal is visited.made[-1]


def test_the_walk_finds_transforms_that_some_runners_get_wrong() -> None:
    pipeline = beam.Pipeline()
    numbers = pipeline | beam.Create([1])
    _ = numbers | beam.Map(int) | beam.CombineGlobally(sum)
    visitor = Walk()
    with pytest.raises(AssertionError):
        pipeline.visit(visitor)
        assert set(visitor.names) <= {"Create", "ParDo", "GroupByKey"}
