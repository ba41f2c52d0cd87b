"""Links to evidence: what the pages around an image's page are about.

Each page gets its topics (the labels named on it, the strongest `TOP_TOPICS` kept, so that memory
does not depend on the number of labels). What becomes of them is in `labeling.links.graph` and
`labeling.links.propagation_steps`; here they, the texts of links and the page's other images become
evidence.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.evidence.evidence import COVERAGE, EVIDENCE_ROWS
from labeling.keys import ids
from labeling.keys.host_numbers import HOST, compact, one_source
from labeling.keys.runs import rank_in_run
from labeling.matching.matcher import Matcher, match_texts

TOP_TOPICS = 16
"""Labels kept for a page."""

MAX_DEGREE = 256
"""Pages linked with a page that are its neighbours; of more, those of the lowest digest."""

MAX_SENDERS = 1_024
"""Pages of a host or an image that are neighbours through it, and images of a page through which
it has some; of more, those of the lowest digest."""

MAX_HEARD = 256
"""Labels that a page hands on to its images, the strongest."""

MAX_IMAGES = 5_000
"""Images of a page that hear what it has to say; of more, those of the lowest digest."""

REASONS = ("too_many_links", "too_many_senders", "too_many_images")

CAPS = pa.schema([("reason", pa.string()), ("n_pages", pa.int64())])
"""How many pages (for senders, also hosts and images) had more of something than is kept, by one
of `REASONS`."""

TOPICS = pa.schema(
    [
        ("page_id", ids.BINARY),
        ("host", HOST),
        ("label", pa.int32()),
        ("n_images", pa.int32()),
        ("strength", pa.float32()),
    ]
)
"""One label of a page: how many of its images' texts name it, and how strongly at best."""

MESSAGES = pa.schema(
    [
        ("page_id", ids.BINARY),
        ("from_page", ids.BINARY),
        ("from_host", HOST),
        ("label", pa.int32()),
        ("strength", pa.float32()),
        ("ambiguity", pa.int16()),
    ]
)
"""One label that the text of a link from ``from_page`` to ``page_id`` names. A null label says only
that the text could have named one."""


def lowest(rows: pa.Table, member: str, n: int) -> pa.Table:
    """Return the rows of the `n` lowest distinct members of each page, in no particular order.

    Doing so first with parts of the rows changes nothing: pages are capped alike whatever the
    order in which their rows come.
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
    """Return, as a row of `CAPS`, how many pages have more than `n` distinct members."""
    is_many = _has_more_rows(rows, n)
    of_many = rows.filter(is_many) if is_many is not None else rows.slice(0, 0)
    counts = of_many.group_by("page_id").aggregate([(member, "count_distinct")])
    n_pages = pc.sum(pc.greater(counts[f"{member}_count_distinct"], n)).as_py() or 0
    return pa.table([[reason], [n_pages]], schema=CAPS)


def _has_more_rows(rows: pa.Table, n: int) -> pa.ChunkedArray | None:
    """Return which rows are of a page that has more than `n`, or None where no page has."""
    if len(rows) <= n:
        return None
    counts = rows["page_id"].value_counts()
    many = counts.field("values").filter(pc.greater(counts.field("counts"), n))
    return pc.is_in(rows["page_id"], value_set=many) if len(many) else None


def anchors(links: pa.Table, matcher: Matcher) -> pa.Table:
    """Return the labels that link texts name, as `MESSAGES` to the page that is linked to."""
    spoken = links.filter(pc.is_valid(links["anchor"]))
    found = match_texts(matcher, spoken["anchor"])
    silent = np.setdiff1d(np.arange(len(spoken)), found.row)
    rows = pa.array(np.concatenate([found.row, silent]))
    named = compact(spoken.select(["dst_page", "src_page", "src_host"])).take(rows)
    columns = list(named.columns)
    columns += [
        pa.concat_arrays([pa.array(found.label), pa.nulls(len(silent), pa.int32())]),
        pa.array(np.concatenate([found.strength, np.zeros(len(silent), np.float32)])),
        pa.array(np.concatenate([found.ambiguity, np.ones(len(silent), np.int16)])),
    ]
    return pa.Table.from_arrays(columns, schema=MESSAGES)


def topics(mentions: pa.Table) -> pa.Table:
    """Return the strongest `TOP_TOPICS` labels of each page, sorted by page and rank.

    Rank is by the number of images, then by strength, then by the label's code.
    """
    named = mentions.group_by(["page_id", "label"]).aggregate(
        [("host", "min"), ("image_id", "count_distinct"), ("strength", "max")]
    )
    columns = ["page_id", "host_min", "label", "image_id_count_distinct", "strength_max"]
    table = named.select(columns).rename_columns(TOPICS.names).cast(TOPICS)
    return _strongest(table, "n_images", TOP_TOPICS)


def linked_evidence(heard: pa.Table, placements: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Hand what the neighbours of pages say to the images that they show (source ``linked``).

    Parameters
    ----------
    heard
        `labeling.links.propagation_steps.HEARD` of some pages.
    placements
        Their `labeling.keys.host_numbers.COMPACT_PLACEMENTS`.

    Returns
    -------
    evidence, coverage
        `EVIDENCE_ROWS`, one for each page that an image is on, and `COVERAGE`.
    """
    said = heard.append_column("ambiguity", pa.array(np.ones(len(heard), np.int16)))
    return _to_images(said, placements, "linked"), _cover(heard, placements, "linked")


def anchor_evidence(arrived: pa.Table, placements: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Hand the texts of links to the images of the page they point to (source ``anchor``).

    Returns
    -------
    evidence, coverage
        `EVIDENCE_ROWS`, one for each page that an image is on, and `COVERAGE`.
    """
    sent = _sent(arrived.filter(pc.is_valid(arrived["label"])))
    return _to_images(sent, placements, "anchor"), _cover(arrived, placements, "anchor")


def page_evidence(mentions: pa.Table, placements: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Let the other images of a page speak for each of its images (source ``page``).

    Strength is the share of the page's other images whose texts name the label.

    Returns
    -------
    evidence, coverage
        `EVIDENCE_ROWS`, one for each page that an image is on, and `COVERAGE` of the
        images on pages that show more than one.
    """
    shown = placements.group_by(["page_id", "image_id", "host"]).aggregate([])
    n_shown = shown.group_by("page_id").aggregate([("image_id", "count")])
    shared = n_shown.filter(pc.greater(n_shown["image_id_count"], 1))
    shown = shown.join(shared, keys="page_id", join_type="inner")
    own = mentions.group_by(["page_id", "label", "image_id"]).aggregate([])
    own = own.append_column("own", pa.array(np.ones(len(own), np.int32)))
    page_topics = topics(mentions).drop_columns(["host", "strength"])
    spoken = shown.join(page_topics, keys="page_id", join_type="inner")
    spoken = spoken.join(own, keys=["page_id", "label", "image_id"], join_type="left outer")
    others = pc.subtract(spoken["n_images"], pc.fill_null(spoken["own"], 0))
    n_others = pc.subtract(spoken["image_id_count"], 1).cast(pa.float32())
    spoken = spoken.append_column("strength", pc.divide(others.cast(pa.float32()), n_others))
    spoken = spoken.filter(pc.greater(others, 0))
    ones = pa.array(np.ones(len(spoken), np.int16))
    for name in ("n_pages", "n_hosts", "ambiguity"):
        spoken = spoken.append_column(name, ones)
    return _evidence_rows(spoken, "page"), _coverage_rows(shown["image_id"].unique(), "page")


def _strongest(rows: pa.Table, weight: str, n: int) -> pa.Table:
    """Return `n` labels of each page, by a count, then strength, then the label's code."""
    downwards = [(weight, "descending"), ("strength", "descending")]
    rows = rows.sort_by([("page_id", "ascending"), *downwards, ("label", "ascending")])
    return rows.filter(pa.array(rank_in_run(ids.to_halves(rows["page_id"])) < n))


def _sent(arrived: pa.Table) -> pa.Table:
    sent = arrived.group_by(["page_id", "label"]).aggregate(
        [
            ("strength", "max"),
            ("from_page", "count_distinct"),
            ("from_host", "count_distinct"),
            ("ambiguity", "min"),
        ]
    )
    names = ["page_id", "label", "strength", "n_pages", "n_hosts", "ambiguity"]
    return sent.rename_columns(names)


def _to_images(sent: pa.Table, placements: pa.Table, source: str) -> pa.Table:
    if _has_more_rows(sent, MAX_HEARD) is not None:
        sent = _strongest(sent, "n_pages", MAX_HEARD)
    shown = placements.group_by(["page_id", "image_id"]).aggregate([])
    return _evidence_rows(shown.join(sent, keys="page_id", join_type="inner"), source)


def _evidence_rows(spoken: pa.Table, source: str) -> pa.Table:
    named = spoken.append_column("source", one_source(source, len(spoken)))
    return named.select(EVIDENCE_ROWS.names).cast(EVIDENCE_ROWS)


def _cover(arrived: pa.Table, placements: pa.Table, source: str) -> pa.Table:
    pages = arrived.group_by("page_id").aggregate([])
    shown = placements.join(pages, keys="page_id", join_type="inner")
    return _coverage_rows(shown["image_id"].unique(), source)


def _coverage_rows(images: pa.Array, source: str) -> pa.Table:
    columns = [images, one_source(source, len(images))]
    return pa.Table.from_arrays(columns, schema=COVERAGE)
