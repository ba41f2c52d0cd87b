"""The second pass by page: what arrived at a page goes to the images that it shows."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from labeling.evidence import evidence
from labeling.keys.host_numbers import COMPACT_PLACEMENTS, compact
from labeling.links import links
from labeling.links.propagation_steps import HEARD
from pipelines.passes.tables import in_order, tables_of
from pipelines.shuffle.engine import Split, Tables

LINK_OUTPUTS = {"evidence": evidence.EVIDENCE_ROWS, "coverage": evidence.COVERAGE}


def read_for_images(split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Yield the rows of a file under the name of their table."""
    rows = pq.read_table(*split.arguments)
    yield split.kind, compact(rows) if split.kind == "placements" else rows


def combine_for_images(table: str, rows: pa.Table) -> pa.Table:
    """Keep no more images of a page than hear what it has to say, and one to tell."""
    if table in ("mentions", "placements"):
        return links.lowest(rows, "image_id", links.MAX_IMAGES + 1)
    return rows


def reduce_links(tables: Tables) -> Tables:
    """Hand what pages have heard to the images that they show."""
    schemas = {"mentions": evidence.SPOKEN, "anchors": links.MESSAGES}
    table_of = tables_of(tables, {**schemas, "heard": HEARD, "placements": COMPACT_PLACEMENTS})
    shown = links.lowest(table_of["placements"], "image_id", links.MAX_IMAGES)
    mentions = links.lowest(table_of["mentions"], "image_id", links.MAX_IMAGES)
    spoken = [
        links.linked_evidence(table_of["heard"], shown),
        links.anchor_evidence(table_of["anchors"], shown),
        links.page_evidence(mentions, shown),
    ]
    return {
        "evidence": in_order(pa.concat_tables([rows for rows, _ in spoken])),
        "coverage": in_order(pa.concat_tables([covered for _, covered in spoken])),
        "caps": links.count_over(
            table_of["placements"], "image_id", links.MAX_IMAGES, "too_many_images"
        ),
    }
