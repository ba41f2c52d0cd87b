"""The pass by pair: edges stay where both ends keep them, and each kind gets its weight."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from curation.runs.table_files import file_name, read_table, write_parquet
from labeling.links import edge_agreement, graph
from pipelines.passes.tables import in_order
from pipelines.shuffle.engine import Split, Tables

ARC_OUTPUTS = {"arcs": graph.ARCS, "agreements": edge_agreement.AGREEMENTS}


def read_for_arcs(split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Yield the edges that nodes keep by what both ends know."""
    ends = pq.read_table(*split.arguments)
    yield "ends", ends.append_column("pair", edge_agreement.pair_keys(ends))


def reduce_arcs(tables: Tables) -> Tables:
    """Return ``arcs`` and ``agreements``."""
    arcs, agreements = edge_agreement.meet(tables["ends"].drop_columns("pair"))
    return {"arcs": in_order(arcs), "agreements": agreements}


def judge_edges(directory: Path) -> None:
    """Write what each kind of edge is worth, by all buckets together, into the same folder."""
    counted = read_table(directory, "agreements")
    write_parquet(edge_agreement.weights_from(counted), weights_path(directory))


def weights_path(directory: Path) -> Path:
    """Return where the weights of a folder of arcs are."""
    return directory / file_name("weights")
