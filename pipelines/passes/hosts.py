"""The pass by host: texts and images that are on most pages of their host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.runs.table_files import read_table, write_table
from labeling.keys.hashing import Hashes
from labeling.matching import boilerplate
from pipelines.passes.labeling_pass import Pass
from pipelines.passes.tables import tables_of
from pipelines.shuffle.engine import Split, Tables
from pipelines.workers.cached import Cache

_OUTPUTS = {"things": boilerplate.COUNTS, "hosts": boilerplate.COUNTS}

_HASHES: Cache[Hashes] = Cache()


def make_pass() -> Pass:
    """Return the pass."""
    return Pass(
        "hosts",
        inputs=("signals", "placements"),
        read=_read,
        keys=dict.fromkeys(_OUTPUTS, "key"),
        reduce=_reduce,
        outputs=_OUTPUTS,
        combine=_combine,
        conclude=_conclude,
    )


def boilerplate_in(directory: Path) -> Hashes:
    """Return the boilerplate that the pass found, from the folder of its output."""
    return _HASHES.of_tables(
        directory, ["boilerplate"], lambda tables: tables["boilerplate"]["thing"].to_numpy()
    )


def _read(split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Yield the texts, or the images and pages, of a file."""
    rows = pq.read_table(*split.arguments)
    if split.kind == "signals":
        yield "things", boilerplate.text_occurrences(rows)
    else:
        yield "things", boilerplate.image_occurrences(rows)
        yield "hosts", boilerplate.page_occurrences(rows)


def _combine(table: str, rows: pa.Table) -> pa.Table:
    return boilerplate.distinct(rows)


def _reduce(tables: Tables) -> Tables:
    """Count the pages of the texts and images of a bucket, and of its hosts."""
    seen = tables_of(tables, dict.fromkeys(_OUTPUTS, boilerplate.OCCURRENCES))
    return {name: boilerplate.count_pages(rows) for name, rows in seen.items()}


def _conclude(directory: Path) -> None:
    """Decide which of the texts and images that all buckets counted are boilerplate."""
    things, hosts = (read_table(directory, name) for name in _OUTPUTS)
    rows = pa.table({"thing": boilerplate.find_boilerplate(things, hosts)})
    write_table(rows, directory, "boilerplate")
