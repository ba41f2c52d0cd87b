"""Texts and images that stand on most pages of a host: they speak of the site, not of a picture.

A text ("share on …", a slogan) or an image (a logo) on at least `MIN_PAGES` pages and `MIN_SHARE`
of the pages of its host is boilerplate. The weight of its signals is multiplied by `DISCOUNT`: it
is trusted less, not thrown away, because a site about apples says "apple" everywhere too. Counting
by site follows "Template detection via data mining and its applications" (Bar-Yossef and
Rajagopalan, WWW 2002), with texts and images in the place of page parts.

What is counted are 64-bit hashes of (host, source, text) and (host, image), each with its page, so
that a host of a million texts takes megabytes; `texts`, `images` and `pages` make such rows,
`count` counts them anyhow divided by their keys, `judge` decides, and `discount` applies it.
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

MIN_PAGES = 5
MIN_SHARE = 0.3
DISCOUNT = 0.1

REASONS = ("boilerplate_text", "boilerplate_image")
"""Why a signal is discounted; the first that holds is counted."""

SEEN = pa.schema([("key", ids.BINARY), ("host", pa.uint64())])
"""One thing on one page: the key's first half tells what, its second half where."""

COUNTS = pa.schema([("thing", pa.uint64()), ("host", pa.uint64()), ("n_pages", pa.int32())])
"""Something that is on at least `MIN_PAGES` pages."""

DISCOUNTS = pa.schema([("reason", pa.string()), ("n_signals", pa.int64())])
"""Signals that were discounted, by reason."""


class Discounted(NamedTuple):
    """`labeling.schemas.SIGNALS` with their new weights, and why: ``int8[n]``.

    A reason is a place in `REASONS`, or -1.
    """

    signals: pa.Table
    reason: npt.NDArray[np.int8]


def texts(signals: pa.Table) -> pa.Table:
    """Return which text stands on which page, as `SEEN`; without a host there is none."""
    with_host = signals.filter(pc.not_equal(signals["host"], ""))
    return _seen(_text_things(with_host), with_host)


def images(placements: pa.Table) -> pa.Table:
    """Return which image stands on which page, as `SEEN`; without a host there is none."""
    with_host = placements.filter(pc.not_equal(placements["host"], ""))
    return _seen(_image_things(with_host), with_host)


def pages(placements: pa.Table) -> pa.Table:
    """Return which page is of which host, as `SEEN`: the thing is the host."""
    return _seen(_hashed(placements["host"]), placements)


def count_reasons(found: pa.Table) -> pa.Table:
    """Return `DISCOUNTS`, given a row with its ``reason`` for each signal that was discounted."""
    n_signals = np.bincount(found["reason"].to_numpy(), minlength=len(REASONS))
    counts = pa.table({"reason": list(REASONS), "n_signals": n_signals}, schema=DISCOUNTS)
    return counts.filter(pc.greater(counts["n_signals"], 0))


def distinct(seen: pa.Table) -> pa.Table:
    """Return each row of `SEEN` once, in the order of the keys."""
    halves = ids.to_halves(seen["key"])
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    return seen.take(pa.array(order[run_begins(halves[order])]))


def count(seen: pa.Table) -> pa.Table:
    """Return `COUNTS` of the pages of each thing, given all its rows of `SEEN` in any order."""
    once = distinct(seen)
    things = ids.to_halves(once["key"])[:, 0]
    starts = run_starts(things)
    n_pages = run_sizes(starts, len(things))
    often = n_pages >= MIN_PAGES
    first = pa.array(starts[often])
    columns = [pa.array(things[starts[often]]), once["host"].take(first), n_pages[often]]
    return pa.Table.from_arrays([*columns[:2], pa.array(columns[2], pa.int32())], schema=COUNTS)


def judge(counts: pa.Table, hosts: pa.Table) -> Hashes:
    """Return which things are boilerplate, sorted.

    Parameters
    ----------
    counts
        `COUNTS` of texts and images.
    hosts
        `COUNTS` of hosts; one that is not among them has fewer than `MIN_PAGES` pages.
    """
    place = pc.index_in(counts["host"], value_set=hosts["host"].combine_chunks())
    known = counts.filter(pc.is_valid(place))
    of_host = hosts["n_pages"].take(place.drop_null()).to_numpy()
    bad = known["n_pages"].to_numpy() >= MIN_SHARE * of_host
    return np.unique(known["thing"].to_numpy()[bad])


def discount(signals: pa.Table, boilerplate: Hashes) -> Discounted:
    """Discount the boilerplate among some signals.

    Parameters
    ----------
    signals
        `labeling.schemas.SIGNALS`. Those without a host belong to no site and are left as they are.
    boilerplate
        From `judge`.

    Examples
    --------
    >>> from labeling.schemas import SIGNALS
    >>> page = ["%032x" % n for n in range(5)]
    >>> placements = pa.table({"image_id": page, "page_id": page, "host": ["a.org"] * 5})
    >>> said = {"source": ["alt"] * 5, "text": ["Menu"] * 4 + ["menu "], "weight": [1.0] * 5}
    >>> signals = pa.table({**{n: placements[n] for n in placements.column_names}, **said})
    >>> signals = signals.append_column("lang", pa.nulls(5, pa.string())).cast(SIGNALS.arrow)
    >>> boilerplate = judge(count(texts(signals)), count(pages(placements)))
    >>> found = discount(signals, boilerplate)
    >>> found.signals["weight"][0].as_py() < 0.11, found.reason.tolist()
    (True, [0, 0, 0, 0, 0])
    """
    reason = np.full(len(signals), -1, np.int8)
    if not len(boilerplate):
        return Discounted(signals, reason)
    reason[np.isin(_image_things(signals), boilerplate)] = 1
    reason[np.isin(_text_things(signals), boilerplate)] = 0
    factor = np.where(reason >= 0, np.float32(DISCOUNT), np.float32(1))
    place = signals.column_names.index("weight")
    weight = pa.array(signals["weight"].to_numpy() * factor)
    return Discounted(signals.set_column(place, signals.schema.field("weight"), weight), reason)


def _seen(things: Hashes, rows: pa.Table) -> pa.Table:
    page = ids.to_halves(rows["page_id"])
    key = ids.halves_to_binary(np.column_stack([things, page[:, 0] ^ page[:, 1]]))
    return pa.Table.from_arrays([key, pa.array(_hashed(rows["host"]))], schema=SEEN)


def _text_things(signals: pa.Table) -> Hashes:
    said = pc.utf8_lower(pc.utf8_trim_whitespace(signals["text"]))
    hashes = np.asarray(pd.util.hash_array(said.to_numpy(), categorize=False), np.uint64)
    return _mixed(_mixed(_hashed(signals["host"]), _hashed(signals["source"])), hashes)


def _image_things(rows: pa.Table) -> Hashes:
    image = ids.to_halves(rows["image_id"])
    return _mixed(_mixed(_hashed(rows["host"]), image[:, 0]), image[:, 1])


def _hashed(names: pa.ChunkedArray) -> Hashes:
    """Return a hash of each of some names that come again and again."""
    coded = names.combine_chunks().dictionary_encode()
    hashes = pd.util.hash_array(coded.dictionary.to_numpy(zero_copy_only=False))
    of_rows: Hashes = hashes[coded.indices.to_numpy()]
    return of_rows


def _mixed(first: Hashes, second: Hashes) -> Hashes:
    """Return one hash of two, which depends on their order."""
    return scramble(first * GOLDEN + second)
