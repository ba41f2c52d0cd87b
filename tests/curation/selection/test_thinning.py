from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from curation.audits.audits import sample
from curation.intervals.judgements import Judgements, precision_of
from curation.pairs.pair_keys import find_pairs
from curation.selection.choose import choose
from labeling.keys.ids import digest
from labeling.schemas import SCORED
from tests.curation.selection.requests import request_of

N, LIMIT = 20_000, 150


class World:
    """Candidates of labels of all sizes, more probably right than their scores are high."""

    rng = np.random.default_rng(0)
    label = np.minimum(rng.zipf(1.5, N), 99)
    p = rng.random(N).astype(np.float32)
    correct = rng.random(N) < np.sqrt(p)
    scored = pa.table(
        {
            "image_id": [digest(str(i)) for i in range(N)],
            "label_id": [f"l{x}" for x in label],
            "p_correct": p,
        },
        schema=SCORED.arrow,
    )


def kept_of(selection):
    return np.asarray(selection.table["kept"], bool)


def judgements(n, seed):
    row = np.random.default_rng(seed).choice(N, n, replace=False)
    return Judgements(row, World.correct[row], np.full(n, n / N))


def test_about_the_limit_is_kept_of_each_label_and_the_others_lose_nothing():
    before = kept_of(choose(request_of(World.scored, keep=0.4, floor=20)))
    selection = choose(request_of(World.scored, keep=0.4, floor=20, per_label=LIMIT))
    kept = kept_of(selection)
    assert not (kept & ~before).any()
    n_before, n_kept = np.bincount(World.label[before]), np.bincount(World.label[kept])
    assert np.array_equal(n_kept[n_before <= LIMIT], n_before[n_before <= LIMIT])
    over = n_before > LIMIT
    assert over.sum() > 5
    assert np.all(np.abs(n_kept[over] - LIMIT) < 4 * np.sqrt(LIMIT))
    reasons = Counter(selection.table["reason"].to_pylist())
    assert reasons["over_per_label"] == before.sum() - kept.sum()
    assert selection.facts["floor_held"] == 20


def test_what_is_left_out_is_as_probable_as_what_stays():
    settings = {"keep": 0.4, "floor": 0}
    before = kept_of(choose(request_of(World.scored, **settings)))
    kept = kept_of(choose(request_of(World.scored, per_label=LIMIT, **settings)))
    for label in range(1, 4):
        of_label = before & (World.label == label)
        assert abs(World.p[kept & of_label].mean() - World.p[of_label].mean()) < 0.04


def test_the_floor_stays_where_the_limit_is_lower():
    kept = kept_of(choose(request_of(World.scored, keep=0.4, floor=20, per_label=5)))
    assert set(np.bincount(World.label[kept])[1:30].tolist()) == {20}


def test_a_precision_is_held_by_what_stays():
    n_broken = 0
    for seed in range(40):
        request = request_of(World.scored, judgements(1500, seed), precision=0.8, per_label=LIMIT)
        selection = choose(request)
        kept = kept_of(selection)
        n_broken += World.correct[kept].mean() < 0.8
        assert 0.5 * LIMIT < np.bincount(World.label[kept])[1] < 2.5 * LIMIT
    assert n_broken <= 5


@pytest.mark.parametrize("seed", [0, 1])
def test_the_draw_is_not_that_of_the_audits(seed):
    """Audits are drawn by a hash of the pair too: with the same all audited pairs would stay."""
    audits = sample(World.scored, World.p.astype(np.float64), 1500, seed)
    row = find_pairs(audits, World.scored)
    judged = Judgements(row, World.correct[row], audits["p_inclusion"].to_numpy())
    kept = kept_of(choose(request_of(World.scored, judged, keep=0.4, per_label=LIMIT)))
    interval = precision_of(judged, kept, 0.999)
    assert interval.low < World.correct[kept].mean() < interval.high
    represented = np.sum(1 / judged.p_inclusion[kept[row]])
    assert abs(represented / kept.sum() - 1) < 0.25
