"""Texts to mentions of labels, the evidence for (image, label) pairs."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from labeling.keys import ids
from labeling.keys.host_numbers import HOST, SOURCE, compact
from labeling.keys.runs import run_numbers, run_starts
from labeling.keys.text_hashes import hash_texts
from labeling.matching.matcher import Matcher
from labeling.matching.texts import match_texts

MENTIONS = pa.schema(
    [
        ("image_id", ids.BINARY),
        ("page_id", ids.BINARY),
        ("host", HOST),
        ("label", pa.int32()),
        ("source", SOURCE),
        ("name", pa.int32()),
        ("text", pa.uint64()),
        ("strength", pa.float32()),
        ("ambiguity", pa.int16()),
    ]
)
"""One label named in one text about one image: ``label`` is the taxonomy's code, ``name`` the
matcher's number of the name, ``text`` a hash of the text."""

PAGE_MENTIONS = pa.schema(
    [
        ("image_id", ids.BINARY),
        ("page_id", ids.BINARY),
        ("host", HOST),
        ("label", pa.int32()),
        ("source", SOURCE),
        ("n_texts", pa.int32()),
        ("strength", pa.float32()),
        ("ambiguity", pa.int16()),
    ]
)
"""One label that one source names about one image on one page, in so many distinct texts."""

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
"""Evidence of one source for one (image, label), from some of the pages."""

COVERAGE = pa.schema([("image_id", ids.BINARY), ("source", SOURCE)])
"""One source that covers an image: it votes for its labels, or is silent."""


def mentions(signals: pa.Table, matcher: Matcher) -> pa.Table:
    """Return the labels that the texts of `signals` name, as `MENTIONS` in the order of the rows.

    Strength is that of the match times the signal's weight.
    """
    matches = match_texts(matcher, signals["text"])
    weight = signals["weight"].to_numpy()[matches.row]
    rows = compact(signals.select(["image_id", "page_id", "host", "source"]))
    columns = dict(zip(rows.column_names, rows.take(pa.array(matches.row)).columns, strict=True))
    columns |= {name: getattr(matches, name) for name in ("label", "name", "ambiguity")}
    named = signals["text"].take(pa.array(matches.row[run_starts(matches.row)]))
    columns["text"] = hash_texts(named)[run_numbers(matches.row)]
    columns["strength"] = (matches.strength * weight).astype(np.float32)
    return pa.table(columns).select(MENTIONS.names).cast(MENTIONS)


def coverage(signals: pa.Table) -> pa.Table:
    """Return the sources that cover each image: those with a text about it."""
    return compact(signals.group_by(COVERAGE.names).aggregate([])).cast(COVERAGE)


def per_page(mentions: pa.Table) -> pa.Table:
    """Return `PAGE_MENTIONS` of all `MENTIONS` of some pages, in no particular order.

    The strength of a row is the largest of its mentions, the ambiguity the smallest.
    """
    merged = mentions.group_by(["image_id", "page_id", "host", "label", "source"]).aggregate(
        [("text", "count_distinct"), ("strength", "max"), ("ambiguity", "min")]
    )
    return merged.rename_columns(PAGE_MENTIONS.names).cast(PAGE_MENTIONS)
