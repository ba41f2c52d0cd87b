"""Feedback to statements: what each user did to each (image, label), said once and capped.

An event counts once however often it is replayed, and a user says one thing once about one image;
of their votes on a pair the last counts. A user with more than `USER_CAP` statements shares that
weight among them, so that nobody's weight grows by voting more. What the statements come to is
worked out in `labeling.feedback.debias`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys import ids
from labeling.keys.arrays import Floats32, Ints, Ints32
from labeling.keys.runs import distinct_rows, rank_in_run, run_numbers, run_starts
from labeling.matching.matcher import Matcher, match_texts
from labeling.taxonomy.taxonomy import Taxonomy

USER_CAP = 50.0
"""Statements of one user that count in full; more of them share this weight."""

MAX_ACTS = 100_000
"""Acts of a user that are kept, those whose events have the lowest digests."""

VOTES = ("up", "down", "flag")

ACTS = pa.schema(
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

STATEMENTS = pa.schema(
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
"""One thing that one user did to one (image, label), with what it weighs, when the user was first
seen, and whether the image had not been shown to anybody before (see `mark_early`)."""


def acts(feedback: pa.Table, matcher: Matcher, taxonomy: Taxonomy) -> pa.Table:
    """Return what events say about labels.

    Parameters
    ----------
    feedback
        `labeling.schemas.FEEDBACK`, any events.
    matcher, taxonomy
        For events about a query, which counts for every label that it names.

    Returns
    -------
    Table
        `ACTS`, in the order of the events.
    """
    row, label, ambiguity = _labels(feedback, matcher, taxonomy)
    columns = {
        "event": ids.to_binary(ids.digests(feedback["event_id"])),
        "user": ids.to_binary(ids.digests(feedback["user_id"])),
        "image_id": ids.to_binary(feedback["image_id"]),
        "kind": feedback["kind"],
        "position": feedback["position"],
        "time": feedback["time"],
    }
    found = pa.table(columns).take(pa.array(row))
    found = found.append_column("label", pa.array(label))
    found = found.append_column("ambiguity", pa.array(ambiguity))
    return found.select(ACTS.names).cast(ACTS)


def once(rows: pa.Table) -> pa.Table:
    """Return one copy of each event, the earliest, with all the labels that it names.

    Parameters
    ----------
    rows
        `ACTS`: all copies of some events, in any order.
    """
    version = ["event", "time", "user", "image_id", "kind", "position"]
    rows = distinct_rows(_sorted(rows, [*version, "label"]), [*version, "label"])
    first = distinct_rows(rows, ["event"]).select(version)
    same = [pc.fill_null(rows[n], 0) if n == "position" else rows[n] for n in version[1:]]
    place = pc.index_in(rows["event"], value_set=first["event"].combine_chunks())
    keep = np.ones(len(rows), bool)
    for name, column in zip(version[1:], same, strict=True):
        theirs = first[name].take(place)
        theirs = pc.fill_null(theirs, 0) if name == "position" else theirs
        keep &= np.asarray(pc.equal(column, theirs), bool)
    return rows.filter(pa.array(keep))


def cap_acts(rows: pa.Table) -> pa.Table:
    """Return the acts of users, replays left out and at most `MAX_ACTS` of each."""
    key = ["user", "event", "label"]
    rows = distinct_rows(_sorted(rows, [*key, "time"]), key)
    return rows.filter(pa.array(rank_in_run(ids.to_halves(rows["user"])) < MAX_ACTS))


def statements(rows: pa.Table) -> pa.Table:
    """Return what users say, from all of their acts.

    Parameters
    ----------
    rows
        `ACTS`: all those of some users, in any order.

    Returns
    -------
    Table
        `STATEMENTS`, sorted by user; ``early`` is not told yet.
    """
    rows = _sorted(cap_acts(rows), ["user", "time", "event", "label"])
    user = ids.to_halves(rows["user"])
    since = rows["time"].to_numpy()[run_starts(user)][run_numbers(user)]
    rows = rows.append_column("since", pa.array(since))
    voted = pc.is_in(rows["kind"], value_set=pa.array(VOTES))
    rows = rows.append_column("thing", pc.if_else(voted, "vote", rows["kind"]))
    key = ["user", "image_id", "label", "thing"]
    votes, rest = rows.filter(voted), rows.filter(pc.invert(voted))
    last = distinct_rows(votes.take(pa.array(np.arange(len(votes))[::-1])), key)
    said = _sorted(pa.concat_tables([last, distinct_rows(rest, key)]), [*key, "time"])
    said = said.append_column("weight", pa.array(_weights(said)))
    said = said.append_column("early", pa.array(np.zeros(len(said), bool)))
    return said.select(STATEMENTS.names).cast(STATEMENTS)


def mark_early(said: pa.Table) -> pa.Table:
    """Tell which statements were made before their image was first shown to anybody.

    Nothing in the data says when an image came to be; the first impression of it is the earliest
    sign. Images without impressions have no early statements.

    Parameters
    ----------
    said
        `STATEMENTS`: all those about some images.
    """
    shown = pc.equal(said["kind"], "impression")
    first = said.filter(shown).group_by("image_id").aggregate([("time", "min")])
    place = pc.index_in(said["image_id"], value_set=first["image_id"].combine_chunks())
    early = pc.less(said["time"], first["time_min"].take(place))
    column = said.column_names.index("early")
    return said.set_column(column, "early", pc.fill_null(early, False))


def _labels(
    events: pa.Table, matcher: Matcher, taxonomy: Taxonomy
) -> tuple[Ints, Ints32, npt.NDArray[np.int16]]:
    """Return (row, label, ambiguity) of each event's label, or of each label its query names."""
    given = pc.is_valid(events["label_id"])
    named = np.flatnonzero(np.asarray(given, bool))
    codes = taxonomy.codes(events["label_id"].take(pa.array(named)))
    query = pc.if_else(given, pa.scalar(None, pa.string()), events["query"])
    found = match_texts(matcher, query)
    row = np.concatenate([named, found.row])
    label = np.concatenate([codes, found.label])
    ambiguity = np.concatenate([np.ones(len(named), np.int16), found.ambiguity])
    order = np.lexsort((label, row))
    return row[order], label[order], ambiguity[order]


def _sorted(rows: pa.Table, keys: list[str]) -> pa.Table:
    rest = [name for name in rows.column_names if name not in keys]
    return rows.sort_by([(name, "ascending") for name in keys + rest]).combine_chunks()


def _weights(said: pa.Table) -> Floats32:
    """Return what each statement weighs: 1, or less where its user makes more than `USER_CAP`.

    Impressions, which users do not choose, always weigh 1 and use up no share.
    """
    chosen = ~np.asarray(pc.equal(said["kind"], "impression"), bool)
    user = run_numbers(ids.to_halves(said["user"]))
    n_chosen = np.bincount(user, chosen)[user] if len(said) else np.empty(0)
    weight = np.minimum(1.0, USER_CAP / np.maximum(n_chosen, 1))
    return np.where(chosen, weight, 1.0).astype(np.float32)
