"""What the kernels of all passes need done with their tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.runs.table_files import file_name
from pipelines.shuffle.engine import Tables


def tables_of(tables: Tables, schemas: Mapping[str, pa.Schema]) -> dict[str, pa.Table]:
    """Return every table that a kernel needs, empty where the bucket has no row of it."""
    return {name: tables.get(name, schema.empty_table()) for name, schema in schemas.items()}


@dataclass(frozen=True)
class Contents:
    """The bytes of small Parquet files by the name of their table.

    Digests and tables are of the same bytes, whatever happens to the files meanwhile.
    """

    files: Mapping[str, bytes]

    @property
    def sha256(self) -> tuple[str, ...]:
        """Digests of the files, in their order."""
        return tuple(hashlib.sha256(content).hexdigest() for content in self.files.values())

    def tables(self) -> dict[str, pa.Table]:
        """Return the tables by their names."""
        return {name: pq.read_table(pa.BufferReader(of)) for name, of in self.files.items()}


def contents_in(directory: Path, names: Iterable[str]) -> Contents:
    """Read the files of some tables that are one file each."""
    paths = {name: directory / file_name(name) for name in names}
    return Contents({name: path.read_bytes() for name, path in paths.items()})


def in_order(rows: pa.Table) -> pa.Table:
    """Return the rows in an order that only their content decides."""
    rows = rows.combine_chunks()
    keys = pa.Table.from_arrays(
        [c.cast(c.type.value_type) if pa.types.is_dictionary(c.type) else c for c in rows.columns],
        names=rows.column_names,
    )
    return rows.take(pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names]))
