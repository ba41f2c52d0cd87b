"""Interactions to evidence: votes and clicks, weighted by the reliability of users and hours.

`fit` looks at the log as a whole, through sums and a sample of its images, so it takes bounded
memory whatever the log's length: the probability that each position is examined
(`labeling.feedback.click_model`), the reliability of each user
(`labeling.feedback.voter_reliability`), bursts (`labeling.feedback.bursts`), and the usual number
of votes on one pair. `evidence` weights the interactions with some images accordingly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.evidence.evidence import EVIDENCE_ROWS
from labeling.feedback import bursts, click_model, voter_reliability
from labeling.feedback.feedback import VOTES
from labeling.feedback.voter_reliability import Reliability, Votes, group_shares
from labeling.keys import ids
from labeling.keys.arrays import Floats, Ints, Mask
from labeling.keys.host_numbers import one_source
from labeling.keys.runs import combination_numbers, run_numbers

VOTE_PRIOR = 2.0
"""Votes that are added to every pair, as many of them for it as in the whole log."""

MAX_PRIOR_SHARE = 0.5
"""Share of the added votes that are for the pair, at most: where votes for are usual, one of an
unknown user proves no more than elsewhere."""

SHARE_PRIOR = 20.0
"""Votes, half of them for, that are added to the log."""

CLICK_PRIOR = 2.0
"""Clicks, as many as expected, that are added to every pair."""

UNPROVEN_FACTOR = 1.5
"""Multiple of the usual votes on a pair by users without credibility that counts in full."""

MATURE = 0.3
"""Share of the votes that credible users must have before the votes of others are capped."""

LOGGED = 0.1
"""Share of the images with events before their first impression up to which these are dropped;
with more, the log lacks impressions and cannot date the images."""

POSITIONS = pa.schema(
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
"""Number of images with impressions and other events, and of those with events before them."""

VOTERS = pa.schema(
    [
        ("user", ids.BINARY),
        ("weight", pa.float64()),
        ("credibility", pa.float64()),
        ("group", pa.int64()),
    ]
)
"""Users with votes in the sample, sorted; see `labeling.feedback.voter_reliability.Reliability`."""

LIMITS = pa.schema(
    [
        ("unproven", pa.float64()),
        ("of_pair", pa.float64()),
        ("drops_early", pa.bool_()),
        ("share_up", pa.float64()),
    ]
)
RATES = pa.schema([("rate", pa.float64())])
TABLES = ("rates", "voters", "bursts", "limits")
"""Names of the tables of `to_tables`."""

_ORDER = ("image_id", "label", "user", "kind", "position", "time", "weight", "ambiguity")


class FeedbackModel(NamedTuple):
    """Biases of a log.

    Attributes
    ----------
    rates
        ``float64[51]``: clicks per impression of a usual pair, by position (0: unknown).
    voters
        `VOTERS`; all other users weigh 1 and have credibility 0.
    bursts
        `labeling.feedback.bursts.BURSTS`.
    unproven
        Cap on the votes on a pair by users without credibility; infinite if few users have any.
    of_pair
        Cap on the votes on a pair in an hour.
    drops_early
        Whether interactions before the first impression of an image are dropped.
    share_up
        Share of the votes that are for their pair.
    """

    rates: Floats
    voters: pa.Table
    bursts: pa.Table
    unproven: float
    of_pair: float
    drops_early: bool
    share_up: float


def neutral_model() -> FeedbackModel:
    """Return the model of an unknown log, in which all users weigh the same."""
    rates = np.full(click_model.MAX_POSITION + 1, 0.1)
    no_voters, no_bursts = VOTERS.empty_table(), bursts.BURSTS.empty_table()
    return FeedbackModel(rates, no_voters, no_bursts, np.inf, np.inf, False, 0.5)


def to_tables(model: FeedbackModel) -> dict[str, pa.Table]:
    """Return a model as `TABLES`, to be stored in files."""
    limits = pa.table([[getattr(model, name)] for name in LIMITS.names], schema=LIMITS)
    rates = pa.table([model.rates], schema=RATES)
    return dict(zip(TABLES, (rates, model.voters, model.bursts, limits), strict=True))


def from_tables(tables: Mapping[str, pa.Table]) -> FeedbackModel:
    """Return the model that `to_tables` was given."""
    (limits,) = tables["limits"].to_pylist()
    rates = tables["rates"]["rate"].to_numpy()
    return FeedbackModel(rates, tables["voters"], tables["bursts"], **limits)


def count_positions(interactions: pa.Table) -> pa.Table:
    """Sum impressions and clicks by pair and position: `POSITIONS`, sums that can be added."""
    is_shown = pc.is_in(interactions["kind"], value_set=pa.array(["impression", "click"]))
    rows = interactions.filter(pc.and_(is_shown, pc.is_valid(interactions["position"])))
    clicked = np.asarray(pc.equal(rows["kind"], "click"), np.int64)
    columns = {
        "image_id": rows["image_id"],
        "label": rows["label"],
        "position": _positions(rows),
        "shown": 1 - clicked,
        "clicked": clicked,
    }
    keys = ["image_id", "label", "position"]
    sums = pa.table(columns, schema=POSITIONS).group_by(keys, use_threads=False)
    counts = sums.aggregate([("shown", "sum"), ("clicked", "sum")]).rename_columns(POSITIONS.names)
    return counts.cast(POSITIONS).sort_by([(k, "ascending") for k in keys])


def count_early(interactions: pa.Table) -> pa.Table:
    """Count the images of `IMAGES` among those of some `INTERACTIONS`."""
    is_shown = pc.equal(interactions["kind"], "impression")
    images_shown = interactions["image_id"].filter(is_shown).unique()
    others = interactions.filter(pc.invert(is_shown))
    others = others.filter(pc.is_in(others["image_id"], value_set=images_shown))
    images = others.group_by("image_id", use_threads=False).aggregate([("early", "max")])
    return pa.table([[len(images)], [_sum(images["early_max"])]], schema=IMAGES)


def fit(
    votes: pa.Table,
    positions: pa.Table,
    images: pa.Table,
    candidates: bursts.Candidates,
    span: tuple[int, int],
) -> FeedbackModel:
    """Fit the biases of positions, users and hours, and the usual number of votes.

    Parameters
    ----------
    votes
        `INTERACTIONS`: all votes on a sample of the images, in any order; other kinds are ignored.
    positions
        `POSITIONS` of a sample of the images, in any order.
    images
        `IMAGES`, counts of any parts of the log.
    candidates
        `labeling.feedback.bursts.candidates` of all labels.
    span
        Times of the first and the last event of the log.
    """
    positions = positions.sort_by([(n, "ascending") for n in POSITIONS.names])
    clicks = click_model.fit(
        _pair_numbers(positions),
        positions["position"].to_numpy().astype(np.int64),
        positions["shown"].to_numpy().astype(np.float64),
        positions["clicked"].to_numpy().astype(np.float64),
    )
    drops_early = _sum(images["early"]) <= LOGGED * _sum(images["with_impressions"])
    burst_hours = bursts.find(candidates, *span)
    coded, users = _coded_votes(votes, drops_early, burst_hours)
    fitted = voter_reliability.fit(coded, len(users))
    voters = pa.table([users, fitted.weight, fitted.credibility, fitted.group], schema=VOTERS)
    return FeedbackModel(
        clicks.rates,
        voters.sort_by("user"),
        burst_hours,
        _unproven_limit(coded, fitted),
        np.inf if bursts.is_short(*span) else _pair_limit(coded),
        drops_early,
        _share_up(coded, fitted),
    )


def _coded_votes(
    interactions: pa.Table, drops_early: bool, burst_hours: pa.Table
) -> tuple[Votes, pa.Array]:
    """Return votes with pairs and users as numbers, and the ids of the users."""
    is_kept = pc.is_in(interactions["kind"], value_set=pa.array(VOTES))
    if drops_early:
        is_kept = pc.and_(is_kept, pc.invert(interactions["early"]))
    rows = _sorted(interactions.filter(is_kept))
    users = rows["user"].combine_chunks().dictionary_encode()
    votes = Votes(
        _pair_numbers(rows),
        rows["label"].to_numpy().astype(np.int64),
        users.indices.to_numpy().astype(np.int64),
        _mask(pc.equal(rows["kind"], "up")),
        rows["time"].to_numpy(),
        rows["weight"].to_numpy().astype(np.float64) * bursts.factors(rows, burst_hours),
    )
    return votes, users.dictionary


def evidence(interactions: pa.Table, model: FeedbackModel) -> pa.Table:
    """Combine the interactions with each (image, label) into the sources ``vote`` and ``click``.

    The strength of ``vote`` is the share of votes for (flags count against), shrunk towards that of
    the whole log, or one half if that is less; that of ``click`` is c / (c + e), from c clicks and
    e expected ones, shrunk towards one half.

    Parameters
    ----------
    interactions
        `INTERACTIONS`, all those with some images, in any order.
    model
        From `fit`.

    Returns
    -------
    Table
        `EVIDENCE_ROWS`; ``n_pages`` counts users, those who are capped by their remaining weight.
        Most pairs have no feedback, which proves nothing: feedback covers only pairs that it has.
    """
    if model.drops_early:
        interactions = interactions.filter(pc.invert(interactions["early"]))
    rows = _sorted(interactions)
    weight = rows["weight"].to_numpy().astype(np.float64) * bursts.factors(rows, model.bursts)
    is_vote = _mask(pc.is_in(rows["kind"], value_set=pa.array(VOTES)))
    votes, rest = rows.filter(pa.array(is_vote)), rows.filter(pa.array(~is_vote))
    vote_weight = _vote_weights(votes, weight[is_vote], model)
    up = _mask(pc.equal(votes["kind"], "up"))
    prior_up = VOTE_PRIOR * min(model.share_up, MAX_PRIOR_SHARE)
    voted = _sum_pairs(
        votes,
        (vote_weight * up, vote_weight * ~up, vote_weight),
        "vote",
        (prior_up, VOTE_PRIOR - prior_up),
    )
    weight = weight[~is_vote]
    clicked = _mask(pc.equal(rest["kind"], "click"))
    expected = weight * ~clicked * model.rates[_positions(rest)]
    clicks = _sum_pairs(
        rest, (weight * clicked, expected, weight), "click", (CLICK_PRIOR, CLICK_PRIOR)
    )
    return pa.concat_tables([voted, clicks])


def _sorted(interactions: pa.Table) -> pa.Table:
    return interactions.sort_by([(n, "ascending") for n in _ORDER]).combine_chunks()


def _vote_weights(votes: pa.Table, weight: Floats, model: FeedbackModel) -> Floats:
    """Return the weight of each vote after its user's weight and the caps of its pair."""
    row = pc.index_in(votes["user"], value_set=model.voters["user"].combine_chunks())
    row = np.asarray(pc.fill_null(row, len(model.voters)), np.int64)
    user_weight, credibility, group = (
        np.append(model.voters[name].to_numpy(), of_others)[row]
        for name, of_others in (("weight", 1.0), ("credibility", 0.0), ("group", -1))
    )
    pair = _pair_numbers(votes)
    up = _mask(pc.equal(votes["kind"], "up"))
    weight = weight * user_weight * group_shares(pair, up, group)
    hour = combination_numbers(pair, bursts.hours_of(votes["time"]))
    weight = weight * _cap_factors(hour, weight, model.of_pair)
    unproven = weight * (1 - credibility)
    capped: Floats = weight * credibility + unproven * _cap_factors(pair, unproven, model.unproven)
    return capped


def _cap_factors(group: Ints, weight: Floats, limit: float) -> Floats:
    """Return the factor that keeps the sum of each group within the limit."""
    total = np.bincount(group, weight)[group]
    factor: Floats = np.minimum(1.0, limit / np.maximum(total, 1e-9))
    return factor


def _unproven_limit(votes: Votes, fitted: Reliability) -> float:
    """Return the cap on the votes on a pair by users without credibility.

    Each vote is excluded from the credibility of its own user, so that the sampled pairs are
    comparable to the rest.
    """
    spread = voter_reliability.HALF_CREDIBLE * fitted.credibility / (1 - fitted.credibility)
    rest = np.maximum(spread[votes.user] - fitted.earned, 0)
    share = group_shares(votes.pair, votes.up, fitted.group[votes.user])
    weight = votes.weight * fitted.weight[votes.user] * share
    unproven = weight * voter_reliability.HALF_CREDIBLE / (rest + voter_reliability.HALF_CREDIBLE)
    if unproven.sum() >= (1 - MATURE) * weight.sum():
        return np.inf
    usual = float(np.median(np.bincount(votes.pair, unproven)))
    return max(1.0, round(2 * UNPROVEN_FACTOR * usual) / 2)


def _share_up(votes: Votes, fitted: Reliability) -> float:
    """Return the share of votes for, each with the weight of its user."""
    share = group_shares(votes.pair, votes.up, fitted.group[votes.user])
    weight = votes.weight * fitted.weight[votes.user] * share
    return float((weight @ votes.up + SHARE_PRIOR / 2) / (weight.sum() + SHARE_PRIOR))


def _pair_limit(votes: Votes) -> float:
    hour = combination_numbers(votes.pair, votes.time // bursts.WINDOW)
    total = np.bincount(hour, votes.weight)
    return bursts.FACTOR * max(1.0, float(np.median(total)) if len(total) else 1.0)


def _sum_pairs(
    interactions: pa.Table,
    weights: tuple[Floats, Floats, Floats],
    source: str,
    prior: tuple[float, float],
) -> pa.Table:
    """Return `EVIDENCE_ROWS` of one source, sorted by pair as `interactions` are.

    `weights` are those for the label, those against it, and those that count users; the two of
    `prior` are added for and against.
    """
    columns = dict(zip("abn", weights, strict=True))
    counts = columns["a"] + columns["b"] > 0
    rows = interactions.select(["image_id", "label", "ambiguity"])
    for name, values in (columns | {"n": np.minimum(columns["n"], 1)}).items():
        rows = rows.append_column(name, pa.array(values))
    sums = rows.filter(pa.array(counts)).group_by(["image_id", "label"], use_threads=False)
    sums = sums.aggregate([("a", "sum"), ("b", "sum"), ("n", "sum"), ("ambiguity", "min")])
    a, b, n_users = (sums[f"{name}_sum"].to_numpy() for name in columns)
    evidence = {
        "image_id": sums["image_id"],
        "label": sums["label"],
        "source": one_source(source, len(sums)),
        "strength": (a + prior[0]) / (a + b + sum(prior)),
        "n_pages": np.maximum(np.rint(n_users), 1),
        "n_hosts": np.ones(len(sums)),
        "ambiguity": sums["ambiguity_min"],
    }
    return pa.table(evidence, schema=EVIDENCE_ROWS)


def _pair_numbers(rows: pa.Table) -> Ints:
    """Return the number of each row's pair, from 0; rows are sorted by image and label."""
    return run_numbers(ids.to_halves(rows["image_id"]), rows["label"].to_numpy())


def _positions(table: pa.Table) -> Ints:
    """Return each row's position, cut at `click_model.MAX_POSITION`; 0 if it has none."""
    position = np.asarray(pc.fill_null(table["position"], 0), np.int64)
    return np.minimum(position, click_model.MAX_POSITION)


def _sum(column: pa.ChunkedArray) -> int:
    return int(pc.sum(column, min_count=0).as_py())


def _mask(flags: pa.ChunkedArray) -> Mask:
    return np.asarray(flags, dtype=bool)
