"""Links to evidence: topics of the pages around an image's page.

Each page gets its topics (the labels named on it, the strongest `TOP_TOPICS` kept, so that memory
does not depend on the number of labels). They are propagated in `labeling.links.graph` and
`labeling.links.propagation_steps`; here the votes of neighbours, the texts of links and the page's
other images become evidence.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.evidence.evidence import COVERAGE, EVIDENCE_ROWS
from labeling.keys import ids
from labeling.keys.host_numbers import HOST, compact, one_source
from labeling.keys.runs import rank_in_run
from labeling.matching.matcher import Matcher
from labeling.matching.texts import match_texts

TOP_TOPICS = 16
"""Labels kept for a page."""

MAX_DEGREE = 256
"""Pages linked with a page that are its neighbours; of more, those of the lowest digests."""

MAX_SENDERS = 1_024
"""Pages of a host or an image that are neighbours through it, and images of a page through which
it has neighbours; of more, those of the lowest digests."""

MAX_LABELS = 256
"""Labels that a page passes to its images, the strongest."""

MAX_IMAGES = 5_000
"""Images of a page that get its labels; of more, those of the lowest digests."""

REASONS = ("too_many_links", "too_many_senders", "too_many_images")

CAPS = pa.schema([("reason", pa.string()), ("n_pages", pa.int64())])
"""Number of pages (for senders, also hosts and images) above a cap, by one of `REASONS`."""

TOPICS = pa.schema(
    [
        ("page_id", ids.BINARY),
        ("host", HOST),
        ("label", pa.int32()),
        ("n_images", pa.int32()),
        ("strength", pa.float32()),
    ]
)
"""One label of a page, the number of its images with texts that name it, and the best strength."""

ANCHORS = pa.schema(
    [
        ("page_id", ids.BINARY),
        ("from_page", ids.BINARY),
        ("from_host", HOST),
        ("label", pa.int32()),
        ("strength", pa.float32()),
        ("ambiguity", pa.int16()),
    ]
)
"""One label that the text of a link from ``from_page`` to ``page_id`` names. A null label means
that the text names no label."""


def keep_lowest(rows: pa.Table, member: str, n: int) -> pa.Table:
    """Return the rows of the `n` lowest distinct members of each page, in no particular order.

    Parts of the rows may be capped first: the result does not depend on the order of the rows.
    """
    is_many = _has_more_rows(rows, n)
    if is_many is None:
        return rows
    of_many = rows.filter(is_many)
    kept = of_many.group_by(["page_id", member]).aggregate([])
    kept = kept.sort_by([("page_id", "ascending"), (member, "ascending")])
    kept = kept.filter(pa.array(rank_in_run(ids.to_halves(kept["page_id"])) < n))
    capped = of_many.join(kept, keys=["page_id", member], join_type="left semi")
    capped = capped.select(rows.column_names).cast(rows.schema)
    return pa.concat_tables([rows.filter(pc.invert(is_many)), capped])


def count_over(rows: pa.Table, member: str, n: int, reason: str) -> pa.Table:
    """Return, as a row of `CAPS`, the number of pages with more than `n` distinct members."""
    is_many = _has_more_rows(rows, n)
    of_many = rows.filter(is_many) if is_many is not None else rows.slice(0, 0)
    counts = of_many.group_by("page_id").aggregate([(member, "count_distinct")])
    n_pages = pc.sum(pc.greater(counts[f"{member}_count_distinct"], n)).as_py() or 0
    return pa.table([[reason], [n_pages]], schema=CAPS)


def _has_more_rows(rows: pa.Table, n: int) -> pa.ChunkedArray | None:
    """Return ``bool[n_rows]``: rows of pages with more than `n`; None for no such page."""
    if len(rows) <= n:
        return None
    counts = rows["page_id"].value_counts()
    many = counts.field("values").filter(pc.greater(counts.field("counts"), n))
    return pc.is_in(rows["page_id"], value_set=many) if len(many) else None


def anchors(links: pa.Table, matcher: Matcher) -> pa.Table:
    """Return the labels that the texts of links name, as `ANCHORS`."""
    links = links.filter(pc.is_valid(links["anchor"]))
    matches = match_texts(matcher, links["anchor"])
    unmatched = np.setdiff1d(np.arange(len(links)), matches.row)
    rows = pa.array(np.concatenate([matches.row, unmatched]))
    pages = compact(links.select(["dst_page", "src_page", "src_host"])).take(rows)
    columns = [
        *pages.columns,
        pa.concat_arrays([pa.array(matches.label), pa.nulls(len(unmatched), pa.int32())]),
        np.concatenate([matches.strength, np.zeros(len(unmatched), np.float32)]),
        np.concatenate([matches.ambiguity, np.ones(len(unmatched), np.int16)]),
    ]
    return pa.table(columns, schema=ANCHORS)


def page_topics(mentions: pa.Table) -> pa.Table:
    """Return the strongest `TOP_TOPICS` labels of each page, sorted by page and rank.

    Rank is by the number of images, then by strength, then by the label's code.
    """
    named = mentions.group_by(["page_id", "label"]).aggregate(
        [("host", "min"), ("image_id", "count_distinct"), ("strength", "max")]
    )
    columns = ["page_id", "host_min", "label", "image_id_count_distinct", "strength_max"]
    table = named.select(columns).rename_columns(TOPICS.names).cast(TOPICS)
    return _strongest(table, "n_images", TOP_TOPICS)


def linked_evidence(votes: pa.Table, placements: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the votes of neighbours as evidence for the images of pages (source ``linked``).

    Parameters
    ----------
    votes
        `labeling.links.propagation_steps.NEIGHBOUR_VOTES` on some pages.
    placements
        Their `labeling.keys.host_numbers.COMPACT_PLACEMENTS`.

    Returns
    -------
    evidence, coverage
        `EVIDENCE_ROWS`, one for each page that an image is on, and `COVERAGE`.
    """
    labels = votes.append_column("ambiguity", pa.array(np.ones(len(votes), np.int16)))
    return _to_images(labels, placements, "linked"), _cover(votes, placements, "linked")


def anchor_evidence(anchors: pa.Table, placements: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return `ANCHORS` as evidence for the images of the pages they point to (source ``anchor``).

    Returns
    -------
    evidence, coverage
        `EVIDENCE_ROWS`, one for each page that an image is on, and `COVERAGE`.
    """
    named = anchors.filter(pc.is_valid(anchors["label"]))
    labels = named.group_by(["page_id", "label"]).aggregate(
        [
            ("strength", "max"),
            ("from_page", "count_distinct"),
            ("from_host", "count_distinct"),
            ("ambiguity", "min"),
        ]
    )
    names = ["page_id", "label", "strength", "n_pages", "n_hosts", "ambiguity"]
    labels = labels.rename_columns(names)
    return _to_images(labels, placements, "anchor"), _cover(anchors, placements, "anchor")


def page_evidence(mentions: pa.Table, placements: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the labels of the other images of a page as evidence (source ``page``).

    Strength is the share of the page's other images whose texts name the label.

    Returns
    -------
    evidence, coverage
        `EVIDENCE_ROWS`, one for each page that an image is on, and `COVERAGE` of the
        images on pages that show more than one.
    """
    images = placements.group_by(["page_id", "image_id", "host"]).aggregate([])
    n_images = images.group_by("page_id").aggregate([("image_id", "count")])
    shared = n_images.filter(pc.greater(n_images["image_id_count"], 1))
    images = images.join(shared, keys="page_id", join_type="inner")
    naming = mentions.group_by(["page_id", "label", "image_id"]).aggregate([])
    naming = naming.append_column("names_it", pa.array(np.ones(len(naming), np.int32)))
    topics = page_topics(mentions).drop_columns(["host", "strength"])
    rows = images.join(topics, keys="page_id", join_type="inner")
    rows = rows.join(naming, keys=["page_id", "label", "image_id"], join_type="left outer")
    n_naming = pc.subtract(rows["n_images"], pc.fill_null(rows["names_it"], 0))
    n_others = pc.subtract(rows["image_id_count"], 1).cast(pa.float32())
    rows = rows.append_column("strength", pc.divide(n_naming.cast(pa.float32()), n_others))
    rows = rows.filter(pc.greater(n_naming, 0))
    ones = pa.array(np.ones(len(rows), np.int16))
    for name in ("n_pages", "n_hosts", "ambiguity"):
        rows = rows.append_column(name, ones)
    return _evidence_rows(rows, "page"), _coverage_rows(images["image_id"].unique(), "page")


def _strongest(rows: pa.Table, weight: str, n: int) -> pa.Table:
    """Return `n` labels of each page, by a count, then strength, then the label's code."""
    descending = [(weight, "descending"), ("strength", "descending")]
    rows = rows.sort_by([("page_id", "ascending"), *descending, ("label", "ascending")])
    return rows.filter(pa.array(rank_in_run(ids.to_halves(rows["page_id"])) < n))


def _to_images(labels: pa.Table, placements: pa.Table, source: str) -> pa.Table:
    if _has_more_rows(labels, MAX_LABELS) is not None:
        labels = _strongest(labels, "n_pages", MAX_LABELS)
    images = placements.group_by(["page_id", "image_id"]).aggregate([])
    return _evidence_rows(images.join(labels, keys="page_id", join_type="inner"), source)


def _evidence_rows(rows: pa.Table, source: str) -> pa.Table:
    rows = rows.append_column("source", one_source(source, len(rows)))
    return rows.select(EVIDENCE_ROWS.names).cast(EVIDENCE_ROWS)


def _cover(labels: pa.Table, placements: pa.Table, source: str) -> pa.Table:
    pages = labels.group_by("page_id").aggregate([])
    covered = placements.join(pages, keys="page_id", join_type="inner")
    return _coverage_rows(covered["image_id"].unique(), source)


def _coverage_rows(images: pa.Array, source: str) -> pa.Table:
    return pa.table([images, one_source(source, len(images))], schema=COVERAGE)
