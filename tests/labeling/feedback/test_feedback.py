from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.feedback import debias, feedback
from labeling.keys import ids
from labeling.matching.matcher import compile_matcher
from labeling.schemas import FEEDBACK
from labeling.taxonomy.taxonomy import Label, build_taxonomy
from tests.labeling import brigades

TAXONOMY = build_taxonomy(
    [Label("cat", (("cat", ""),), (), None, 1), Label("dog", (("dog", ""),), (), None, 2)], "test"
)
MATCHER = compile_matcher(TAXONOMY)

Event = dict[str, object]


def event(number: int, image: str = "x", **fields: object) -> Event:
    row: Event = {
        "event_id": f"e{number:05d}",
        "image_id": ids.digest(image),
        "label_id": "cat",
        "query": None,
        "kind": "up",
        "user_id": f"u{number}",
        "position": None,
        "time": 0,
    }
    return row | fields


def interactions_of(events: list[Event]) -> pa.Table:
    table = pa.Table.from_pylist(events, schema=FEEDBACK.arrow)
    rows = feedback.label_events(table, MATCHER, TAXONOMY)
    return feedback.mark_early(feedback.interactions(feedback.deduplicate(rows)))


def evidence_of(
    events: list[Event], model: debias.FeedbackModel | None = None
) -> dict[tuple[str, str, str], tuple[float, int]]:
    rows = debias.evidence(interactions_of(events), model or debias.neutral_model()).to_pylist()
    return {
        (r["image_id"].hex(), TAXONOMY.label_ids[r["label"]], r["source"]): (
            r["strength"],
            r["n_pages"],
        )
        for r in rows
    }


def test_votes_are_shrunk_and_flags_count_against() -> None:
    events = [event(n) for n in range(3)] + [event(3, kind="down"), event(4, kind="flag")]
    ((strength, n_users),) = evidence_of(events).values()
    assert strength == pytest.approx((3 + 1) / (5 + 2))
    assert n_users == 5


def test_votes_are_shrunk_towards_the_usual_share_of_votes_for() -> None:
    rare, usual = (
        brigades.fit(
            interactions_of(
                [event(n, image=f"i{n // 4}", kind=kinds[n % 20 == 0]) for n in range(400)]
            )
        )
        for kinds in (("down", "up"), ("up", "down"))
    )
    assert rare.share_up == pytest.approx((20 + 10) / (400 + 20), abs=0.02)
    assert usual.share_up > 0.9
    of_rare, of_usual = (
        evidence_of([event(500)], model).popitem()[1][0] for model in (rare, usual)
    )
    assert of_rare == pytest.approx((1 + 2 * rare.share_up) / 3)
    assert of_usual == pytest.approx(2 / 3)  # an unknown user proves no more than elsewhere


def test_replays_and_repetitions_count_once() -> None:
    once = evidence_of([event(1)])
    replayed = evidence_of([event(1)] * 50)
    by_others = evidence_of([event(1), *(event(1, user_id=f"b{n}", time=9) for n in range(50))])
    repeated = evidence_of([event(n, user_id="u1") for n in range(50)])
    assert once == replayed == by_others == repeated


def test_the_last_vote_of_a_user_on_a_pair_counts() -> None:
    events = [event(1, user_id="u"), event(2, user_id="u", kind="down", time=7)]
    assert evidence_of(events) == evidence_of(events[1:])


def test_a_user_with_many_votes_shares_their_weight() -> None:
    crowd = [event(n, image=f"image {n}", user_id="loud") for n in range(5_000)]
    quiet = evidence_of([event(0, image="image 0", user_id="quiet")])
    loud = evidence_of(crowd)
    key = (ids.digest("image 0"), "cat", "vote")
    assert quiet[key][0] == pytest.approx(2 / 3)
    assert loud[key][0] == pytest.approx((0.01 + 1) / (0.01 + 2))


def test_of_very_many_events_of_a_user_those_of_the_lowest_digests_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feedback, "MAX_EVENTS", 10)
    events = [event(n, image=f"image {n}", user_id="loud") for n in range(40)]
    table = pa.Table.from_pylist(events + [event(99)], schema=FEEDBACK.arrow)
    rows = feedback.label_events(table, MATCHER, TAXONOMY)
    whole = feedback.interactions(rows)
    parts = pa.concat_tables([feedback.cap_events(rows.slice(n, 15)) for n in (0, 15, 30)])
    assert len(whole) == 11
    assert feedback.interactions(parts).equals(whole)


def test_a_query_counts_for_the_labels_that_it_names() -> None:
    events = [event(1, label_id=None, query="Cats and dogs", kind="click", position=1)]
    strength = evidence_of(events)
    assert {label for _, label, _ in strength} == {"cat", "dog"}


def test_events_before_the_image_was_shown_to_anybody_are_dropped() -> None:
    early = [event(n, image="new", time=10 * n) for n in range(5)]
    shown = [event(10, image="new", kind="impression", time=25, position=1)]
    rest = [event(20 + n, image=f"i{n // 2}", kind="impression", position=1) for n in range(40)]
    rest += [event(80 + n, image=f"i{n}", time=5) for n in range(20)]
    interactions = interactions_of(early + shown + rest)
    model = brigades.fit(interactions)
    assert model.drops_early
    key = (ids.digest("new"), "cat", "vote")
    assert evidence_of(early + shown + rest, model)[key][1] == 2


def test_early_events_are_kept_if_the_log_lacks_impressions() -> None:
    events = [event(n, image=f"i{n}") for n in range(30)]
    events += [event(50 + n, image=f"i{n}", kind="impression", time=9) for n in range(10)]
    assert not brigades.fit(interactions_of(events)).drops_early


def test_no_events_give_no_evidence() -> None:
    assert evidence_of([]) == {}
    model = brigades.fit(interactions_of([]))
    assert np.isfinite(model.rates).all()
    assert len(debias.evidence(interactions_of([]), model)) == 0


def test_a_model_is_read_back_from_its_tables() -> None:
    model = brigades.fit(interactions_of([event(n, time=n * 3600) for n in range(20)]))
    again = debias.from_tables(debias.to_tables(model))
    assert again.voters.equals(model.voters)
    assert again[3:] == model[3:]


events_strategy = st.lists(
    st.builds(
        event,
        st.integers(0, 40),
        st.sampled_from(["x", "y", "z"]),
        kind=st.sampled_from(["up", "down", "flag", "click", "impression"]),
        user_id=st.sampled_from(["a", "b", "c", "d"]),
        position=st.sampled_from([None, 1, 2, 60]),
        time=st.integers(0, 90_000),
        label_id=st.sampled_from(["cat", "dog"]),
    ),
    max_size=40,
)


@settings(max_examples=15)
@given(events_strategy, st.randoms(use_true_random=False))
def test_neither_order_nor_replays_change_anything(
    events: list[Event], chance: random.Random
) -> None:
    plain = interactions_of(events)
    again = events + events[::2]
    chance.shuffle(again)
    shuffled = interactions_of(again)
    assert shuffled.equals(plain)
    model, other = brigades.fit(plain), brigades.fit(shuffled)
    assert debias.evidence(plain, model).equals(debias.evidence(shuffled, other))


@settings(max_examples=15)
@given(events_strategy, events_strategy)
def test_no_user_weighs_more_than_the_cap_on_all_pairs_and_one_on_each(
    events: list[Event], more: list[Event]
) -> None:
    loud = [e | {"user_id": "loud", "event_id": f"l{n}"} for n, e in enumerate(more * 3)]
    interactions = interactions_of(events + loud).to_pandas()
    chosen = interactions[interactions["kind"] != "impression"]
    by_user = chosen.groupby("user")["weight"].sum()
    assert (by_user <= feedback.USER_CAP + 1e-3).all()
    votes = chosen[chosen["kind"] != "click"]
    assert (votes.groupby(["user", "image_id", "label"])["weight"].sum() <= 1).all()
