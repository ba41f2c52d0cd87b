"""The pass by host: which texts and images stand on most pages of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.runs.table_files import read_table, write_table
from labeling.keys.hashing import Hashes
from labeling.matching import boilerplate
from pipelines.passes.cached import Once
from pipelines.passes.tables import contents_in, tables_of
from pipelines.shuffle.engine import Split, Tables

HOST_OUTPUTS = {"things": boilerplate.COUNTS, "hosts": boilerplate.COUNTS}

_TABLE = "boilerplate"

_HASHES: Once[Hashes] = Once()


def read_for_hosts(split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Yield the texts, or the images and pages, of a file."""
    rows = pq.read_table(*split.arguments)
    if split.kind == "signals":
        yield "things", boilerplate.texts(rows)
    else:
        yield "things", boilerplate.images(rows)
        yield "hosts", boilerplate.pages(rows)


def combine_for_hosts(table: str, rows: pa.Table) -> pa.Table:
    """Keep one of equal rows."""
    return boilerplate.distinct(rows)


def reduce_hosts(tables: Tables) -> Tables:
    """Count the pages of the texts and images of a bucket, and of its hosts."""
    seen = tables_of(tables, dict.fromkeys(HOST_OUTPUTS, boilerplate.SEEN))
    return {name: boilerplate.count(rows) for name, rows in seen.items()}


def judge_hosts(directory: Path) -> None:
    """Write which of the things that all buckets counted are boilerplate into the same folder."""
    hosts, things = (read_table(directory, name) for name in ("hosts", "things"))
    found = boilerplate.judge(things, hosts)
    write_table(pa.table({"thing": found}), directory, _TABLE)


def boilerplate_in(directory: Path) -> Hashes:
    """Return what `judge_hosts` wrote, parsed once in each process."""
    written = contents_in(directory, [_TABLE])
    return _HASHES.get(written.sha256, lambda: written.tables()[_TABLE]["thing"].to_numpy())
