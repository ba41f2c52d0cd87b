"""Texts and images on most pages of a host, which describe the site and not a picture.

A text ("share on …", a slogan) or an image (a logo) on at least `MIN_PAGES` pages and `MIN_SHARE`
of the pages of its host is boilerplate. The weight of its signals is multiplied by `DISCOUNT`; they
are not removed, because a site about apples has "apple" on every page, too. The rule is that of
"Template detection via data mining and its applications" (Bar-Yossef and Rajagopalan, WWW 2002)
with texts and images instead of page parts.

Pages are counted for 64-bit hashes of (host, source, text) and (host, image), so that a host with a
million texts takes megabytes: `text_occurrences`, `image_occurrences` and `page_occurrences` make
the rows, `count_pages` counts them, divided by their keys in any way, `find_boilerplate` decides,
and `discount` changes the weights.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys import ids
from labeling.keys.hashing import GOLDEN, Hashes, scramble
from labeling.keys.runs import run_begins, run_sizes, run_starts
from labeling.keys.text_hashes import hash_texts

MIN_PAGES = 5
MIN_SHARE = 0.3
DISCOUNT = 0.1

REASONS = ("boilerplate_text", "boilerplate_image")
"""Reasons for a discount; if both hold, the first one counts."""

OCCURRENCES = pa.schema([("key", ids.BINARY), ("host", pa.uint64())])
"""One thing (text, image or host) on one page: the first half of the key is a hash of the thing,
the second half one of the page."""

COUNTS = pa.schema([("thing", pa.uint64()), ("host", pa.uint64()), ("n_pages", pa.int32())])
"""One thing that is on at least `MIN_PAGES` pages."""

DISCOUNTS = pa.schema([("reason", pa.string()), ("n_signals", pa.int64())])
"""Discounted signals by reason."""


class Discounted(NamedTuple):
    """`labeling.schemas.SIGNALS` with new weights, and the reason for each: ``int8[n]``.

    A reason is an index in `REASONS`, or -1.
    """

    signals: pa.Table
    reason: npt.NDArray[np.int8]


def text_occurrences(signals: pa.Table) -> pa.Table:
    """Return `OCCURRENCES` of texts; signals without a host are left out."""
    with_host = signals.filter(pc.not_equal(signals["host"], ""))
    return _occurrences(_hash_texts(with_host), with_host)


def image_occurrences(placements: pa.Table) -> pa.Table:
    """Return `OCCURRENCES` of images; placements without a host are left out."""
    with_host = placements.filter(pc.not_equal(placements["host"], ""))
    return _occurrences(_hash_images(with_host), with_host)


def page_occurrences(placements: pa.Table) -> pa.Table:
    """Return `OCCURRENCES` of hosts on their pages."""
    return _occurrences(_hash_names(placements["host"]), placements)


def count_reasons(discounted: pa.Table) -> pa.Table:
    """Return `DISCOUNTS`, given a row with its ``reason`` for each discounted signal."""
    n_signals = np.bincount(discounted["reason"].to_numpy(), minlength=len(REASONS))
    counts = pa.table({"reason": list(REASONS), "n_signals": n_signals}, schema=DISCOUNTS)
    return counts.filter(pc.greater(counts["n_signals"], 0))


def distinct(occurrences: pa.Table) -> pa.Table:
    """Return the distinct rows of `OCCURRENCES`, sorted by key."""
    halves = ids.to_halves(occurrences["key"])
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    return occurrences.take(pa.array(order[run_begins(halves[order])]))


def count_pages(occurrences: pa.Table) -> pa.Table:
    """Return `COUNTS`, given all `OCCURRENCES` of each thing in any order."""
    rows = distinct(occurrences)
    things = ids.to_halves(rows["key"])[:, 0]
    starts = run_starts(things)
    n_pages = run_sizes(starts, len(things))
    often = n_pages >= MIN_PAGES
    first = starts[often]
    columns = [things[first], rows["host"].take(pa.array(first)), n_pages[often].astype(np.int32)]
    return pa.table(columns, schema=COUNTS)


def find_boilerplate(counts: pa.Table, hosts: pa.Table) -> Hashes:
    """Return the things that are boilerplate, sorted.

    Parameters
    ----------
    counts
        `COUNTS` of texts and images.
    hosts
        `COUNTS` of hosts; hosts that are missing have fewer than `MIN_PAGES` pages.
    """
    row = pc.index_in(counts["host"], value_set=hosts["host"].combine_chunks())
    known = counts.filter(pc.is_valid(row))
    of_host = hosts["n_pages"].take(row.drop_null()).to_numpy()
    is_boilerplate = known["n_pages"].to_numpy() >= MIN_SHARE * of_host
    return np.unique(known["thing"].to_numpy()[is_boilerplate])


def discount(signals: pa.Table, boilerplate: Hashes) -> Discounted:
    """Discount the boilerplate among some signals.

    Parameters
    ----------
    signals
        `labeling.schemas.SIGNALS`. Those without a host do not change.
    boilerplate
        From `find_boilerplate`.

    Examples
    --------
    >>> from labeling.schemas import SIGNALS
    >>> page = ["%032x" % n for n in range(5)]
    >>> placements = pa.table({"image_id": page, "page_id": page, "host": ["a.org"] * 5})
    >>> more = {"source": ["alt"] * 5, "text": ["Menu"] * 4 + ["menu "], "weight": [1.0] * 5}
    >>> signals = pa.table({**{n: placements[n] for n in placements.column_names}, **more})
    >>> signals = signals.append_column("lang", pa.nulls(5, pa.string())).cast(SIGNALS.arrow)
    >>> hosts = count_pages(page_occurrences(placements))
    >>> boilerplate = find_boilerplate(count_pages(text_occurrences(signals)), hosts)
    >>> discounted = discount(signals, boilerplate)
    >>> discounted.signals["weight"][0].as_py() < 0.11, discounted.reason.tolist()
    (True, [0, 0, 0, 0, 0])
    """
    reason = np.full(len(signals), -1, np.int8)
    if not len(boilerplate):
        return Discounted(signals, reason)
    reason[np.isin(_hash_images(signals), boilerplate)] = 1
    reason[np.isin(_hash_texts(signals), boilerplate)] = 0
    factor = np.where(reason >= 0, np.float32(DISCOUNT), np.float32(1))
    index = signals.column_names.index("weight")
    weight = pa.array(signals["weight"].to_numpy() * factor)
    return Discounted(signals.set_column(index, signals.schema.field("weight"), weight), reason)


def _occurrences(things: Hashes, rows: pa.Table) -> pa.Table:
    page = ids.to_halves(rows["page_id"])
    key = ids.halves_to_binary(np.column_stack([things, page[:, 0] ^ page[:, 1]]))
    return pa.Table.from_arrays([key, pa.array(_hash_names(rows["host"]))], schema=OCCURRENCES)


def _hash_texts(signals: pa.Table) -> Hashes:
    site = _combine(_hash_names(signals["host"]), _hash_names(signals["source"]))
    return _combine(site, hash_texts(signals["text"]))


def _hash_images(rows: pa.Table) -> Hashes:
    image = ids.to_halves(rows["image_id"])
    return _combine(_combine(_hash_names(rows["host"]), image[:, 0]), image[:, 1])


def _hash_names(names: pa.ChunkedArray) -> Hashes:
    """Return the hash of each name; distinct names, which are few, are hashed once."""
    coded = names.combine_chunks().dictionary_encode()
    hashes = pd.util.hash_array(coded.dictionary.to_numpy(zero_copy_only=False))
    of_rows: Hashes = hashes[coded.indices.to_numpy()]
    return of_rows


def _combine(first: Hashes, second: Hashes) -> Hashes:
    """Return one hash of two, which depends on their order."""
    return scramble(first * GOLDEN + second)
