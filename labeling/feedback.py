"""Feedback to evidence: votes and clicks, with repeated and crowded voices held down.

An event counts once however often it is replayed, and a user says one thing once about one image.
A user with more than `USER_CAP` statements shares that weight among them, so that nobody's weight
grows by voting more. Clicks are compared with what their positions lead one to expect (clicks over
expected clicks: Zhang & Jones 2007, "Comparing Click Logs and Editorial Labels for Training Query
Rewriting"), and every rate is shrunk towards what is usual.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling import ids
from labeling.compact import compact, one_source
from labeling.evidence import EVIDENCE_ROWS
from labeling.matching import Matcher, match_texts
from labeling.taxonomy import Taxonomy

USER_CAP = 50.0
"""Statements of one user that count in full; more of them share this weight."""

VOTE_PRIOR = 2.0
"""Votes, half of them for, that every pair is taken to have already."""

CLICK_PRIOR = 2.0
"""Clicks, as many as expected, that every pair is taken to have already."""

MAX_POSITION = 50
"""Positions beyond this one are taken to be this one."""

STATEMENTS = pa.schema(
    [
        ("image_id", ids.BINARY),
        ("label", pa.int32()),
        ("kind", pa.string()),
        ("position", pa.int32()),
        ("weight", pa.float32()),
        ("ambiguity", pa.int16()),
    ]
)
"""One thing that one user did to one (image, label), with what it weighs."""

Rates = npt.NDArray[np.float64]
"""``float64[MAX_POSITION + 1]``: share of the impressions at each position that were clicked."""


def statements(feedback: pa.Table, matcher: Matcher, taxonomy: Taxonomy) -> pa.Table:
    """Return what users said about labels, replays and repetitions left out.

    Parameters
    ----------
    feedback
        `labeling.schemas.FEEDBACK`, all events of some users.
    matcher, taxonomy
        For events about a query, which counts for every label that it names.

    Returns
    -------
    Table
        `STATEMENTS`, in the order of the event ids.
    """
    events = _first_of(feedback.sort_by("event_id"), ["event_id"])
    rows, label, ambiguity = _labels(events, matcher, taxonomy)
    said = compact(events.select(["image_id", "user_id", "kind", "position"])).take(pa.array(rows))
    said = said.append_column("label", pa.array(label))
    said = said.append_column("ambiguity", pa.array(ambiguity))
    said = _first_of(said, ["user_id", "image_id", "label", "kind"])
    said = said.append_column("weight", pa.array(_weights(said)))
    return said.select(STATEMENTS.names).cast(STATEMENTS)


def click_rates(feedback: pa.Table) -> Rates:
    """Return the click rate of each position, shrunk towards the rate of all.

    Impressions and clicks without a position are not counted.
    """
    seen = _at_position(feedback, "impression")
    clicked = _at_position(feedback, "click")
    usual = (clicked.sum() + 1.0) / (seen.sum() + 20.0)
    return np.asarray((clicked + 20.0 * usual) / (seen + 20.0))


def evidence(said: pa.Table, rates: Rates) -> pa.Table:
    """Unite the statements about each (image, label) into the sources ``vote`` and ``click``.

    The strength of ``vote`` is the shrunken share of votes for (flags count against); that of
    ``click`` is c / (c + e), from c clicks and e expected ones, shrunk towards one half.

    Parameters
    ----------
    said
        `STATEMENTS`, all those about some images.
    rates
        From `click_rates`.

    Returns
    -------
    Table
        `EVIDENCE_ROWS`. Users are silent about most pairs, which says nothing: feedback covers
        only what it speaks of.
    """
    said = said.sort_by([(n, "ascending") for n in ("image_id", "label", "kind", "weight")])
    kind = said["kind"]
    weight = said["weight"].to_numpy().astype(np.float64)
    against = pc.or_(pc.equal(kind, "down"), pc.equal(kind, "flag"))
    up = weight * _mask(pc.equal(kind, "up"))
    down = weight * _mask(against)
    clicks = weight * _mask(pc.equal(kind, "click"))
    expected = weight * _mask(pc.equal(kind, "impression")) * rates[_positions(said)]
    votes = _sum_pairs(said, up, down, "vote")
    share = _shrunken_share(votes, VOTE_PRIOR / 2)
    shown = _sum_pairs(said, clicks, expected, "click")
    share_of_clicks = _shrunken_share(shown, CLICK_PRIOR)
    return pa.concat_tables([_with_strength(votes, share), _with_strength(shown, share_of_clicks)])


def _sum_pairs(said: pa.Table, a: Rates, b: Rates, source: str) -> pa.Table:
    """Return `EVIDENCE_ROWS` without strength, with the sums of two weights for each pair."""
    rows = said.select(["image_id", "label", "ambiguity"])
    rows = rows.append_column("a", pa.array(a)).append_column("b", pa.array(b))
    rows = rows.filter(pa.array(a + b > 0))
    sums = rows.group_by(["image_id", "label"], use_threads=False).aggregate(
        [("a", "sum"), ("b", "sum"), ("a", "count"), ("ambiguity", "min")]
    )
    sums = sums.rename_columns(["image_id", "label", "a", "b", "n_pages", "ambiguity"])
    sums = sums.append_column("n_hosts", pa.array(np.ones(len(sums), np.int32)))
    return sums.append_column("source", one_source(source, len(sums)))


def _shrunken_share(sums: pa.Table, prior: float) -> pa.Array:
    a, b = sums["a"].to_numpy(), sums["b"].to_numpy()
    return pa.array((a + prior) / (a + b + 2 * prior))


def _with_strength(sums: pa.Table, strength: pa.Array) -> pa.Table:
    return sums.append_column("strength", strength).select(EVIDENCE_ROWS.names).cast(EVIDENCE_ROWS)


def _labels(
    events: pa.Table, matcher: Matcher, taxonomy: Taxonomy
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int16]]:
    """Return (row, label, ambiguity) of each event's label, or of each label its query names."""
    named = np.flatnonzero(_mask(pc.is_valid(events["label_id"])))
    given = taxonomy.codes(events["label_id"].take(pa.array(named)))
    query = pc.if_else(
        pc.is_valid(events["label_id"]), pa.scalar(None, pa.string()), events["query"]
    )
    found = match_texts(matcher, query)
    row = np.concatenate([named, found.row])
    label = np.concatenate([given, found.label])
    ambiguity = np.concatenate([np.ones(len(named), np.int16), found.ambiguity])
    order = np.lexsort((label, row))
    return row[order], label[order], ambiguity[order]


def _first_of(table: pa.Table, keys: list[str]) -> pa.Table:
    numbered = table.append_column("row", pa.array(np.arange(len(table))))
    first = numbered.group_by(keys, use_threads=False).aggregate([("row", "min")])["row_min"]
    return table.take(pa.array(np.sort(first.to_numpy())))


def _weights(said: pa.Table) -> npt.NDArray[np.float32]:
    """Return what each statement weighs: 1, or less where its user makes more than `USER_CAP`.

    Impressions, which users do not choose, always weigh 1 and use up no share.
    """
    shown = pc.equal(said["kind"], "impression")
    n_said = said.filter(pc.invert(shown)).group_by("user_id").aggregate([("kind", "count")])
    place = pc.index_in(said["user_id"], value_set=n_said["user_id"].combine_chunks())
    counts = n_said["kind_count"].to_numpy()
    known = _mask(pc.is_valid(place)) & ~_mask(shown)
    weight = np.ones(len(said), np.float32)
    of_user = counts[np.asarray(pc.fill_null(place, 0), np.int64)[known]]
    weight[known] = np.minimum(1.0, USER_CAP / of_user)
    return weight


def _at_position(feedback: pa.Table, kind: str) -> Rates:
    chosen = feedback.filter(
        pc.and_(pc.equal(feedback["kind"], kind), pc.is_valid(feedback["position"]))
    )
    return np.bincount(_positions(chosen), minlength=MAX_POSITION + 1).astype(np.float64)


def _positions(table: pa.Table) -> npt.NDArray[np.int64]:
    """Return each row's position, cut at `MAX_POSITION`; 0 where it has none."""
    position = np.asarray(pc.fill_null(table["position"], 0), np.int64)
    return np.minimum(position, MAX_POSITION)


def _mask(flags: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return np.asarray(flags, dtype=bool)
