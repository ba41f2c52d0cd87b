"""Parquet files of tables: the settings that all share, and names that begin with the table's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from curation.pairs.packed import spell
from labeling.schemas import TableSchema

ROWS_OF_GROUP = 1 << 20
"""Rows of a row group, as `pyarrow.parquet.write_table` has them."""

AnyPath = TypeVar("AnyPath", str, Path)


def file_name(table: str, number: int = 0, n_files: int = 1) -> str:
    """Return the name of one of the files of a table; by default that of its only file.

    Examples
    --------
    >>> file_name("scored"), file_name("candidates", 2, 16)
    ('scored-00000-of-00001.parquet', 'candidates-00002-of-00016.parquet')
    """
    return f"{table}-{number:05d}-of-{n_files:05d}.parquet"


def by_table(paths: Iterable[AnyPath]) -> dict[str, list[AnyPath]]:
    """Group Parquet files by their table, sorted; files of other kinds are left out.

    Examples
    --------
    >>> by_table(["links-00001.parquet", "links-00000.parquet", "labels.json"])
    {'links': ['links-00000.parquet', 'links-00001.parquet']}
    """
    tables: dict[str, list[AnyPath]] = {}
    for path in sorted(paths):
        name = str(path).rpartition("/")[2]
        if name.endswith(".parquet"):
            tables.setdefault(name.removesuffix(".parquet").split("-", 1)[0], []).append(path)
    return tables


def write_parquet(rows: pa.Table, to: Path | pa.NativeFile) -> None:
    """Write rows as Parquet with the settings that all of winnow's tables share."""
    pq.write_table(rows, to, compression="zstd", write_page_checksum=True)


def parquet_bytes(rows: pa.Table) -> pa.Buffer:
    """Return the bytes that `write_parquet` would write."""
    sink = pa.BufferOutputStream()
    write_parquet(rows, sink)
    return sink.getvalue()


def write_table(rows: pa.Table, directory: Path, table: str) -> None:
    """Write all rows of a table as its only file in a folder."""
    write_parquet(rows, directory / file_name(table))


def write_packed(rows: pa.Table, directory: Path, schema: TableSchema) -> None:
    """Write all rows of a packed table (`curation.pairs.packed`) as `write_table` would.

    They are spelled in parts, so that no more than a row group is held as texts.
    """
    path = directory / file_name(schema.name)
    with pq.ParquetWriter(path, schema.arrow, compression="zstd", write_page_checksum=True) as file:
        for start in range(0, max(len(rows), 1), ROWS_OF_GROUP):
            part = rows.select(schema.arrow.names).slice(start, ROWS_OF_GROUP)
            file.write_table(spell(part).cast(schema.arrow).combine_chunks())


def read_table(directory: Path, table: str) -> pa.Table:
    """Return all rows of a table from its files in a folder, in the order of their names."""
    paths = sorted(directory.glob(f"{table}-*.parquet"))
    return pa.concat_tables([pq.read_table(path) for path in paths])
