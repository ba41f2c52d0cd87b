"""Feedback to interactions: the distinct votes, clicks and impressions of each user, capped.

An event counts once however often it is replayed, and a user counts once for each kind of
interaction with an (image, label); of their votes on a pair the last counts. A user with more than
`USER_CAP` interactions shares that weight among them, so that nobody's weight grows by voting more.
Interactions become evidence in `labeling.feedback.debias`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys import ids
from labeling.keys.arrays import Floats32, Ints, Ints32
from labeling.keys.runs import distinct_rows, rank_in_run, run_numbers, run_starts
from labeling.matching.matcher import Matcher
from labeling.matching.texts import match_texts
from labeling.taxonomy.taxonomy import Taxonomy

USER_CAP = 50.0
"""Interactions of one user that count in full; more of them share this weight."""

MAX_EVENTS = 100_000
"""Events of a user that are kept, those of the lowest digests."""

VOTES = ("up", "down", "flag")

EVENTS = pa.schema(
    [
        ("event", ids.BINARY),
        ("user", ids.BINARY),
        ("image_id", ids.BINARY),
        ("label", pa.int32()),
        ("kind", pa.string()),
        ("position", pa.int32()),
        ("time", pa.int64()),
        ("ambiguity", pa.int16()),
    ]
)
"""One event about one label that it gives or that its query names; event and user are digests."""

INTERACTIONS = pa.schema(
    [
        ("image_id", ids.BINARY),
        ("label", pa.int32()),
        ("user", ids.BINARY),
        ("kind", pa.string()),
        ("position", pa.int32()),
        ("time", pa.int64()),
        ("since", pa.int64()),
        ("weight", pa.float32()),
        ("ambiguity", pa.int16()),
        ("early", pa.bool_()),
    ]
)
"""One interaction of one user with one (image, label), its weight, the time at which the user was
first seen, and whether it was before the first impression of the image (see `mark_early`)."""


def label_events(feedback: pa.Table, matcher: Matcher, taxonomy: Taxonomy) -> pa.Table:
    """Return one row for each label of an event.

    Parameters
    ----------
    feedback
        `labeling.schemas.FEEDBACK`, any events.
    matcher, taxonomy
        For events about a query, which counts for every label that it names.

    Returns
    -------
    Table
        `EVENTS`, in the order of the events.
    """
    row, label, ambiguity = _labels(feedback, matcher, taxonomy)
    columns = {
        "event": _digests(feedback["event_id"]),
        "user": _digests(feedback["user_id"]),
        "image_id": ids.to_binary(feedback["image_id"]),
        "kind": feedback["kind"],
        "position": feedback["position"],
        "time": feedback["time"],
    }
    events = pa.table(columns).take(pa.array(row))
    events = events.append_column("label", pa.array(label))
    events = events.append_column("ambiguity", pa.array(ambiguity))
    return events.select(EVENTS.names).cast(EVENTS)


def unnamed_queries(feedback: pa.Table, events: pa.Table) -> pa.Array:
    """Return the digests of the events that are not among those of `label_events`, once each.

    Their query names no label.
    """
    digests = _digests(feedback["event_id"]).unique()
    return digests.filter(pc.invert(pc.is_in(digests, value_set=events["event"].combine_chunks())))


def deduplicate(events: pa.Table) -> pa.Table:
    """Return one copy of each event, the earliest, with all the labels that it names.

    Parameters
    ----------
    events
        `EVENTS`: all copies of some events, in any order.
    """
    keys = ["event", "time", "user", "image_id", "kind", "position", "label"]
    events = distinct_rows(_sorted(events, keys), keys)
    event, user, image = (ids.to_halves(events[name]) for name in ("event", "user", "image_id"))
    position = pc.fill_null(events["position"], 0).to_numpy()
    copy = run_numbers(
        event, events["time"].to_numpy(), user, image, events["kind"].to_numpy(), position
    )
    first_copy = copy[run_starts(event)][run_numbers(event)]
    return events.filter(pa.array(copy == first_copy))


def cap_events(events: pa.Table) -> pa.Table:
    """Return the events of users without replays, at most `MAX_EVENTS` of each."""
    rows = _sorted(events, ["user", "event", "label", "time"])
    rows = distinct_rows(rows, ["user", "event", "label"])
    return rows.filter(pa.array(rank_in_run(ids.to_halves(rows["user"])) < MAX_EVENTS))


def interactions(events: pa.Table) -> pa.Table:
    """Return the interactions of users, from all of their events.

    Parameters
    ----------
    events
        `EVENTS`: all those of some users, in any order.

    Returns
    -------
    Table
        `INTERACTIONS`, sorted by user; ``early`` is False until `mark_early`.
    """
    rows = _sorted(cap_events(events), ["user", "time", "event", "label"])
    user = ids.to_halves(rows["user"])
    since = rows["time"].to_numpy()[run_starts(user)][run_numbers(user)]
    rows = rows.append_column("since", pa.array(since))
    is_vote = pc.is_in(rows["kind"], value_set=pa.array(VOTES))
    rows = rows.append_column("group", pc.if_else(is_vote, "vote", rows["kind"]))
    keys = ["user", "image_id", "label", "group"]
    votes, rest = rows.filter(is_vote), rows.filter(pc.invert(is_vote))
    last_votes = distinct_rows(votes.take(pa.array(np.arange(len(votes))[::-1])), keys)
    kept = _sorted(pa.concat_tables([last_votes, distinct_rows(rest, keys)]), [*keys, "time"])
    kept = kept.append_column("weight", pa.array(_weights(kept)))
    kept = kept.append_column("early", pa.repeat(False, len(kept)))
    return kept.select(INTERACTIONS.names).cast(INTERACTIONS)


def mark_early(interactions: pa.Table) -> pa.Table:
    """Mark the interactions before the first impression of their image.

    The data do not contain the time at which an image was published; its first impression is the
    earliest sign. Images without impressions have no early interactions.

    Parameters
    ----------
    interactions
        `INTERACTIONS`: all those with some images.
    """
    shown = interactions.filter(pc.equal(interactions["kind"], "impression"))
    first = shown.group_by("image_id").aggregate([("time", "min")])
    row = pc.index_in(interactions["image_id"], value_set=first["image_id"].combine_chunks())
    early = pc.fill_null(pc.less(interactions["time"], first["time_min"].take(row)), False)
    return interactions.set_column(interactions.column_names.index("early"), "early", early)


def _labels(
    events: pa.Table, matcher: Matcher, taxonomy: Taxonomy
) -> tuple[Ints, Ints32, npt.NDArray[np.int16]]:
    """Return (row, label, ambiguity) of each event's label, or of each label its query names."""
    is_labelled = pc.is_valid(events["label_id"])
    labelled = np.flatnonzero(np.asarray(is_labelled, bool))
    codes = taxonomy.codes(events["label_id"].take(pa.array(labelled)))
    query = pc.if_else(is_labelled, pa.scalar(None, pa.string()), events["query"])
    matches = match_texts(matcher, query)
    row = np.concatenate([labelled, matches.row])
    label = np.concatenate([codes, matches.label])
    ambiguity = np.concatenate([np.ones(len(labelled), np.int16), matches.ambiguity])
    order = np.lexsort((label, row))
    return row[order], label[order], ambiguity[order]


def _digests(texts: pa.ChunkedArray) -> pa.Array:
    return ids.halves_to_binary(ids.digest_halves(texts))


def _sorted(rows: pa.Table, keys: list[str]) -> pa.Table:
    rest = [name for name in rows.column_names if name not in keys]
    return rows.sort_by([(name, "ascending") for name in keys + rest]).combine_chunks()


def _weights(rows: pa.Table) -> Floats32:
    """Return 1 for each interaction, or less if its user has more than `USER_CAP`.

    Impressions, which users do not choose, always weigh 1 and use up no share.
    """
    is_chosen = ~np.asarray(pc.equal(rows["kind"], "impression"), bool)
    user = run_numbers(ids.to_halves(rows["user"]))
    n_chosen = np.bincount(user, is_chosen)[user]
    weight = np.minimum(1.0, USER_CAP / np.maximum(n_chosen, 1))
    return np.where(is_chosen, weight, 1.0).astype(np.float32)
