"""The first pass by page: texts are matched; each page's topics go to its neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from labeling import evidence, ids, links
from labeling.boilerplate import Discounted, count_reasons, discount
from labeling.context import in_context
from labeling.taxonomies import TaxonomyFiles
from pipelines.engine import Split, Tables
from pipelines.extract import taxonomy_at
from pipelines.passes.hosts import boilerplate_in
from pipelines.passes.matchers import MatcherFiles, matcher_at
from pipelines.passes.tables import in_order, tables_of

PAGE_OUTPUTS = {
    "mentions": evidence.SPOKEN,
    "messages": links.MESSAGES,
    "anchors": links.MESSAGES,
}

REASONS = pa.schema([("page_id", ids.BINARY), ("reason", pa.int8())])
"""One signal that was discounted."""


@dataclass(frozen=True)
class ReadForPages:
    """Match the texts of signals, boilerplate discounted, or of links."""

    files: MatcherFiles

    def __call__(self, split: Split) -> Iterator[tuple[str, pa.Table]]:
        """Yield discounts, mentions, edges and anchors, by page."""
        rows = pq.read_table(*split.arguments)
        matcher = matcher_at(self.files)
        if split.kind == "signals":
            found = discount(rows, boilerplate_in(self.files.work_dir / "hosts"))
            yield "discounts", _reasons(found)
            yield "mentions", evidence.mentions(found.signals, matcher)
        else:
            yield "edges", links.edges(rows)
            yield "anchors", links.anchors(rows, matcher)


def combine_for_pages(table: str, rows: pa.Table) -> pa.Table:
    """Keep no more neighbours of a page than are followed, and one to tell that it has more."""
    if table != "edges":
        return rows
    return links.lowest(_distinct_edges(rows), "other_page", links.MAX_DEGREE + 1)


@dataclass(frozen=True)
class ReducePages:
    """Read shared names by their page, and send the topics of each page to its neighbours."""

    taxonomy_files: TaxonomyFiles

    def __call__(self, tables: Tables) -> Tables:
        """Return ``mentions``, ``messages``, ``anchors``, and counts of discounts and caps."""
        inputs = {
            **PAGE_OUTPUTS,
            "mentions": evidence.MENTIONS,
            "edges": links.EDGES,
            "discounts": REASONS,
        }
        table_of = tables_of(tables, inputs)
        edges = combine_for_pages("edges", table_of["edges"])
        named = in_context(table_of["mentions"], taxonomy_at(self.taxonomy_files))
        mentions = evidence.per_page(named)
        topics = links.topics(mentions)
        return {
            "mentions": in_order(mentions),
            "messages": in_order(links.messages(topics, edges)),
            "anchors": in_order(table_of["anchors"]),
            "caps": links.count_over(edges, "other_page", links.MAX_DEGREE, "too_many_links"),
            "discounts": count_reasons(table_of["discounts"]),
        }


def _reasons(found: Discounted) -> pa.Table:
    rows = pa.array(found.reason >= 0)
    page_id = ids.to_binary(found.signals["page_id"].filter(rows))
    columns = [page_id, pa.array(found.reason).filter(rows)]
    return pa.Table.from_arrays(columns, schema=REASONS)


def _distinct_edges(edges: pa.Table) -> pa.Table:
    return edges.group_by(links.EDGES.names).aggregate([]).cast(links.EDGES)
