"""The first pass by page: texts are matched, and each page gets its topics and neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from labeling.evidence import evidence
from labeling.keys import ids
from labeling.keys.host_numbers import HOST
from labeling.links import graph, links
from labeling.matching.boilerplate import Discounted, count_reasons, discount
from labeling.matching.disambiguation import in_context
from labeling.taxonomy.published import TaxonomyFiles
from pipelines.passes.hosts import boilerplate_in
from pipelines.passes.inputs import taxonomy_at
from pipelines.passes.matchers import MatcherFiles, matcher_at
from pipelines.passes.tables import in_order, tables_of
from pipelines.shuffle.engine import Split, Tables

PAGE_OUTPUTS = {
    "mentions": evidence.SPOKEN,
    "nodes": graph.NODES,
    "ends": graph.ENDS,
    "anchors": links.MESSAGES,
}

REASONS = pa.schema([("page_id", ids.BINARY), ("reason", pa.int8())])
"""One signal that was discounted."""

_HOSTS = pa.schema([("page_id", ids.BINARY), ("host", HOST)])


@dataclass(frozen=True)
class ReadForPages:
    """Match the texts of signals, boilerplate discounted, and of links; find what holds pages."""

    files: MatcherFiles

    def __call__(self, split: Split) -> Iterator[tuple[str, pa.Table]]:
        """Yield discounts, mentions, edges, hosts and anchors, by page."""
        rows = pq.read_table(*split.arguments)
        if split.kind == "signals":
            found = discount(rows, boilerplate_in(self.files.work_dir / "hosts"))
            yield "discounts", _reasons(found)
            yield "mentions", evidence.mentions(found.signals, matcher_at(self.files))
        elif split.kind == "links":
            yield "edges", graph.link_edges(rows)
            yield "hosts", graph.hosts_of(rows)
            yield "anchors", links.anchors(rows, matcher_at(self.files))
        else:
            yield "edges", graph.held_edges(rows)
            yield "hosts", graph.hosts_of(rows)


def combine_for_pages(table: str, rows: pa.Table) -> pa.Table:
    """Keep no more neighbours of a page than are kept, and one to tell that it has more."""
    if table == "hosts":
        return rows.group_by(_HOSTS.names).aggregate([]).cast(_HOSTS)
    return graph.kept_edges(rows, spare=1) if table == "edges" else rows


@dataclass(frozen=True)
class ReducePages:
    """Read shared names by their page, and keep the topics and neighbours of each page."""

    taxonomy_files: TaxonomyFiles

    def __call__(self, tables: Tables) -> Tables:
        """Return `PAGE_OUTPUTS`, and counts of discounts and caps."""
        inputs = {
            "mentions": evidence.MENTIONS,
            "edges": graph.EDGES,
            "hosts": _HOSTS,
            "anchors": links.MESSAGES,
            "discounts": REASONS,
        }
        table_of = tables_of(tables, inputs)
        named = in_context(table_of["mentions"], taxonomy_at(self.taxonomy_files))
        mentions = evidence.per_page(named)
        nodes = graph.nodes(links.topics(mentions))
        edges = table_of["edges"]
        ends = graph.ends(graph.kept_edges(edges), nodes, table_of["hosts"])
        return {
            "mentions": in_order(mentions),
            "nodes": nodes,
            "ends": in_order(ends),
            "anchors": in_order(table_of["anchors"]),
            "caps": graph.count_capped(edges),
            "discounts": count_reasons(table_of["discounts"]),
        }


def _reasons(found: Discounted) -> pa.Table:
    rows = pa.array(found.reason >= 0)
    page_id = ids.to_binary(found.signals["page_id"].filter(rows))
    columns = [page_id, pa.array(found.reason).filter(rows)]
    return pa.Table.from_arrays(columns, schema=REASONS)
