"""Speed of merging evidence into candidates, against DuckDB and Polars doing the same.

    python tests/benchmarks/merge.py --rows 10000000 [--peer-path SITE_PACKAGES] [--repeat 3]

The input is made in place from a seed: rows in random order, each of one source about one
(image, label) on one page, as winnow's passes hold it, without the page
(`labeling.evidence.evidence.PAGE_MENTIONS`): image_id fixed_size_binary(16), host int64, label
int32 (18,291 labels, Zipf), source (8 names, dictionary-encoded), strength float32, ambiguity
int16; ten rows an image on average; Parquet files of a million rows (four million from 200 million
rows on) with row groups of 250,000, zstd.

The job, the same for everybody: for each (image, label, source) the largest strength, the number of
rows and the number of distinct hosts; for each (image, label) the list of these by source and the
smallest ambiguity; ids as hexadecimal digits, labels by name; sorted by image and label; written
as Parquet with zstd of level 1. winnow runs its own pass (`pipelines.shuffle.engine.Shuffle` with
`read_for_merge` and `Merge`) and writes one file a bucket, named in the order of the rows;
the peers write one file, use all cores and read the input in place. Of several ways to write each
peer's query the one that took least CPU was chosen: DuckDB counts hosts by grouping twice and sorts
each list; Polars sorts first and makes lists of neighbours.

With ``--form flat`` nobody makes lists: the output is one row for each (image, label, source), and
winnow flattens the lists that it makes all the same. Lists are what candidates hold, so they are
the default; the flat form shows how much of the peers' time they cost.

Each runs in a process of its own, one after the other, and is measured whole, with start-up and
imports: CPU seconds of user and system, wall seconds, largest resident memory. The ratios are
medians over the rounds. All outputs must hold the same rows in the same order. The last line is
JSON. The input and all outputs are deleted at the end.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from labeling.evidence import evidence
from labeling.keys import ids
from labeling.keys.hashing import GOLDEN, scramble
from labeling.schemas import CANDIDATES, EVIDENCE_ITEM

N_LABELS = 18_291
SOURCES = ("alt", "anchor", "caption", "filename", "heading", "surrounding", "tag", "title")
SHARES = (0.2, 0.06, 0.1, 0.2, 0.06, 0.24, 0.04, 0.1)
ROWS_PER_GROUP = 250_000
LEVEL = 1
SCHEMA = pa.schema([field for field in evidence.PAGE_MENTIONS if field.name != "page_id"])
FLAT = pa.schema([*list(CANDIDATES.arrow)[:2], *EVIDENCE_ITEM])
FORMS = {"lists": CANDIDATES.arrow, "flat": FLAT}


class Cost(NamedTuple):
    """Time and memory of one process."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the merge with DuckDB and Polars.")
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--form", choices=sorted(FORMS), default="lists")
    parser.add_argument("--peer-path", help="site-packages folder that holds the peers")
    parser.add_argument("--no-peers", action="store_true", help="winnow alone, once")
    parser.add_argument("--work", type=Path, help="folder for the data, deleted at the end")
    parser.add_argument("--as", dest="engine", choices=sorted(ENGINES), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer_path:
        sys.path.append(arguments.peer_path)
    if arguments.engine:
        ENGINES[arguments.engine](arguments.work, arguments.rows, arguments.form)
        return
    work = Path(tempfile.mkdtemp(prefix="merge-", dir=arguments.work))
    try:
        compare(work, arguments)
    finally:
        shutil.rmtree(work)


def compare(work: Path, arguments: argparse.Namespace) -> None:
    began = time.monotonic()
    n_bytes = generate(work, arguments.rows)
    seconds = time.monotonic() - began
    print(f"{arguments.rows:,} rows, {n_bytes / 1e6:,.0f} MB, made in {seconds:.0f} s")
    names = ["winnow"] if arguments.no_peers else list(ENGINES)
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    digests = {}
    for _ in range(1 if arguments.no_peers else arguments.repeat):
        for name in names:
            costs[name].append(measure(work, name, arguments))
            if name not in digests and not arguments.no_peers:
                digests[name] = digest(output(work, name), FORMS[arguments.form])
            n_rows, n_out = rows_and_bytes(output(work, name))
            shutil.rmtree(work / name)
            print_row(name, costs[name][-1], n_rows, n_out)
    if len({str(value) for value in digests.values()}) > 1:
        sys.exit(f"the outputs differ: {json.dumps(digests, indent=1)}")
    print(json.dumps(summary(costs, arguments)))


def print_row(name: str, cost: Cost, n_rows: int, n_bytes: int) -> None:
    print(
        f"{name:8s} {cost.cpu_s:8.2f} CPU-s {cost.wall_s:8.2f} s {cost.peak_mb:7.0f} MB"
        f"   {n_rows:,} rows, {n_bytes / 1e6:,.0f} MB",
        flush=True,
    )


def summary(costs: dict[str, list[Cost]], arguments: argparse.Namespace) -> dict[str, object]:
    ours = costs["winnow"]
    result: dict[str, object] = {"rows": arguments.rows, "form": arguments.form}
    for name in costs:
        if name == "winnow":
            continue
        for kind in ("cpu", "wall"):
            pairs = zip(ours, costs[name], strict=True)
            ratios = [getattr(a, f"{kind}_s") / getattr(b, f"{kind}_s") for a, b in pairs]
            result[f"{kind}_ratio_{name}"] = round(statistics.median(ratios), 3)
    result["peak_mb"] = round(max(cost.peak_mb for cost in ours))
    seconds = {name: [[round(x, 2) for x in cost] for cost in some] for name, some in costs.items()}
    return result | {"cpu_wall_peak": seconds}


def measure(work: Path, name: str, arguments: argparse.Namespace) -> Cost:
    """Run one engine in a process of its own."""
    (work / name).mkdir()
    command = [sys.executable, __file__, "--as", name, "--work", str(work)]
    command += ["--rows", str(arguments.rows), "--form", arguments.form]
    if arguments.peer_path:
        command += ["--peer-path", arguments.peer_path]
    began = time.monotonic()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{name} failed with exit code {process.returncode}")
    in_mb = 1024 if sys.platform == "linux" else 1024**2
    return Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / in_mb)


def generate(work: Path, n_rows: int) -> int:
    """Write the input and the labels; return the input's bytes."""
    labels = {"label": np.arange(N_LABELS, dtype=np.int32), "label_id": label_ids()}
    pq.write_table(pa.table(labels), work / "labels.parquet")
    text = "".join(json.dumps({"id": label_id}) + "\n" for label_id in label_ids())
    (work / "taxonomy.jsonl").write_text(text)
    (work / "input").mkdir()
    rows_per_file = 1_000_000 if n_rows < 200_000_000 else 4_000_000
    weights = 1 / np.arange(1, N_LABELS + 1)
    edges = np.cumsum(weights / weights.sum())
    for number, start in enumerate(range(0, n_rows, rows_per_file)):
        rows = draw(number, min(rows_per_file, n_rows - start), max(1, n_rows // 10), edges)
        pq.write_table(
            rows,
            work / "input" / f"mentions-{number:05d}.parquet",
            compression="zstd",
            row_group_size=ROWS_PER_GROUP,
            use_dictionary=["label", "source", "strength", "ambiguity"],
        )
    return rows_and_bytes(work / "input")[1]


def label_ids() -> list[str]:
    return [f"l{code:05d}" for code in range(N_LABELS)]


def draw(seed: int, n_rows: int, n_images: int, edges: np.ndarray) -> pa.Table:
    rng = np.random.default_rng([17, seed])
    image = rng.integers(0, n_images, n_rows, np.uint64)
    halves = np.stack([mixed(image), mixed(image + np.uint64(2**40))], axis=1)
    source = rng.choice(len(SOURCES), n_rows, p=SHARES).astype(np.int16)
    columns = {
        "image_id": ids.halves_to_binary(halves),
        "host": mixed(rng.integers(0, max(1, n_images // 30), n_rows, np.uint64)).view(np.int64),
        "label": np.searchsorted(edges, rng.random(n_rows)).clip(0, N_LABELS - 1).astype(np.int32),
        "source": pa.DictionaryArray.from_arrays(pa.array(source), list(SOURCES)),
        "n_texts": np.ones(n_rows, np.int32),
        "strength": (rng.integers(1, 1_001, n_rows) / 1_000).astype(np.float32),
        "ambiguity": np.minimum(rng.geometric(0.8, n_rows), 9).astype(np.int16),
    }
    return pa.table(columns).cast(SCHEMA)


def mixed(numbers: np.ndarray) -> np.ndarray:
    """Return a hash of each number (splitmix64)."""
    return scramble(numbers * GOLDEN)


def run_winnow(work: Path, n_rows: int, form: str) -> None:
    from labeling.taxonomy.published import TaxonomyFiles
    from pipelines.passes.merge import make_pass
    from pipelines.passes.splits import splits_for
    from pipelines.shuffle.engine import Shuffle, n_buckets_for, run

    taxonomy = TaxonomyFiles(work / "taxonomy.jsonl")
    merge = make_pass(taxonomy, work / "no feedback", (), has_feedback=False)
    shuffle = Shuffle(
        read=merge.read,
        keys={"mentions": "image_id"},
        reduce=merge.reduce if form == "lists" else lambda tables: flatten(merge.reduce(tables)),
        n_buckets=n_buckets_for(n_rows),
        work_dir=str(work / "winnow" / "work"),
        out_dir=str(work / "winnow" / "out"),
    )
    paths = sorted(str(path) for path in (work / "input").iterdir())
    run(shuffle, splits_for({"mentions": paths}))


def flatten(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    rows = tables["candidates"]
    lists = rows["evidence"].combine_chunks()
    parent, items = pc.list_parent_indices(lists), pc.list_flatten(lists)
    columns = [rows[name].take(parent) for name in ("image_id", "label_id")]
    flat = pa.Table.from_arrays([*columns, *items.flatten()], schema=FLAT)
    return {"candidates": flat}


UNITED = """
    select image_id, label, source, max(strength) as strength, sum(n_rows)::int as n_pages,
        count(*)::int as n_hosts, min(ambiguity) as ambiguity
    from (
        select image_id, label, source, host, max(strength) as strength, count(*) as n_rows,
            min(ambiguity) as ambiguity
        from read_parquet('{work}/input/*.parquet') group by all
    ) group by image_id, label, source
"""
"""Two levels: a third cheaper than ``count(distinct host)``."""

SQL = {
    "lists": f"""
        select lower(hex(image_id)) as image_id, label_id, evidence, []::varchar[] as silent,
            ambiguity
        from (
            select image_id, label, min(ambiguity) as ambiguity,
                list_sort(list({{
                    source: source, strength: strength, n_pages: n_pages, n_hosts: n_hosts
                }})) as evidence
            from ({UNITED}) group by all
        ) join '{{work}}/labels.parquet' using (label)
        order by image_id, label
    """,
    "flat": f"""
        select lower(hex(image_id)) as image_id, label_id, source, strength, n_pages, n_hosts
        from ({UNITED}) join '{{work}}/labels.parquet' using (label)
        order by image_id, label, source
    """,
}


def run_duckdb(work: Path, n_rows: int, form: str) -> None:
    import duckdb

    database = duckdb.connect(config={"temp_directory": str(work / "duckdb" / "temporary")})
    query = SQL[form].replace("{work}", str(work))
    into = f"'{output(work, 'duckdb')}/out.parquet'"
    options = f"format parquet, compression zstd, compression_level {LEVEL}"
    output(work, "duckdb").mkdir()
    database.execute(f"copy ({query}) to {into} ({options})")


def run_polars(work: Path, n_rows: int, form: str) -> None:
    import polars as pl

    rows = pl.scan_parquet(work / "input" / "*.parquet")
    rows = rows.group_by("image_id", "label", "source").agg(
        pl.col("strength").max(),
        pl.len().cast(pl.Int32).alias("n_pages"),
        pl.col("host").n_unique().cast(pl.Int32).alias("n_hosts"),
        pl.col("ambiguity").min(),
    )
    labels = pl.scan_parquet(work / "labels.parquet")
    rows = rows.with_columns(pl.col("source").cast(pl.String)).sort("image_id", "label", "source")
    item = ["source", "strength", "n_pages", "n_hosts"]
    columns = ["image_id", "label_id", *item]
    if form == "lists":  # of sorted rows: half the time of lists that are sorted
        rows = rows.group_by("image_id", "label", maintain_order=True).agg(
            pl.struct(item).alias("evidence"), pl.col("ambiguity").min()
        )
        rows = rows.with_columns(silent=pl.lit([], dtype=pl.List(pl.String)))
        columns = ["image_id", "label_id", "evidence", "silent", "ambiguity"]
    rows = rows.join(labels, on="label", maintain_order="left")
    rows = rows.with_columns(pl.col("image_id").bin.encode("hex")).select(columns)
    output(work, "polars").mkdir()
    rows.sink_parquet(
        output(work, "polars") / "out.parquet",
        compression="zstd",
        compression_level=LEVEL,
        engine="streaming",
    )


ENGINES = {"winnow": run_winnow, "duckdb": run_duckdb, "polars": run_polars}


def output(work: Path, name: str) -> Path:
    return work / name / "out"


def rows_and_bytes(directory: Path) -> tuple[int, int]:
    paths = list(directory.iterdir())
    return sum(pq.read_metadata(p).num_rows for p in paths), sum(p.stat().st_size for p in paths)


def digest(directory: Path, schema: pa.Schema) -> dict[str, object]:
    """Return the number of rows and a digest of the values of each column, in their order."""
    hashes: dict[str, Any] = defaultdict(hashlib.sha256)
    n_rows = 0
    for path in sorted(directory.iterdir()):
        for batch in pq.ParquetFile(path).iter_batches():
            n_rows += len(batch)
            for name in schema.names:
                column = batch[name].cast(schema.field(name).type)
                for part, values in numbers(name, column):
                    hashes[part].update(np.ascontiguousarray(values).tobytes())
    return {"rows": n_rows} | {name: digest.hexdigest()[:16] for name, digest in hashes.items()}


def numbers(name: str, column: pa.Array) -> Iterator[tuple[str, np.ndarray]]:
    """Yield what a column holds as numbers, part by part, each under a name."""
    if pa.types.is_list(column.type):
        yield f"{name} length", pc.list_value_length(column).to_numpy()
        yield from numbers(f"{name} item", pc.list_flatten(column))
    elif pa.types.is_struct(column.type):
        for field, part in zip(column.type, column.flatten(), strict=True):
            yield from numbers(f"{name} {field.name}", part)
    elif pa.types.is_string(column.type):
        yield f"{name} length", pc.binary_length(column).to_numpy(zero_copy_only=False)
        yield name, np.frombuffer("".join(column.to_pylist()).encode(), np.uint8)
    else:
        yield name, column.to_numpy(zero_copy_only=False)


if __name__ == "__main__":
    main()
