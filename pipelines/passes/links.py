"""The second pass by page: topics and anchors that reached a page go to the images on it."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from labeling.evidence import evidence
from labeling.keys.host_numbers import COMPACT_PLACEMENTS, compact
from labeling.links import links
from labeling.links.propagation_steps import NEIGHBOUR_VOTES
from pipelines.passes.labeling_pass import Pass
from pipelines.passes.tables import in_order, tables_of
from pipelines.shuffle.engine import Split, Tables

EVIDENCE = {"evidence": evidence.EVIDENCE_ROWS, "coverage": evidence.COVERAGE}
"""Tables for the pass `pipelines.passes.merge`."""

_INPUTS = {
    "mentions": evidence.PAGE_MENTIONS,
    "propagated": NEIGHBOUR_VOTES,
    "anchors": links.ANCHORS,
    "placements": COMPACT_PLACEMENTS,
}


def make_pass() -> Pass:
    """Return the pass."""
    return Pass(
        "links",
        inputs=tuple(_INPUTS),
        read=_read,
        keys=dict.fromkeys(_INPUTS, "page_id"),
        reduce=_reduce,
        outputs={**EVIDENCE, "caps": links.CAPS},
        combine=_combine,
        growth=8,
    )


def _read(split: Split) -> Iterator[tuple[str, pa.Table]]:
    rows = pq.read_table(*split.arguments)
    yield split.kind, compact(rows) if split.kind == "placements" else rows


def _combine(table: str, rows: pa.Table) -> pa.Table:
    """Keep the images of a page that get its topics, and one so that `_reduce` sees the cap."""
    if table in ("mentions", "placements"):
        return links.keep_lowest(rows, "image_id", links.MAX_IMAGES + 1)
    return rows


def _reduce(tables: Tables) -> Tables:
    """Return evidence and coverage for the images of the pages, and how many pages are capped."""
    table_of = tables_of(tables, _INPUTS)
    shown = links.keep_lowest(table_of["placements"], "image_id", links.MAX_IMAGES)
    mentions = links.keep_lowest(table_of["mentions"], "image_id", links.MAX_IMAGES)
    by_source = [
        links.linked_evidence(table_of["propagated"], shown),
        links.anchor_evidence(table_of["anchors"], shown),
        links.page_evidence(mentions, shown),
    ]
    return {
        "evidence": in_order(pa.concat_tables([rows for rows, _ in by_source])),
        "coverage": in_order(pa.concat_tables([covered for _, covered in by_source])),
        "caps": links.count_over(
            table_of["placements"], "image_id", links.MAX_IMAGES, "too_many_images"
        ),
    }
