from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from labeling import feedback, ids
from labeling.matching import compile_matcher
from labeling.schemas import FEEDBACK
from labeling.taxonomy import Label, build_taxonomy

TAXONOMY = build_taxonomy(
    [Label("cat", (("cat", ""),), (), None, 1), Label("dog", (("dog", ""),), (), None, 2)], "test"
)
MATCHER = compile_matcher(TAXONOMY)
NO_RATES = np.full(feedback.MAX_POSITION + 1, 0.1)


def event(number: int, image: str = "x", **fields: object) -> dict[str, object]:
    row: dict[str, object] = {
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


def evidence_of(events: list[dict[str, object]]) -> dict[tuple[str, str, str], tuple[float, int]]:
    table = pa.Table.from_pylist(events, schema=FEEDBACK.arrow)
    said = feedback.statements(table, MATCHER, TAXONOMY)
    rows = feedback.evidence(said, NO_RATES).to_pylist()
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


def test_replays_and_repetitions_count_once() -> None:
    once = evidence_of([event(1)])
    replayed = evidence_of([event(1)] * 50)
    repeated = evidence_of([event(n, user_id="u1") for n in range(50)])
    assert once == replayed == repeated


def test_a_user_with_many_votes_shares_their_weight() -> None:
    crowd = [event(n, image=f"image {n}", user_id="loud") for n in range(5_000)]
    quiet = evidence_of([event(0, image="image 0", user_id="quiet")])
    loud = evidence_of(crowd)
    key = (ids.digest("image 0"), "cat", "vote")
    assert quiet[key][0] == pytest.approx(2 / 3)
    assert loud[key][0] == pytest.approx((0.01 + 1) / (0.01 + 2))


def test_a_query_speaks_for_the_labels_that_it_names() -> None:
    events = [event(1, label_id=None, query="Cats and dogs", kind="click", position=1)]
    found = evidence_of(events)
    assert {label for _, label, _ in found} == {"cat", "dog"}


def test_clicks_are_compared_with_what_their_positions_lead_to_expect() -> None:
    shown = [event(n, kind="impression", position=1 + n % 10) for n in range(2_000)]
    clicks = [
        event(10_000 + n, kind="click", position=1 + n % 10, user_id=f"u{n}")
        for n in range(2_000)
        if n % 10 < 2
    ]
    table = pa.Table.from_pylist(shown + clicks, schema=FEEDBACK.arrow)
    rates = feedback.click_rates(table)
    assert rates[1] > 0.9
    assert rates[10] < 0.1
    low = [event(n, image="low", kind="impression", position=10) for n in range(50)]
    low += [
        event(100 + n, image="low", kind="click", position=10, user_id=f"u{n}") for n in range(25)
    ]
    high = [event(n, image="high", kind="impression", position=1) for n in range(50)]
    high += [
        event(100 + n, image="high", kind="click", position=1, user_id=f"u{n}") for n in range(25)
    ]
    strengths = {}
    for name, events in (("low", low), ("high", high)):
        said = feedback.statements(
            pa.Table.from_pylist(events, schema=FEEDBACK.arrow), MATCHER, TAXONOMY
        )
        strengths[name] = feedback.evidence(said, rates)["strength"][0].as_py()
    assert strengths["low"] > 0.6
    assert strengths["high"] < 0.4


def test_no_events_give_no_evidence() -> None:
    assert evidence_of([]) == {}
    assert np.isfinite(feedback.click_rates(FEEDBACK.empty())).all()
