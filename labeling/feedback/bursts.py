"""Bursts: hours in which a label gets far more votes or clicks than usual.

Weights are summed by label and hour. The usual sum is the median over the label's hours with any
vote, or over the hours of all labels if the label has few. An hour with more than `FACTOR` times
the usual sum is a burst: users who were first seen in that hour count together as much as the usual
sum, and all others as much as the limit. Sums are integers, so they are the same in any order.
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
"""Multiple of the usual sum up to which all votes count in full."""

FEW = 8
"""Hours with votes below which the median of a label is not used; a log shorter than this many
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
"""Clicks (or else votes) on a label in an hour: weights in millionths, of users first seen in that
hour and of others."""

BURSTS = pa.schema([*HOURS, ("usual", pa.float64())])
"""Hours with more than `FACTOR` times the usual sum, which is in votes of weight 1."""

SIZES = pa.schema([("clicks", pa.bool_()), ("mass", pa.int64()), ("n", pa.int64())])
"""Number of (label, hour) by sum, in whole votes, at most 1000."""


class Candidates(NamedTuple):
    """Hours that may be bursts.

    Attributes
    ----------
    hours
        `BURSTS`; ``usual`` is null if the label has few hours.
    sizes
        `SIZES` of all hours.
    """

    hours: pa.Table
    sizes: pa.Table


def sum_by_hour(interactions: pa.Table) -> pa.Table:
    """Sum `labeling.feedback.feedback.INTERACTIONS`, except impressions, by label and hour.

    Returns
    -------
    Table
        `HOURS`, sorted; see `merge`.
    """
    votes = interactions.filter(pc.not_equal(interactions["kind"], "impression"))
    hour = hours_of(votes["time"])
    mass = np.rint(votes["weight"].to_numpy().astype(np.float64) * MASS).astype(np.int64)
    is_new = hours_of(votes["since"]) == hour
    columns = {
        "label": votes["label"],
        "clicks": pc.equal(votes["kind"], "click"),
        "window": hour,
        "new": np.where(is_new, mass, 0),
        "old": np.where(is_new, 0, mass),
    }
    return merge(pa.table(columns, schema=HOURS))


def hours_of(seconds: pa.ChunkedArray) -> Ints:
    """Return the hours of some times, both since 1970."""
    hours: Ints = seconds.to_numpy() // WINDOW
    return hours


def merge(sums: pa.Table) -> pa.Table:
    """Add up `HOURS` of several parts of a log; return them sorted."""
    keys = ["label", "clicks", "window"]
    added = sums.group_by(keys, use_threads=False).aggregate([("new", "sum"), ("old", "sum")])
    return added.rename_columns(HOURS.names).cast(HOURS).sort_by([(k, "ascending") for k in keys])


def candidates(sums: pa.Table) -> Candidates:
    """Return the hours of some labels that may be bursts, from all `HOURS` of these labels."""
    sums = merge(sums)
    mass = _mass(sums)
    starts = run_starts(sums["label"].to_numpy(), np.asarray(sums["clicks"], bool))
    n_hours = run_sizes(starts, len(sums))
    medians = [
        np.median(mass[start : start + n]) if n >= FEW else np.nan
        for start, n in zip(starts, n_hours, strict=True)
    ]
    usual = np.repeat(np.array(medians, np.float64), n_hours)
    hours = sums.append_column("usual", pa.array(usual, from_pandas=True))
    is_candidate = pa.array(mass > FACTOR * np.fmax(1, usual))
    votes = np.minimum(np.ceil(mass), 1000).astype(np.int64)
    sizes = pa.table({"clicks": sums["clicks"], "mass": votes})
    sizes = sizes.group_by(sizes.column_names, use_threads=False).aggregate([([], "count_all")])
    return Candidates(hours.filter(is_candidate), sizes.rename_columns(SIZES.names).cast(SIZES))


def find(possible: Candidates, first: int, last: int) -> pa.Table:
    """Return the bursts of a log.

    Parameters
    ----------
    possible
        `candidates` of all labels, concatenated.
    first, last
        Times of the first and the last event of the log, in seconds.

    Returns
    -------
    Table
        `BURSTS`, sorted.
    """
    if is_short(first, last):
        return BURSTS.empty_table()
    hours = possible.hours
    clicks = np.asarray(hours["clicks"], bool)
    of_all = np.where(clicks, _median(possible.sizes, True), _median(possible.sizes, False))
    of_label = hours["usual"].to_numpy()
    usual = np.maximum(1.0, np.where(np.isnan(of_label), of_all, of_label))
    is_burst = pa.array(_mass(hours) > FACTOR * usual)
    hours = hours.set_column(hours.column_names.index("usual"), "usual", pa.array(usual))
    keys = [(name, "ascending") for name in ("label", "clicks", "window")]
    return hours.filter(is_burst).cast(BURSTS).sort_by(keys)


def is_short(first: int, last: int) -> bool:
    """Return True for a log that is too short to have a usual hour."""
    return last // WINDOW - first // WINDOW + 1 < FEW


def factors(interactions: pa.Table, bursts: pa.Table) -> Floats:
    """Return ``float64[n]`` in (0, 1]: the factor that bursts leave of each weight.

    Parameters
    ----------
    interactions
        `labeling.feedback.feedback.INTERACTIONS`.
    bursts
        `BURSTS`.
    """
    factor = np.ones(len(interactions))
    if not len(bursts) or not len(interactions):
        return factor
    burst = _rows_in(bursts, interactions)
    is_shown = np.asarray(pc.equal(interactions["kind"], "impression"), bool)
    hit = np.flatnonzero((burst >= 0) & ~is_shown)
    usual, new, old = (bursts[name].to_numpy()[burst[hit]] for name in ("usual", "new", "old"))
    is_new = (hours_of(interactions["since"]) == hours_of(interactions["time"]))[hit]
    allowed = np.where(
        is_new, usual / np.maximum(new / MASS, 1e-9), FACTOR * usual / np.maximum(old / MASS, 1e-9)
    )
    factor[hit] = np.minimum(1, allowed)
    return factor


def _rows_in(bursts: pa.Table, interactions: pa.Table) -> Ints:
    """Return the row of each interaction's burst, or -1."""
    keys = {
        "label": interactions["label"],
        "clicks": pc.equal(interactions["kind"], "click"),
        "window": hours_of(interactions["time"]),
        "row": np.arange(len(interactions)),
    }
    numbered = bursts.select(list(keys)[:3]).append_column(
        "burst", pa.array(np.arange(len(bursts)))
    )
    joined = pa.table(keys).join(numbered, numbered.column_names[:3]).sort_by("row")
    rows: Ints = pc.fill_null(joined["burst"], -1).to_numpy()
    return rows


def _mass(hours: pa.Table) -> Floats:
    mass: Floats = (hours["new"].to_numpy() + hours["old"].to_numpy()) / MASS
    return mass


def _median(sizes: pa.Table, clicks: bool) -> float:
    """Return the median of a histogram, 1 if it is empty."""
    rows = sizes.filter(pc.equal(sizes["clicks"], clicks)).sort_by("mass")
    n = np.cumsum(rows["n"].to_numpy())
    if not len(n):
        return 1.0
    return float(rows["mass"].to_numpy()[np.searchsorted(n, n[-1] / 2)])
