"""What the kernels of all passes need done with their tables."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from pipelines.engine import Tables


def tables_of(tables: Tables, schemas: Mapping[str, pa.Schema]) -> dict[str, pa.Table]:
    """Return every table that a kernel needs, empty where the bucket has no row of it."""
    return {name: tables.get(name, schema.empty_table()) for name, schema in schemas.items()}


def in_order(rows: pa.Table) -> pa.Table:
    """Return the rows in an order that only their content decides."""
    return rows.sort_by([(name, "ascending") for name in rows.column_names])
