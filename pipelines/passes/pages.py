"""The first pass by page: texts are matched, and each page gets its topics and neighbours."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from labeling.evidence import evidence
from labeling.keys import ids
from labeling.keys.host_numbers import HOST
from labeling.links import graph, links
from labeling.matching import boilerplate
from labeling.matching.disambiguation import disambiguate
from labeling.taxonomy.published import TaxonomyFiles
from pipelines.passes.hosts import boilerplate_in
from pipelines.passes.labeling_pass import Pass
from pipelines.passes.tables import in_order, tables_of
from pipelines.shuffle.engine import Split, Tables
from pipelines.workers.matchers import MatcherFiles, matcher_at
from pipelines.workers.taxonomies import taxonomy_at

_REASONS = pa.schema([("page_id", ids.BINARY), ("reason", pa.int8())])
"""One signal that was discounted."""

_HOSTS = pa.schema([("page_id", ids.BINARY), ("host", HOST)])

_READ = {
    "mentions": evidence.MENTIONS,
    "edges": graph.EDGES,
    "hosts": _HOSTS,
    "anchors": links.ANCHORS,
    "discounts": _REASONS,
}


def make_pass(files: MatcherFiles) -> Pass:
    """Return the pass."""
    return Pass(
        "pages",
        inputs=("signals", "links", "placements"),
        read=functools.partial(_read, files),
        keys=dict.fromkeys(_READ, "page_id"),
        reduce=functools.partial(_reduce, files.taxonomy),
        outputs={
            "mentions": evidence.PAGE_MENTIONS,
            "nodes": graph.NODES,
            "ends": graph.HALF_EDGES,
            "anchors": links.ANCHORS,
            "caps": links.CAPS,
            "discounts": boilerplate.DISCOUNTS,
        },
        combine=_combine,
        growth=8,
    )


def _read(files: MatcherFiles, split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Match the texts of signals, boilerplate discounted, and of links; find neighbours."""
    rows = pq.read_table(*split.arguments)
    if split.kind == "signals":
        discounted = boilerplate.discount(rows, boilerplate_in(files.work_dir / "hosts"))
        yield "discounts", _reasons(discounted)
        yield "mentions", evidence.mentions(discounted.signals, matcher_at(files))
    elif split.kind == "links":
        yield "edges", graph.link_edges(rows)
        yield "hosts", graph.hosts_of(rows)
        yield "anchors", links.anchors(rows, matcher_at(files))
    else:
        yield "edges", graph.placement_edges(rows)
        yield "hosts", graph.hosts_of(rows)


def _combine(table: str, rows: pa.Table) -> pa.Table:
    """Keep the neighbours up to the cap, and one more by which `_reduce` sees a cut."""
    if table == "hosts":
        return rows.group_by(_HOSTS.names).aggregate([]).cast(_HOSTS)
    return graph.kept_edges(rows, spare=1) if table == "edges" else rows


def _reduce(taxonomy_files: TaxonomyFiles, tables: Tables) -> Tables:
    """Decide shared names by their page, and keep the topics and neighbours of each page."""
    table_of = tables_of(tables, _READ)
    decided = disambiguate(table_of["mentions"], taxonomy_at(taxonomy_files))
    mentions = evidence.per_page(decided)
    nodes = graph.nodes(links.page_topics(mentions))
    edges = table_of["edges"]
    ends = graph.half_edges(graph.kept_edges(edges), nodes, table_of["hosts"])
    return {
        "mentions": in_order(mentions),
        "nodes": nodes,
        "ends": in_order(ends),
        "anchors": in_order(table_of["anchors"]),
        "caps": graph.count_capped(edges),
        "discounts": boilerplate.count_reasons(table_of["discounts"]),
    }


def _reasons(discounted: boilerplate.Discounted) -> pa.Table:
    rows = pa.array(discounted.reason >= 0)
    page_id = ids.to_binary(discounted.signals["page_id"].filter(rows))
    columns = [page_id, pa.array(discounted.reason).filter(rows)]
    return pa.Table.from_arrays(columns, schema=_REASONS)
