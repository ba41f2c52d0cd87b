from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.intervals.judgements import Judgements
from curation.selection.choose import choose, choose_in_groups
from curation.selection.groups import Partition
from labeling.checks import check
from labeling.errors import ConfigError, InputError, QualityError
from labeling.keys.ids import digest
from labeling.schemas import SCORED, SELECTED
from tests.curation.selection.requests import request_of

N = 30_000
HARD = np.array([0.0, 0.1, 0.25, 0.6])
"""How much less right each of four groups is than its scores promise."""


def scored_of(p, label=None):
    columns = {
        "image_id": [digest(str(i)) for i in range(len(p))],
        "label_id": ["cat"] * len(p) if label is None else label,
        "p_correct": np.asarray(p, np.float32),
    }
    return pa.table(columns, schema=SCORED.arrow)


def groups_of(code, n_groups=4):
    return Partition(np.asarray(code, np.int64), tuple(f"group {i}" for i in range(n_groups)))


def share_of_groups(request, groups):
    return choose_in_groups(replace(request, by="label"), groups)


def proved_of_groups(request, groups, target):
    return choose_in_groups(replace(request, by="label", precision=target), groups)


GROUPED = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([0.1, 0.5, 0.9]), st.integers(0, 4)), max_size=50
)


@given(GROUPED, st.floats(0.001, 1), st.none() | st.integers(1, 3))
def test_the_share_is_exact_and_each_group_keeps_its_own(rows, share, per_image):
    code = [group for group, _, _ in rows]
    scored = scored_of([p for _, p, _ in rows])
    images = pa.array([digest(f"i{image}") for _, _, image in rows], pa.string())
    labels = pa.array([f"l{i}" for i in range(len(rows))], pa.string())
    scored = scored.set_column(0, "image_id", images).set_column(1, "label_id", labels)
    scored = scored.cast(SCORED.arrow)
    request = request_of(scored, keep=share, per_image=per_image)
    excluded = request.excluded
    chosen = share_of_groups(request, groups_of(code))
    check(chosen.table, SELECTED)
    kept = np.asarray(chosen.table["kept"], bool)
    n_allowed = int(np.sum(excluded == 0))
    assert chosen.n_kept == kept.sum() == min(round(share * len(rows)), n_allowed)
    assert not kept[excluded > 0].any()
    p = np.array([p for _, p, _ in rows])
    for group in range(4):
        mine = np.array(code, int) == group
        allowed = mine & (excluded == 0)
        ideal = allowed.sum() * chosen.n_kept / max(n_allowed, 1)
        assert abs((kept & mine).sum() - ideal) < 1
        if (kept & mine).any():
            assert p[allowed & ~kept].max(initial=0) <= p[kept & mine].min()


def test_one_group_is_as_no_group():
    scored = scored_of(np.random.default_rng(0).choice([0.2, 0.4, 0.9], 500))
    chosen = share_of_groups(request_of(scored, keep=0.4), groups_of(np.zeros(500), 1))
    assert chosen.table.equals(choose(request_of(scored, keep=0.4)).table)


class World:
    """Candidates of four groups whose scores promise more than some of them hold."""

    rng = np.random.default_rng(0)
    code = np.sort(rng.choice(4, N, p=[0.45, 0.3, 0.15, 0.1]))
    p = rng.random(N).astype(np.float32)
    correct = rng.random(N) < np.sqrt(p) * (1 - HARD[code])
    scored = scored_of(p)
    groups = groups_of(code)


def judgements(correct, n, seed, stratum=None):
    row = np.random.default_rng(seed).choice(len(correct), n, replace=False)
    return Judgements(row, correct[row], np.full(n, n / max(len(correct), 1)), stratum)


def test_the_precision_is_held_in_all_groups_at_once_in_nearly_all_draws():
    n_broken, kept_of_first = 0, []
    for seed in range(60):
        judged = judgements(World.correct, 1500, seed)
        chosen = proved_of_groups(request_of(World.scored, judged), World.groups, 0.75)
        kept = np.asarray(chosen.table["kept"], bool)
        precision = [
            World.correct[kept & (World.code == i)].mean()
            for i in range(4)
            if (kept & (World.code == i)).any()
        ]
        n_broken += min(precision) < 0.75
        kept_of_first.append(kept[World.code == 0].mean())
    assert n_broken <= 7
    assert np.mean(kept_of_first) > 0.3


def test_a_group_of_which_nothing_can_be_proved_keeps_nothing_and_is_listed():
    stratum = (World.p * 4).astype(np.int8)
    judged = judgements(World.correct, 1500, 0, stratum)
    chosen = proved_of_groups(request_of(World.scored, judged), World.groups, 0.75)
    rows = chosen.groups
    assert [row["group"] for row in rows] == list(World.groups.names)
    assert sum(row["n_kept"] for row in rows) == chosen.n_kept
    assert sum(row["n_candidates"] for row in rows) == N
    assert sum(row["n_audits"] for row in rows) == 1500
    assert (
        rows[0]["low"]
        <= World.correct[(World.code == 0) & (World.p >= rows[0]["threshold"])].mean()
    )
    assert rows[3] | {"n_audits": 0} == {
        "group": "group 3",
        "n_candidates": int(np.sum(World.code == 3)),
        "n_audits": 0,
        "n_kept": 0,
        "precision": None,
        "low": 0,
        "high": 1,
        "threshold": None,
    }
    reason = np.array(chosen.table["reason"].to_pylist())
    assert set(reason[World.code == 3]) == {"unproved_group"}
    assert set(reason[World.code == 0]) == {"kept", "below_threshold"}


def test_a_target_out_of_reach_in_all_groups_names_the_best_group():
    judged = judgements(World.correct, 1000, 0)
    with pytest.raises(QualityError, match="cannot be proved in any group") as caught:
        proved_of_groups(request_of(World.scored, judged), World.groups, 0.995)
    facts = caught.value.facts
    best, where = str(facts["best that can be proved"]).split(" ", 1)
    assert 0.7 < float(best) < 0.995
    assert where in ("(group 0)", "(group 1)")
    assert caught.value.exit_code == 4
    with pytest.raises(QualityError) as caught:
        proved_of_groups(request_of(World.scored, judged), World.groups, 0.93)
    needed = str(caught.value.facts["audits needed"])
    assert 1000 < int(needed.removeprefix("about ").replace(",", "")) < 30_000


@pytest.mark.parametrize("target", [0.0, 1.0, float("nan")])
def test_a_target_that_cannot_be_is_refused(target):
    request = request_of(World.scored, judgements(World.correct, 200, 0))
    with pytest.raises(ConfigError):
        proved_of_groups(request, World.groups, target)


def test_a_share_that_cannot_be_is_refused():
    with pytest.raises(InputError, match="share"):
        share_of_groups(request_of(World.scored, keep=0.0), World.groups)


def test_equal_probabilities_of_a_group_are_kept_or_dropped_together():
    code = np.repeat([0, 1], 5000)
    correct = np.random.default_rng(1).random(10_000) < np.where(code == 0, 0.97, 0.6)
    scored = scored_of(np.full(10_000, 0.5))
    judged = judgements(correct, 800, 0)
    chosen = proved_of_groups(request_of(scored, judged), groups_of(code, 2), 0.9)
    assert np.array_equal(np.asarray(chosen.table["kept"], bool), code == 0)


def test_all_right_audits_prove_every_group_of_enough_audits():
    code = np.repeat([0, 1], [5000, 60])
    right = np.ones(5060, bool)
    scored = scored_of(np.linspace(0, 1, 5060))
    judged = Judgements(np.arange(4760, 5003), right[:243], np.full(243, 0.05), None)
    chosen = proved_of_groups(request_of(scored, judged), groups_of(code, 2), 0.9)
    assert np.array_equal(np.asarray(chosen.table["kept"], bool), code == 0)


@pytest.mark.parametrize(("n", "n_audits"), [(0, 0), (50, 0), (50, 3)])
def test_without_candidates_or_audits_nothing_is_proved(n, n_audits):
    scored = scored_of(np.full(n, 0.9))
    judged = judgements(np.ones(n, bool), n_audits, 0)
    groups = groups_of(np.zeros(n), 1)
    with pytest.raises(QualityError, match="cannot be proved"):
        proved_of_groups(request_of(scored, judged), groups, 0.8)
    chosen = share_of_groups(request_of(scored, keep=0.5), groups)
    assert chosen.n_kept == n // 2
    assert chosen.groups[0]["n_kept"] == n // 2


def test_a_probability_that_is_not_a_number_is_refused():
    scored = scored_of([0.9, float("nan"), 0.5])
    judged = judgements(np.ones(3, bool), 3, 0)
    single_group = groups_of(np.zeros(3), 1)
    with pytest.raises(InputError, match="not finite"):
        share_of_groups(request_of(scored, keep=0.5), single_group)
    with pytest.raises(InputError, match="not finite"):
        choose(request_of(scored, judged, precision=0.5))
