"""Mentions to evidence: what each source says about each (image, label)."""

from __future__ import annotations

import pyarrow as pa

from labeling.keys import ids
from labeling.keys.host_numbers import HOST, SOURCE, compact
from labeling.matching.matcher import Matcher, match_texts

MENTIONS = pa.schema(
    [
        ("image_id", ids.BINARY),
        ("page_id", ids.BINARY),
        ("host", HOST),
        ("label", pa.int32()),
        ("source", SOURCE),
        ("name", pa.int32()),
        ("strength", pa.float32()),
        ("ambiguity", pa.int16()),
    ]
)
"""One label named in one text about one image; ``label`` is the taxonomy's code, ``name`` the
matcher's number of the name."""

SPOKEN = pa.schema(
    [
        ("image_id", ids.BINARY),
        ("page_id", ids.BINARY),
        ("host", HOST),
        ("label", pa.int32()),
        ("source", SOURCE),
        ("strength", pa.float32()),
        ("ambiguity", pa.int16()),
    ]
)
"""One label that one source names about one image on one page."""

EVIDENCE_ROWS = pa.schema(
    [
        ("image_id", ids.BINARY),
        ("label", pa.int32()),
        ("source", SOURCE),
        ("strength", pa.float32()),
        ("n_pages", pa.int32()),
        ("n_hosts", pa.int32()),
        ("ambiguity", pa.int16()),
    ]
)
"""What one source says about one (image, label), as far as some of the pages tell."""

COVERAGE = pa.schema([("image_id", ids.BINARY), ("source", SOURCE)])
"""One source that could have spoken about an image."""


def mentions(signals: pa.Table, matcher: Matcher) -> pa.Table:
    """Return the labels that the texts of `signals` name, as `MENTIONS` in the order of the rows.

    Strength is that of the match times the signal's weight.
    """
    found = match_texts(matcher, signals["text"])
    rows = pa.array(found.row)
    weight = signals["weight"].to_numpy()[found.row]
    named = compact(signals.select(["image_id", "page_id", "host", "source"])).take(rows)
    columns = [named[name] for name in ("image_id", "page_id", "host")]
    columns += [pa.array(found.label), named["source"], pa.array(found.name)]
    columns += [pa.array(found.strength * weight, pa.float32()), pa.array(found.ambiguity)]
    return pa.Table.from_arrays(columns, schema=MENTIONS)


def coverage(signals: pa.Table) -> pa.Table:
    """Return which sources could have spoken about each image: those that gave it a text."""
    return compact(signals.group_by(COVERAGE.names).aggregate([])).cast(COVERAGE)


def per_page(found: pa.Table) -> pa.Table:
    """Return `SPOKEN` of all mentions of some pages, in no particular order.

    Of several mentions in one row, strength is the largest and ambiguity the smallest.
    """
    united = found.group_by(["image_id", "page_id", "host", "label", "source"]).aggregate(
        [("strength", "max"), ("ambiguity", "min")]
    )
    return united.rename_columns(SPOKEN.names).cast(SPOKEN)
