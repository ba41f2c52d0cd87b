"""Hours in which far more is said about a label than is usual for it.

What users say is summed by label and hour. An hour with more than `FACTOR` times what is usual (the
median of the label's hours with any; of all labels' where the label has few) is a burst: users who
were first seen in that hour count together for what is usual, and all others for the limit.
Sums are whole numbers, so they are the same in any order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys.arrays import Floats, Ints
from labeling.keys.runs import run_sizes, run_starts

WINDOW = 3600
"""Seconds."""

FACTOR = 4.0
"""Times what is usual that still counts in full."""

FEW = 8
"""Hours with votes below which the median of a label says nothing; a log shorter than this many
hours has no bursts."""

MASS = 1_000_000
"""Unit of summed weights."""

HOURS = pa.schema(
    [
        ("label", pa.int32()),
        ("clicks", pa.bool_()),
        ("window", pa.int64()),
        ("new", pa.int64()),
        ("old", pa.int64()),
    ]
)
"""What was clicked (or else voted) for a label in an hour: weights in millionths, of users first
seen in that hour and of others."""

CROWDED = pa.schema([*HOURS, ("usual", pa.float64())])
"""Hours that may be bursts; ``usual`` is null where the label has few hours."""

SIZES = pa.schema([("clicks", pa.bool_()), ("mass", pa.int64()), ("n", pa.int64())])
"""How many hours of labels have a mass of so many whole votes, at most 1000."""

BURSTS = pa.schema([*HOURS, ("usual", pa.float64())])
"""Hours with more than `FACTOR` times what is usual, in votes of weight 1."""


class Hours(NamedTuple):
    """`CROWDED` and `SIZES`."""

    crowded: pa.Table
    sizes: pa.Table


def hours(said: pa.Table) -> pa.Table:
    """Sum what was said, impressions apart, by label and hour: `HOURS`, sums that can be added.

    Parameters
    ----------
    said
        `labeling.feedback.feedback.STATEMENTS`.
    """
    said = said.filter(pc.not_equal(said["kind"], "impression"))
    window = said["time"].to_numpy() // WINDOW
    mass = np.rint(said["weight"].to_numpy().astype(np.float64) * MASS).astype(np.int64)
    new = said["since"].to_numpy() // WINDOW == window
    rows = pa.table(
        {
            "label": said["label"],
            "clicks": pc.equal(said["kind"], "click"),
            "window": window,
            "new": np.where(new, mass, 0),
            "old": np.where(new, 0, mass),
        },
        schema=HOURS,
    )
    return add(rows)


def add(rows: pa.Table) -> pa.Table:
    """Unite `HOURS`, sorted."""
    keys = ["label", "clicks", "window"]
    sums = rows.group_by(keys, use_threads=False).aggregate([("new", "sum"), ("old", "sum")])
    return sums.rename_columns(HOURS.names).cast(HOURS).sort_by([(k, "ascending") for k in keys])


def crowded(summed: pa.Table) -> Hours:
    """Return which hours of some labels may be bursts, from all `HOURS` of these labels."""
    summed = add(summed)
    mass = (summed["new"].to_numpy() + summed["old"].to_numpy()) / MASS
    votes = np.minimum(np.ceil(mass), 1000).astype(np.int64)
    sizes = pa.table({"clicks": summed["clicks"], "mass": votes, "n": np.ones(len(votes), int)})
    sizes = sizes.group_by(["clicks", "mass"], use_threads=False).aggregate([("n", "sum")])
    key = summed["label"].to_numpy().astype(np.int64) * 2 + np.asarray(summed["clicks"], np.int64)
    start = run_starts(key)
    n = run_sizes(start, len(key))
    median = np.array([np.median(mass[s : s + c]) for s, c in zip(start, n, strict=True)])
    usual = np.repeat(np.where(n < FEW, np.nan, median), n).astype(np.float64)
    least = np.fmax(1, usual)
    found = summed.append_column("usual", pa.array(usual, from_pandas=True)).cast(CROWDED)
    return Hours(
        found.filter(pa.array(mass > FACTOR * least)),
        sizes.rename_columns(SIZES.names).cast(SIZES),
    )


def find(found: Hours, first: int, last: int) -> pa.Table:
    """Return the bursts among the hours of all labels.

    Parameters
    ----------
    found
        What `crowded` returned for all labels, put together.
    first, last
        Times of the first and the last event of the log.

    Returns
    -------
    Table
        `BURSTS`, sorted.
    """
    rows = found.crowded
    if last // WINDOW - first // WINDOW + 1 < FEW:
        return BURSTS.empty_table()
    clicks = np.asarray(rows["clicks"], bool)
    of_all = np.where(clicks, _median(found.sizes, True), _median(found.sizes, False))
    own = rows["usual"].to_numpy()
    usual = np.maximum(1.0, np.where(np.isnan(own), of_all, own))
    mass = (rows["new"].to_numpy() + rows["old"].to_numpy()) / MASS
    rows = rows.set_column(rows.column_names.index("usual"), "usual", pa.array(usual))
    rows = rows.filter(pa.array(mass > FACTOR * usual)).cast(BURSTS)
    return rows.sort_by([(k, "ascending") for k in ("label", "clicks", "window")])


def factors(said: pa.Table, bursts: pa.Table) -> Floats:
    """Return ``float64[n]`` in (0, 1]: what bursts leave of each statement's weight."""
    factor = np.ones(len(said))
    if not len(bursts) or not len(said):
        return factor
    window = said["time"].to_numpy() // WINDOW
    row = _find(said, window, bursts)
    hit = np.flatnonzero((row >= 0) & ~np.asarray(pc.equal(said["kind"], "impression"), bool))
    usual = bursts["usual"].to_numpy()[row[hit]]
    new = bursts["new"].to_numpy()[row[hit]] / MASS
    old = bursts["old"].to_numpy()[row[hit]] / MASS
    is_new = said["since"].to_numpy()[hit] // WINDOW == window[hit]
    allowed = np.where(
        is_new, usual / np.maximum(new, 1e-9), FACTOR * usual / np.maximum(old, 1e-9)
    )
    factor[hit] = np.minimum(1, allowed)
    return factor


def _find(said: pa.Table, window: Ints, bursts: pa.Table) -> Ints:
    """Return the burst of each statement, or -1."""
    clicks = np.asarray(pc.equal(said["kind"], "click"), np.int64)
    asked = np.stack([said["label"].to_numpy().astype(np.int64) * 2 + clicks, window], axis=1)
    known = np.stack(
        [
            bursts["label"].to_numpy().astype(np.int64) * 2
            + np.asarray(bursts["clicks"], np.int64),
            bursts["window"].to_numpy(),
        ],
        axis=1,
    )
    _, dense = np.unique(np.concatenate([known, asked]), axis=0, return_inverse=True)
    row = np.full(dense.max() + 1, -1)
    row[dense[: len(known)]] = np.arange(len(known))
    return row[dense[len(known) :]]


def _median(sizes: pa.Table, clicks: bool) -> float:
    """Return the median of a histogram, 1 where it is empty."""
    rows = sizes.filter(pc.equal(sizes["clicks"], clicks)).sort_by("mass")
    n = np.cumsum(rows["n"].to_numpy())
    if not len(n):
        return 1.0
    return float(rows["mass"].to_numpy()[np.searchsorted(n, n[-1] / 2)])
