"""The pass by pair of pages: edges that both ends keep, and a weight for each kind of edge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.runs.table_files import file_name, read_table, write_table
from labeling.links import edge_agreement, graph
from pipelines.passes.labeling_pass import Pass
from pipelines.passes.tables import in_order
from pipelines.shuffle.engine import Split, Tables


def make_pass() -> Pass:
    """Return the pass."""
    return Pass(
        "edges",
        inputs=("ends",),
        read=_read,
        keys={"ends": "pair"},
        reduce=_reduce,
        outputs={"edges": graph.MUTUAL_EDGES, "agreements": edge_agreement.AGREEMENTS},
        conclude=_conclude,
    )


def weights_in(directory: Path) -> pa.Table:
    """Return the weight of each kind of edge, from the folder of the pass's output."""
    return pq.read_table(directory / file_name("weights"))


def _read(split: Split) -> Iterator[tuple[str, pa.Table]]:
    ends = pq.read_table(*split.arguments)
    yield "ends", ends.append_column("pair", edge_agreement.edge_keys(ends))


def _reduce(tables: Tables) -> Tables:
    edges, agreements = edge_agreement.mutual_edges(tables["ends"].drop_columns("pair"))
    return {"edges": in_order(edges), "agreements": agreements}


def _conclude(directory: Path) -> None:
    """Weigh each kind of edge by the agreements that all buckets counted."""
    counted = read_table(directory, "agreements")
    write_table(edge_agreement.weights_from(counted), directory, "weights")
