from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.intervals.judgements import Judgements
from curation.selection.choose import choose
from curation.selection.floors import LEAST
from labeling.checks import check
from labeling.errors import ConfigError, InputError, QualityError
from labeling.keys.ids import digest
from labeling.schemas import SCORED, SELECTED
from tests.curation.selection.requests import request_of

N = 30_000


def scored_of(p, label):
    columns = {
        "image_id": [digest(str(i)) for i in range(len(p))],
        "label_id": [f"l{x}" for x in label],
        "p_correct": np.asarray(p, np.float32),
    }
    return pa.table(columns, schema=SCORED.arrow)


def select_with_floor(request, floor):
    return choose(replace(request, floor=floor))


def kept_of(selection):
    return np.asarray(selection.table["kept"], bool)


# Few distinct values, so that ties in a floor and at the threshold are the rule.
ROWS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.integers(0, 5)), max_size=50
)


@given(ROWS, st.floats(0.001, 1), st.integers(1, 12))
def test_the_share_is_exact_and_a_floor_takes_a_tenth_of_it_at_most(rows, share, floor):
    p, label = np.array([p for p, _ in rows]), np.array([x for _, x in rows], int)
    scored = scored_of(p, label)
    selection = select_with_floor(request_of(scored, keep=share), floor)
    check(selection.table, SELECTED)
    kept, n_kept = kept_of(selection), round(share * len(rows))
    assert kept.sum() == selection.n_kept == n_kept
    held, n_first = selection.facts["floor_held"], int(0.9 * n_kept)
    for x in np.unique(label):
        mine = label == x
        assert (kept & mine).sum() >= min(held, np.sum(mine & (p >= LEAST)))
        if (kept & mine).any():
            assert p[mine & ~kept].max(initial=0) <= p[kept & mine].min()
    best_dropped = p[~kept].max(initial=-1)
    assert selection.facts["n_by_floor"] == np.sum(p[kept] < best_dropped) <= n_kept - n_first
    assert selection.threshold == min(p[kept & (p >= best_dropped)], default=None)


@given(ROWS, st.floats(0.001, 1), st.integers(1, 5), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows, share, floor, random):
    scored = scored_of([p for p, _ in rows], [x for _, x in rows])
    order = random.sample(range(len(rows)), len(rows))
    mixed = scored.take(pa.array(order, pa.int64()))
    kept = kept_of(select_with_floor(request_of(scored, keep=share), floor))
    kept_of_mixed = kept_of(select_with_floor(request_of(mixed, keep=share), floor))
    assert np.array_equal(kept[np.array(order, int)], kept_of_mixed)


def test_a_share_without_room_for_a_floor_is_as_without():
    rng = np.random.default_rng(0)
    scored = scored_of(rng.random(300), np.arange(300))
    selection = select_with_floor(request_of(scored, keep=0.2), 3)
    assert selection.facts == {"floor_held": 0, "n_by_floor": 0}
    assert selection.table.equals(choose(request_of(scored, keep=0.2)).table)


class World:
    """Candidates of a few frequent labels and many rare ones, whose scores promise too much."""

    rng = np.random.default_rng(0)
    label = np.minimum(rng.zipf(1.5, N), 300)
    rare = label > 20
    p = rng.random(N).astype(np.float32)
    correct = rng.random(N) < np.where(rare, 0.9, 1) * np.sqrt(p)
    scored = scored_of(p, label)


def judgements(correct, n, seed, stratum=None):
    row = np.random.default_rng(seed).choice(len(correct), n, replace=False)
    return Judgements(row, correct[row], np.full(n, n / max(len(correct), 1)), stratum)


def test_the_precision_is_held_with_the_floor_in_nearly_all_draws():
    n_broken, floors = 0, []
    for seed in range(60):
        judged = judgements(World.correct, 1000, seed)
        selection = select_with_floor(request_of(World.scored, judged, precision=0.84), 8)
        n_broken += World.correct[kept_of(selection)].mean() < 0.84
        floors.append(selection.facts["floor_held"])
    assert n_broken <= 7
    assert np.mean(np.array(floors) == 8) > 0.5


def test_every_label_keeps_its_best_and_the_threshold_decides_the_rest():
    stratum = (World.p * 4).astype(np.int8)
    judged = judgements(World.correct, 2000, 1, stratum)
    selection = select_with_floor(request_of(World.scored, judged, precision=0.88), 8)
    kept, threshold = kept_of(selection), selection.threshold
    assert selection.facts["floor_held"] == 8
    size = np.bincount(World.label[World.p >= LEAST], minlength=World.label.max() + 1)
    assert np.all(np.bincount(World.label[kept], minlength=len(size)) >= np.minimum(size, 8))
    assert selection.facts["n_by_floor"] == np.sum(kept & (World.p < threshold)) > 50
    assert kept[World.p >= threshold].all()
    assert World.p[kept].min() >= LEAST
    reason = np.array(selection.table["reason"].to_pylist())
    assert np.array_equal(reason == "kept", kept)


@pytest.mark.parametrize("n_audits", [1000, 2000])
def test_a_floor_that_cannot_be_proved_costs_little(n_audits):
    """Rare labels are wrong, and their scores do not show it: more than enough to end a proof."""
    rng = np.random.default_rng(3)
    label = np.where(rng.random(N) < 0.2, rng.integers(1, 300, N), 0)
    correct = (rng.random(N) < np.sqrt(World.p)) & ((label == 0) | (World.p > 0.9))
    scored = scored_of(World.p, label)
    n_kept = np.zeros(2)
    for seed in range(8):
        judged = judgements(correct, n_audits, seed)
        for i, floor in enumerate((0, 20)):
            selection = select_with_floor(request_of(scored, judged, precision=0.78), floor)
            n_kept[i] += selection.n_kept
        assert selection.facts["floor_held"] < 20
    assert n_kept[1] >= 0.9 * n_kept[0]


def test_without_rare_labels_a_floor_changes_nothing():
    scored = scored_of(World.p, np.zeros(N, int))
    judged = judgements(World.correct, 1000, 0)
    selection = select_with_floor(request_of(scored, judged, precision=0.78), 1)
    plain = choose(request_of(scored, judged, precision=0.78))
    assert selection.facts == {"floor_held": 1, "n_by_floor": 0}
    assert plain.facts == {}
    assert selection.table.equals(plain.table)


def test_no_floor_is_paid_for_where_no_candidate_is_expected_to_be_precise():
    p = np.linspace(0, 0.6, 2000)
    scored = scored_of(p, np.arange(2000) % 200)
    judged = judgements(np.random.default_rng(0).random(2000) < 0.8, 500, 0)
    plain = choose(request_of(scored, judged, precision=0.65))
    assert kept_of(select_with_floor(request_of(scored, judged, precision=0.65), 5)).tolist() == (
        kept_of(plain).tolist()
    )


def test_a_target_out_of_reach_names_the_best_within_reach():
    judged = judgements(World.correct, 1000, 0)
    with pytest.raises(QualityError, match="cannot be proved") as caught:
        select_with_floor(request_of(World.scored, judged, precision=0.995), 20)
    assert 0.8 < float(str(caught.value.facts["best that can be proved"])) < 0.995
    assert caught.value.facts["confidence"] == 0.95
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("wrong", [0.0, float("nan"), 1.5])
def test_a_target_or_a_share_that_cannot_be_is_refused(wrong):
    judged = judgements(World.correct, 100, 0)
    with pytest.raises(ConfigError):
        select_with_floor(request_of(World.scored, judged, precision=wrong), 20)
    with pytest.raises(InputError, match="share"):
        select_with_floor(request_of(World.scored, keep=wrong), 20)


@pytest.mark.parametrize("right", [0.97, 0.6])
def test_equal_probabilities_are_kept_or_dropped_together_beside_the_floor(right):
    p = np.full(20_000, 0.5)
    correct = np.random.default_rng(2).random(len(p)) < right
    scored, label = scored_of(p, np.arange(len(p)) % 10), np.arange(len(p)) % 10
    judged = judgements(correct, 1000, 0)
    if right > 0.9:
        selection = select_with_floor(request_of(scored, judged, precision=0.9), 5)
        assert kept_of(selection).all()
        assert selection.facts == {"floor_held": 5, "n_by_floor": 0}
        assert selection.threshold == 0.5
    else:
        with pytest.raises(QualityError):
            select_with_floor(request_of(scored, judged, precision=0.9), 5)
    selection = select_with_floor(request_of(scored, keep=500 / len(p)), 5)
    assert np.bincount(label[kept_of(selection)]).min() >= 5


def test_all_right_audits_hold_any_floor():
    judged = judgements(np.ones(N, bool), 300, 0)
    selection = select_with_floor(request_of(World.scored, judged, precision=0.9), 10**6)
    assert (selection.facts["floor_held"], selection.n_kept) == (10**6, N)


@pytest.mark.parametrize(("n", "n_audits"), [(0, 0), (50, 0), (50, 3)])
def test_without_candidates_or_audits_nothing_is_proved(n, n_audits):
    scored = scored_of(np.full(n, 0.9), np.zeros(n, int))
    judged = judgements(np.ones(n, bool), n_audits, 0)
    with pytest.raises(QualityError, match="cannot be proved"):
        select_with_floor(request_of(scored, judged, precision=0.8), 5)
    selection = select_with_floor(request_of(scored, keep=0.5), 5)
    assert (selection.facts["floor_held"], selection.n_kept) == (5, n // 2)


def test_a_probability_that_is_not_a_number_is_refused_even_where_a_floor_would_keep_it():
    scored = scored_of([0.9, float("nan"), 0.5], [0, 1, 2])
    judged = judgements(np.ones(3, bool), 3, 0)
    with pytest.raises(InputError, match="not finite"):
        select_with_floor(request_of(scored, keep=0.5), 1)
    with pytest.raises(InputError, match="not finite"):
        select_with_floor(request_of(scored, judged, precision=0.5), 1)


def test_the_best_that_can_be_proved_is_that_of_the_most_probable_whatever_is_asked():
    rng = np.random.default_rng(0)
    p = np.sort(rng.random(3000))[::-1]
    label = rng.integers(0, 60, 3000)
    row = np.sort(rng.choice(3000, 400, replace=False))
    judged = Judgements(row, rng.random(400) < p[row], np.full(400, 400 / 3000))
    best = set()
    for floor, target in ((0, 0.99), (0, 0.999), (20, 0.99), (20, 0.999)):
        request = request_of(scored_of(p, label), judged, precision=target)
        with pytest.raises(QualityError) as error:
            select_with_floor(request, floor)
        best.add(error.value.facts["best that can be proved"])
    assert len(best) == 1
