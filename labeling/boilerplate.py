"""Texts and images that stand on most pages of a host: they speak of the site, not of a picture.

A text ("share on …", a slogan) or an image (a logo) on at least `MIN_PAGES` pages and `MIN_SHARE`
of the pages of its host is boilerplate. The weight of its signals is multiplied by `DISCOUNT`: it
is trusted less, not thrown away, because a site about apples says "apple" everywhere too. Counting
by site follows "Template detection via data mining and its applications" (Bar-Yossef and
Rajagopalan, WWW 2002), with texts and images in the place of page parts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling.schemas import SIGNALS

MIN_PAGES = 5
MIN_SHARE = 0.3
DISCOUNT = 0.1

REASONS = ("boilerplate_text", "boilerplate_image")
"""Why a signal is discounted; the first that holds is counted."""

DISCOUNTS = pa.schema([("reason", pa.string()), ("n_signals", pa.int64())])
"""Signals that were discounted, by reason."""


class Discounted(NamedTuple):
    """`labeling.schemas.SIGNALS` with their new weights, and `DISCOUNTS`."""

    signals: pa.Table
    counts: pa.Table


def discount(signals: pa.Table, placements: pa.Table) -> Discounted:
    """Discount the boilerplate of some hosts.

    Parameters
    ----------
    signals
        `labeling.schemas.SIGNALS`: all of each host, in any order. Those without a host belong to
        no site and are left as they are.
    placements
        `labeling.schemas.PLACEMENTS` of the same hosts: their pages are counted by these.

    Examples
    --------
    >>> page = ["%032x" % n for n in range(5)]
    >>> placements = pa.table({"image_id": page, "page_id": page, "host": ["a.org"] * 5})
    >>> texts = {"source": ["alt"] * 5, "text": ["Menu"] * 4 + ["menu "], "weight": [1.0] * 5}
    >>> signals = pa.table({**{n: placements[n] for n in placements.column_names}, **texts})
    >>> signals = signals.append_column("lang", pa.nulls(5, pa.string())).cast(SIGNALS.arrow)
    >>> found = discount(signals, placements)
    >>> found.signals["weight"][0].as_py() < 0.11, found.counts.to_pylist()
    (True, [{'reason': 'boilerplate_text', 'n_signals': 5}])
    """
    n_pages = _count_pages(placements, ["host"])
    keyed = signals.append_column("said", pc.utf8_lower(pc.utf8_trim_whitespace(signals["text"])))
    flags = (
        _on_most_pages(keyed, ["host", "source", "said"], keyed, n_pages),
        _on_most_pages(placements, ["host", "image_id"], signals, n_pages),
    )
    bad = flags[0] | flags[1]
    factor = np.where(bad, np.float32(DISCOUNT), np.float32(1))
    weight = signals["weight"].to_numpy() * factor
    place = signals.column_names.index("weight")
    n_signals = [int(flags[0].sum()), int((flags[1] & ~flags[0]).sum())]
    counts = pa.table({"reason": list(REASONS), "n_signals": n_signals}, schema=DISCOUNTS)
    changed = signals.set_column(place, SIGNALS.arrow.field("weight"), pa.array(weight))
    return Discounted(changed, counts.filter(pc.greater(counts["n_signals"], 0)))


def _count_pages(rows: pa.Table, key: list[str]) -> pa.Table:
    """Return the distinct pages of each key, as ``n_pages``."""
    counted = rows.group_by(key).aggregate([("page_id", "count_distinct")])
    return counted.rename_columns([*key, "n_pages"])


def _on_most_pages(
    rows: pa.Table, key: list[str], asked: pa.Table, n_pages: pa.Table
) -> npt.NDArray[np.bool_]:
    """Return for each row of `asked` whether its key stands on most pages of its host."""
    counted = _count_pages(rows, key)
    of_host = n_pages["n_pages"].take(pc.index_in(counted["host"], value_set=n_pages["host"]))
    least = np.maximum(MIN_PAGES, MIN_SHARE * pc.fill_null(of_host, 0).to_numpy())
    often = counted["n_pages"].to_numpy() >= least
    often &= np.asarray(pc.not_equal(counted["host"], ""), bool)
    boilerplate = _joined(counted.filter(pa.array(often)), key)
    return np.asarray(pc.is_in(_joined(asked, key), value_set=boilerplate), bool)


def _joined(rows: pa.Table, key: list[str]) -> pa.Array:
    """Return one text for each key; no host or source holds the separator."""
    return pc.binary_join_element_wise(*(rows[name] for name in key), "\0").combine_chunks()
