"""What the kernels of all passes need done with their tables."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.shuffle.engine import Tables


def tables_of(tables: Tables, schemas: Mapping[str, pa.Schema]) -> dict[str, pa.Table]:
    """Return every table that a kernel needs, empty where the bucket has no row of it."""
    return {name: tables.get(name, schema.empty_table()) for name, schema in schemas.items()}


def in_order(rows: pa.Table) -> pa.Table:
    """Return the rows in an order that only their content decides."""
    rows = rows.combine_chunks()
    keys = pa.Table.from_arrays(
        [c.cast(c.type.value_type) if pa.types.is_dictionary(c.type) else c for c in rows.columns],
        names=rows.column_names,
    )
    return rows.take(pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names]))
