"""Tables of the passes: files, order and samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from labeling.keys import ids
from pipelines.shuffle.engine import Split, Tables


def read_rows(split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Yield the rows of a file under the name of their table."""
    yield split.kind, pq.read_table(*split.arguments)


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


def in_sample(image_ids: pa.ChunkedArray, share: float) -> pa.Array:
    """Return for each image whether it is in a sample of about this share of all images."""
    # 2**64 overflows uint64; 2**64 - 2**11 is the largest double below it.
    return pa.array(ids.to_halves(image_ids)[:, 1] <= np.uint64(share * (2**64 - 2**11)))


def sum_by_reason(
    paths: Iterable[str | Path], column: str, reasons: Sequence[str]
) -> dict[str, int]:
    """Return the sum of a column for each reason, over files with a column ``reason``."""
    rows = pa.concat_tables([pq.read_table(path) for path in paths])
    return {
        reason: pc.sum(rows.filter(pc.equal(rows["reason"], reason))[column]).as_py() or 0
        for reason in reasons
    }
