"""Statements to evidence: what users say, weighed by how far they and the moment can be trusted.

`fit` looks at the log as a whole, through sums and a sample of its images, so it takes bounded
memory whatever the log's length: how likely each position is looked at
(`labeling.feedback.click_model`), how right each user is (`labeling.feedback.voter_reliability`),
which hours are bursts (`labeling.feedback.bursts`), and how much is usually said about one pair.
`evidence` weighs the statements about some images by that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.evidence.evidence import EVIDENCE_ROWS
from labeling.feedback import bursts, click_model
from labeling.feedback import voter_reliability as voters
from labeling.feedback.feedback import VOTES
from labeling.keys import ids
from labeling.keys.arrays import Floats, Ints, Mask
from labeling.keys.host_numbers import one_source
from labeling.keys.runs import run_numbers

VOTE_PRIOR = 2.0
"""Votes, half of them for, that every pair is taken to have already."""

CLICK_PRIOR = 2.0
"""Clicks, as many as expected, that every pair is taken to have already."""

UNPROVEN_FACTOR = 1.5
"""Times what users without proof usually say about a pair that counts in full on each pair."""

MATURE = 0.3
"""Share of the votes that users must have proof for before those without are held down."""

LOGGED = 0.1
"""Share of the images with events before their first impression up to which these are dropped;
where there are more, the log does not hold all impressions and cannot tell."""

SHOWN = pa.schema(
    [
        ("image_id", ids.BINARY),
        ("label", pa.int32()),
        ("position", pa.int32()),
        ("shown", pa.int64()),
        ("clicked", pa.int64()),
    ]
)
"""Impressions and clicks of a pair at a known position."""

IMAGES = pa.schema([("with_impressions", pa.int64()), ("early", pa.int64())])
"""How many images have impressions and other events, and how many of them events before."""

VOTERS = pa.schema(
    [
        ("user", ids.BINARY),
        ("weight", pa.float64()),
        ("proof", pa.float64()),
        ("group", pa.int64()),
    ]
)
"""Users with votes in the sample, sorted; see `labeling.feedback.voter_reliability.Voters`."""


LIMITS = pa.schema(
    [("unproven", pa.float64()), ("of_pair", pa.float64()), ("drops_early", pa.bool_())]
)
RATES = pa.schema([("rate", pa.float64())])
TABLES = ("rates", "voters", "bursts", "limits")
"""What `to_tables` returns."""


class Trust(NamedTuple):
    """What `fit` returns.

    Attributes
    ----------
    rates
        ``float64[51]``: clicks that an impression of a usual pair has, by position (0: unknown).
    voters
        `VOTERS`; all other users weigh 1 and have no proof.
    bursts
        `labeling.feedback.bursts.BURSTS`.
    unproven
        Votes that users without proof have on a pair at most, together; infinite where few have.
    of_pair
        Votes that a pair has in an hour at most.
    drops_early
        Whether statements made before the first impression are dropped.
    """

    rates: Floats
    voters: pa.Table
    bursts: pa.Table
    unproven: float
    of_pair: float
    drops_early: bool


def open_trust() -> Trust:
    """Return a trust that believes everybody alike: that of a log nothing is known of."""
    rates = np.full(click_model.MAX_POSITION + 1, 0.1)
    nobody, no_bursts = VOTERS.empty_table(), bursts.BURSTS.empty_table()
    return Trust(rates, nobody, no_bursts, np.inf, np.inf, False)


def to_tables(trust: Trust) -> dict[str, pa.Table]:
    """Return a trust as `TABLES`, to be kept in files."""
    limits = pa.table([[trust.unproven], [trust.of_pair], [trust.drops_early]], schema=LIMITS)
    rates = pa.table([trust.rates], schema=RATES)
    tables = (rates, trust.voters, trust.bursts, limits)
    return dict(zip(TABLES, tables, strict=True))


def from_tables(tables: Mapping[str, pa.Table]) -> Trust:
    """Return what `to_tables` was given."""
    rates = tables["rates"]["rate"].to_numpy()
    (limits,) = tables["limits"].to_pylist()
    return Trust(rates, tables["voters"], tables["bursts"], **limits)


def shown(said: pa.Table) -> pa.Table:
    """Sum impressions and clicks by pair and position: `SHOWN`, sums that can be added."""
    kind = said["kind"]
    known = pc.and_(pc.is_in(kind, value_set=pa.array(["impression", "click"])), _placed(said))
    said = said.filter(known)
    clicked = np.asarray(pc.equal(said["kind"], "click"), np.int64)
    rows = said.select(["image_id", "label"])
    rows = rows.append_column("position", pa.array(_positions(said), pa.int32()))
    rows = rows.append_column("shown", pa.array(1 - clicked))
    rows = rows.append_column("clicked", pa.array(clicked))
    keys = ["image_id", "label", "position"]
    sums = rows.group_by(keys, use_threads=False).aggregate([("shown", "sum"), ("clicked", "sum")])
    return sums.rename_columns(SHOWN.names).cast(SHOWN).sort_by([(k, "ascending") for k in keys])


def count_early(said: pa.Table) -> pa.Table:
    """Count the images of `IMAGES` among those of some `STATEMENTS`."""
    is_shown = pc.equal(said["kind"], "impression")
    with_both = pc.and_(
        pc.invert(is_shown),
        pc.is_in(said["image_id"], value_set=said["image_id"].filter(is_shown).unique()),
    )
    of = (
        said.filter(with_both).group_by("image_id", use_threads=False).aggregate([("early", "max")])
    )
    counts = [[len(of)], [int(pc.sum(of["early_max"]).as_py() or 0)]]
    return pa.table(counts, schema=IMAGES)


def fit(
    said: pa.Table,
    cells: pa.Table,
    images: pa.Table,
    found: bursts.Hours,
    span: tuple[int, int],
) -> Trust:
    """Fit what the log tells about positions, users and usual numbers.

    Parameters
    ----------
    said
        `STATEMENTS`: all votes on a sample of the images, in any order; others are not looked at.
    cells
        `SHOWN` of a sample of the images, in any order.
    images
        `IMAGES`, counts of any parts of the log.
    found
        `labeling.feedback.bursts.crowded` of all labels.
    span
        Times of the first and the last event of the log.
    """
    cells = cells.sort_by([(n, "ascending") for n in SHOWN.names])
    looked = click_model.fit(
        _pair_numbers(cells),
        cells["position"].to_numpy().astype(np.int64),
        cells["shown"].to_numpy().astype(np.float64),
        cells["clicked"].to_numpy().astype(np.float64),
    )
    drops_early = _sum(images["early"]) <= LOGGED * _sum(images["with_impressions"])
    in_bursts = bursts.find(found, *span)
    votes = _votes(said, drops_early)
    weight = votes["weight"].to_numpy().astype(np.float64) * bursts.factors(votes, in_bursts)
    coded = votes["user"].combine_chunks().dictionary_encode()
    given = voters.Votes(
        _pair_numbers(votes),
        votes["label"].to_numpy().astype(np.int64),
        coded.indices.to_numpy().astype(np.int64),
        np.asarray(pc.equal(votes["kind"], "up"), bool),
        votes["time"].to_numpy(),
        weight,
    )
    fitted = voters.fit(given, len(coded.dictionary))
    known = pa.table([coded.dictionary, fitted.weight, fitted.proof, fitted.group], schema=VOTERS)
    many_hours = span[1] // bursts.WINDOW - span[0] // bursts.WINDOW + 1 >= bursts.FEW
    return Trust(
        looked.rates,
        known.sort_by("user"),
        in_bursts,
        _unproven_limit(given, fitted),
        _pair_limit(given) if many_hours else np.inf,
        drops_early,
    )


def evidence(said: pa.Table, trust: Trust) -> pa.Table:
    """Unite the statements about each (image, label) into the sources ``vote`` and ``click``.

    The strength of ``vote`` is the shrunken share of votes for (flags count against); that of
    ``click`` is c / (c + e), from c clicks and e expected ones, shrunk towards one half.

    Parameters
    ----------
    said
        `STATEMENTS`, all those about some images, in any order.
    trust
        From `fit`.

    Returns
    -------
    Table
        `EVIDENCE_ROWS`; ``n_pages`` counts users, those who are held down by what is left of them.
        Users are silent about most pairs, which says nothing: feedback covers only what it speaks
        of.
    """
    if trust.drops_early:
        said = said.filter(pc.invert(said["early"]))
    said = said.sort_by([(n, "ascending") for n in _ORDER]).combine_chunks()
    weight = said["weight"].to_numpy().astype(np.float64) * bursts.factors(said, trust.bursts)
    kind = said["kind"]
    is_vote = _mask(pc.is_in(kind, value_set=pa.array(VOTES)))
    votes = said.filter(pa.array(is_vote))
    voice = _voices(votes, weight[is_vote], trust)
    up = _mask(pc.equal(votes["kind"], "up"))
    voted = _sum_pairs(votes, voice * up, voice * ~up, voice, "vote", VOTE_PRIOR / 2)
    rest = said.filter(pa.array(~is_vote))
    weight = weight[~is_vote]
    clicked = _mask(pc.equal(rest["kind"], "click"))
    expected = weight * ~clicked * trust.rates[_positions(rest)]
    clicks = _sum_pairs(rest, weight * clicked, expected, weight, "click", CLICK_PRIOR)
    return pa.concat_tables([voted, clicks])


_ORDER = ("image_id", "label", "user", "kind", "position", "time", "weight", "ambiguity")


def _votes(said: pa.Table, drops_early: bool) -> pa.Table:
    kept = pc.is_in(said["kind"], value_set=pa.array(VOTES))
    if drops_early:
        kept = pc.and_(kept, pc.invert(said["early"]))
    rows = said.filter(kept).sort_by([(n, "ascending") for n in _ORDER])
    return rows.combine_chunks()


def _voices(votes: pa.Table, weight: Floats, trust: Trust) -> Floats:
    """Return what is left of each vote, after its user's weight and the limits of its pair."""
    place = np.asarray(
        pc.fill_null(
            pc.index_in(votes["user"], value_set=trust.voters["user"].combine_chunks()),
            len(trust.voters),
        ),
        np.int64,
    )
    right = np.append(trust.voters["weight"].to_numpy(), 1.0)[place]
    proof = np.append(trust.voters["proof"].to_numpy(), 0.0)[place]
    group = np.append(trust.voters["group"].to_numpy(), -1)[place]
    pair = _pair_numbers(votes)
    weight = weight * right * voters.as_one(pair, _mask(pc.equal(votes["kind"], "up")), group)
    weight = weight * _room(_in_hours(pair, votes["time"].to_numpy()), weight, trust.of_pair)
    loose = weight * (1 - proof)
    voice: Floats = weight * proof + loose * _room(pair, loose, trust.unproven)
    return voice


def _room(group: Ints, weight: Floats, limit: float) -> Floats:
    """Return the factor that keeps the sum of each group within the limit."""
    total = np.bincount(group, weight)[group] if len(group) else weight
    room: Floats = np.minimum(1.0, limit / np.maximum(total, 1e-9))
    return room


def _unproven_limit(votes: voters.Votes, fitted: voters.Voters) -> float:
    """Return how much users without proof may say about a pair.

    What each vote itself adds to its user's proof is left out, so that the sample is like the pairs
    that are not in it.
    """
    spread = voters.PROOF * fitted.proof / (1 - fitted.proof)
    left = np.maximum(spread[votes.user] - fitted.earned, 0)
    as_one = voters.as_one(votes.pair, votes.up, fitted.group[votes.user])
    weight = votes.weight * fitted.weight[votes.user] * as_one
    loose = weight * voters.PROOF / (left + voters.PROOF)
    if loose.sum() >= (1 - MATURE) * weight.sum():
        return np.inf
    usual = float(np.median(np.bincount(votes.pair, loose)))
    return max(1.0, round(2 * UNPROVEN_FACTOR * usual) / 2)


def _pair_limit(votes: voters.Votes) -> float:
    total = np.bincount(_in_hours(votes.pair, votes.time), votes.weight)
    return bursts.FACTOR * max(1.0, float(np.median(total)) if len(total) else 1.0)


def _in_hours(pair: Ints, time: Ints) -> Ints:
    keys = np.stack([pair, time // bursts.WINDOW], axis=1)
    place: Ints = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)
    return place


def _sum_pairs(
    said: pa.Table, a: Floats, b: Floats, voice: Floats, source: str, prior: float
) -> pa.Table:
    """Return `EVIDENCE_ROWS` from two weights of each statement, sorted by pair."""
    counts = a + b > 0
    rows = said.select(["image_id", "label", "ambiguity"]).filter(pa.array(counts))
    columns = {"a": a[counts], "b": b[counts], "n": np.minimum(voice[counts], 1)}
    for name, values in columns.items():
        rows = rows.append_column(name, pa.array(values))
    sums = rows.group_by(["image_id", "label"], use_threads=False).aggregate(
        [("a", "sum"), ("b", "sum"), ("n", "sum"), ("ambiguity", "min")]
    )
    a, b = sums["a_sum"].to_numpy(), sums["b_sum"].to_numpy()
    of = {
        "image_id": sums["image_id"],
        "label": sums["label"],
        "source": one_source(source, len(sums)),
        "strength": pa.array((a + prior) / (a + b + 2 * prior), pa.float32()),
        "n_pages": pa.array(np.maximum(np.rint(sums["n_sum"].to_numpy()), 1), pa.int32()),
        "n_hosts": pa.array(np.ones(len(sums), np.int32)),
        "ambiguity": sums["ambiguity_min"],
    }
    return pa.Table.from_arrays([_whole(of[n]) for n in EVIDENCE_ROWS.names], schema=EVIDENCE_ROWS)


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _pair_numbers(rows: pa.Table) -> Ints:
    """Return the number of each row's pair, from 0; rows are sorted by image and label."""
    return run_numbers(ids.to_halves(rows["image_id"]), rows["label"].to_numpy())


def _placed(said: pa.Table) -> pa.ChunkedArray:
    return pc.is_valid(said["position"])


def _positions(table: pa.Table) -> Ints:
    """Return each row's position, cut at `click_model.MAX_POSITION`; 0 where it has none."""
    position = np.asarray(pc.fill_null(table["position"], 0), np.int64)
    return np.minimum(position, click_model.MAX_POSITION)


def _sum(column: pa.ChunkedArray) -> int:
    return pc.sum(column).as_py() or 0


def _mask(flags: pa.ChunkedArray) -> Mask:
    return np.asarray(flags, dtype=bool)
