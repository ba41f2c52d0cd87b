from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.feedback import bursts, feedback


def votes(label: list[int], time: list[int], since: list[int]) -> pa.Table:
    n = len(label)
    columns = {
        "image_id": [bytes(16)] * n,
        "label": label,
        "user": [bytes(16)] * n,
        "kind": ["up"] * n,
        "position": [None] * n,
        "time": time,
        "since": since,
        "weight": [1.0] * n,
        "ambiguity": [1] * n,
        "early": [False] * n,
    }
    return pa.table(columns, schema=feedback.INTERACTIONS)


def quiet_and_burst() -> pa.Table:
    """Return a vote an hour on each of two labels, then 1,000 new users and 10 old ones at once."""
    hours = list(range(100)) * 2
    label = [0] * 100 + [1] * 100 + [0] * 1010
    time = [h * 3600 for h in hours] + [50 * 3600 + 5] * 1010
    since = [0] * 200 + [50 * 3600] * 1000 + [0] * 10
    return votes(label, time, since)


def found_in(table: pa.Table) -> pa.Table:
    time = table["time"].to_numpy()
    return bursts.find(
        bursts.candidates(bursts.sum_by_hour(table)), int(time.min()), int(time.max())
    )


def test_a_burst_counts_as_much_as_a_usual_hour() -> None:
    table = quiet_and_burst()
    bursts_found = found_in(table)
    assert bursts_found.select(["label", "window", "usual"]).to_pylist() == [
        {"label": 0, "window": 50, "usual": 1.0}
    ]
    factor = bursts.factors(table, bursts_found)
    assert np.isclose(factor[200:1200].sum(), 1)
    assert np.isclose(factor[1200:].sum() + factor[50], bursts.FACTOR)
    assert (np.delete(factor, 50)[:199] == 1).all()


def test_a_short_log_has_no_bursts() -> None:
    assert len(found_in(votes([0] * 999 + [1], [0] * 999 + [3600], [0] * 1000))) == 0


@settings(max_examples=20)
@given(st.lists(st.integers(0, 40), max_size=4), st.randoms(use_true_random=False))
def test_parts_add_up_in_any_order(cuts: list[int], chance: object) -> None:
    table = quiet_and_burst().slice(180, 60)
    edges = [0, *sorted(cuts), 60]
    parts = [
        bursts.sum_by_hour(table.slice(a, b - a)) for a, b in zip(edges, edges[1:], strict=False)
    ]
    chance.shuffle(parts)
    assert bursts.merge(pa.concat_tables(parts)).equals(bursts.sum_by_hour(table))
