from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from curation.intervals.judgements import Judgements
from curation.selection.choose import choose_in_groups
from curation.selection.floors import LEAST
from curation.selection.groups import Partition
from labeling.keys.ids import digest
from labeling.schemas import SCORED
from tests.curation.selection.requests import request_of

N = 12_000


class World:
    """Two groups; each has frequent labels and rare ones, whose candidates are less probable."""

    rng = np.random.default_rng(0)
    code = rng.choice(2, N, p=[0.6, 0.4])
    label = np.minimum(rng.zipf(1.6, N), 60) + 100 * code
    rare = label % 100 > 10
    p = (rng.random(N) ** np.where(rare, 2, 1)).astype(np.float32)
    correct = rng.random(N) < np.sqrt(p)
    scored = pa.table(
        {
            "image_id": [digest(str(i)) for i in range(N)],
            "label_id": [f"l{x}" for x in label],
            "p_correct": p,
        },
        schema=SCORED.arrow,
    )
    groups = Partition(code, ("one", "two"))
    row = rng.choice(N, 2000, replace=False)
    judged = Judgements(row, correct[row], np.full(2000, 2000 / N))


def kept_of_labels(selection):
    """Return the number kept, and of candidates that a floor may keep, of each label."""
    size = np.bincount(World.label[World.p >= LEAST], minlength=World.label.max() + 1)
    kept = np.asarray(selection.table["kept"], bool)
    return np.bincount(World.label[kept], minlength=len(size)), size


@pytest.mark.parametrize("precision", [None, 0.8])
def test_groups_keep_the_best_of_each_label_first(precision):
    settings = {"keep": 0.3, "precision": precision, "by": "label"}
    request = request_of(World.scored, World.judged, floor=4, **settings)
    selection = choose_in_groups(request, World.groups)
    kept, size = kept_of_labels(selection)
    held = selection.facts["floor_held"]
    assert held == 4 if precision is None else held >= 1
    assert np.all(kept >= np.minimum(size, held))
    plain = choose_in_groups(
        request_of(World.scored, World.judged, floor=0, **settings), World.groups
    )
    assert np.any(kept_of_labels(plain)[0] < np.minimum(size, held))
    assert selection.facts["by"] == plain.facts["by"] == "label"
    if precision is None:
        assert [row["n_kept"] for row in selection.groups] == [
            row["n_kept"] for row in plain.groups
        ]
    for row, code in zip(selection.groups, range(2), strict=True):
        inside = World.code == code
        others = (World.p >= row["threshold"]) & inside
        assert np.asarray(selection.table["kept"], bool)[others].all()


def test_the_precision_is_held_in_all_groups_with_the_floor():
    n_broken = 0
    for seed in range(40):
        row = np.random.default_rng(seed).choice(N, 1500, replace=False)
        judged = Judgements(row, World.correct[row], np.full(1500, 1500 / N))
        request = request_of(World.scored, judged, precision=0.8, floor=10, by="label")
        kept = np.asarray(choose_in_groups(request, World.groups).table["kept"], bool)
        n_broken += min(World.correct[kept & (World.code == i)].mean() for i in range(2)) < 0.8
    assert n_broken <= 5
