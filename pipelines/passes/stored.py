"""The pass before the inputs: images and redirects of all archives, by the URLs that find them."""

from __future__ import annotations

import functools
import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.runs.table_files import read_table, write_table
from labeling.keys import ids
from labeling.objects.paths import join, path_of
from labeling.readers.web_archives.image_index import ROWS, ImageIndex, entries_of
from labeling.readers.web_archives.stored_images import first_rows, referred_to
from labeling.schemas import REJECTS
from pipelines.inputs.input import reader
from pipelines.inputs.splits import input_of, input_paths
from pipelines.passes.labeling_pass import Pass
from pipelines.run.config import Config
from pipelines.shuffle.engine import Split, Tables, n_buckets_for

BYTES_PER_IMAGE = 10_000
"""Bytes of archives that hold about one image or redirect."""

_ENTRIES = "entries.index"


def splits_with_images(config: Config, splits: Sequence[Split]) -> list[Split]:
    """Return the splits with images that other splits may refer to; none of a sample.

    The archives of a sample are not read to their end, and find their own images alone.
    """
    if config.label.limit is not None:
        return []
    return [split for split in splits if input_of(config, split)[0].stores_images]


def make_pass(config: Config, splits: Sequence[Split]) -> Pass:
    """Return the pass over some splits of a configuration."""
    n_bytes = sum(path.stat().st_size for path in input_paths(config, splits))
    return Pass(
        "stored",
        inputs=(),
        read=functools.partial(_read, config),
        keys={"stored": "key", "rejects": "key"},
        reduce=_reduce,
        outputs={"stored": ROWS, "rejects": REJECTS.arrow},
        combine=_combine,
        conclude=_conclude,
        n_buckets=n_buckets_for(n_bytes // BYTES_PER_IMAGE),
    )


def image_index(directory: Path) -> ImageIndex:
    """Return the index in the folder of the output, mapped into memory."""
    archives = read_table(directory, "archives")["name"].to_pylist()
    with (directory / _ENTRIES).open("rb") as file:
        if not archives:  # an empty file cannot be mapped
            return ImageIndex(b"", archives)
        return ImageIndex(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), archives)


def _read(config: Config, split: Split) -> Iterator[tuple[str, pa.Table]]:
    _, files = input_of(config, split)
    read = reader("web_archives.stored_images:read_stored_images")
    for file in files:
        for name, rows in read(join(path_of(config.base), file), file):
            if name == "rejects":
                rows = rows.append_column("key", ids.digests(rows["where"]))
            yield name, rows


def _combine(table: str, rows: pa.Table) -> pa.Table:
    return first_rows(rows) if table == "stored" else rows


def _reduce(tables: Tables) -> Tables:
    reduced = {}
    if "stored" in tables:
        reduced["stored"] = referred_to(first_rows(tables["stored"]))
    if "rejects" in tables:
        reduced["rejects"] = tables["rejects"].select(REJECTS.arrow.names)
    return reduced


def _conclude(directory: Path) -> None:
    """Write the rows of all buckets, which follow each other in the order of their keys."""
    paths = sorted(directory.glob("stored-*.parquet"))
    names: set[str] = set()
    for path in paths:
        names.update(pq.read_table(path, columns=["archive"])["archive"].unique().to_pylist())
    archives = sorted(names)
    with (directory / _ENTRIES).open("wb") as file:
        for path in paths:
            file.write(entries_of(pq.read_table(path, schema=ROWS), archives))
    write_table(pa.table({"name": pa.array(archives, pa.string())}), directory, "archives")
