"""The pass by host: what stands on most pages of a host is discounted."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from labeling import boilerplate, ids
from labeling.schemas import PLACEMENTS, SIGNALS
from pipelines.engine import Split, Tables
from pipelines.passes.tables import in_order, tables_of


def read_for_hosts(split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Yield signals and placements by host; those without one are spread by their image."""
    rows = pq.read_table(*split.arguments)
    hosts = rows["host"].combine_chunks().dictionary_encode()
    digests = pa.array([ids.digest(host) for host in hosts.dictionary.to_pylist()], pa.string())
    key = pc.if_else(pc.equal(rows["host"], ""), rows["image_id"], digests.take(hosts.indices))
    yield split.kind, rows.append_column("host_key", key)


def reduce_hosts(tables: Tables) -> Tables:
    """Discount the boilerplate of the hosts of a bucket."""
    schemas = {"signals": SIGNALS.arrow, "placements": PLACEMENTS.arrow}
    table_of = tables_of(tables, schemas)
    signals, placements = (table_of[n].select(s.names) for n, s in schemas.items())
    found = boilerplate.discount(signals, placements)
    return {"signals": in_order(found.signals), "discounts": found.counts}
