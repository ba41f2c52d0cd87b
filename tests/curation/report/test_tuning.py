from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.intervals.judgements import Judgements, precision_of
from curation.report.tuning import FEW, STATIC, tuning
from curation.selection.choose import choose, choose_shares
from curation.selection.selection import Request
from labeling.keys.ids import digest
from labeling.schemas import SCORED
from labeling.taxonomy.taxonomy import Label, build_taxonomy
from tests.curation.selection.requests import request_of

N = 3000


class World:
    """Labels from frequent to rare; few values of the probability, so that ties are the rule."""

    rng = np.random.default_rng(0)
    label = np.minimum(rng.zipf(1.5, N), 40)
    p = np.round(rng.random(N), 2).astype(np.float32)
    correct = rng.random(N) < p
    columns = {
        "image_id": [digest(str(i // 2)) for i in range(N)],
        "label_id": [f"l{x}" for x in label],
        "p_correct": p,
    }
    scored = pa.table(columns, schema=SCORED.arrow)
    row = rng.choice(N, 600, replace=False)
    stratum = (p * 9.99).astype(np.int8)
    judged = Judgements(row, correct[row], np.full(600, 600 / N), stratum)


def world_request(**limits) -> Request:
    request = request_of(World.scored, World.judged, **limits)
    taxonomy = build_taxonomy([Label(f"l{x}", ((f"label {x}", "en"),)) for x in range(1, 41)])
    return replace(request, taxonomy=lambda: taxonomy)


LIMITS = st.fixed_dictionaries(
    {
        "by": st.sampled_from([None, "label"]),
        "floor": st.sampled_from([0, 1, 5, 30]),
        "per_image": st.sampled_from([None, 1]),
        "per_label": st.sampled_from([None, 40]),
        "precision": st.sampled_from([None, 0.9]),
    }
)


@settings(max_examples=25, deadline=None)
@given(LIMITS, st.lists(st.floats(0.001, 1), min_size=1, max_size=3))
def test_shares_keep_what_a_selection_of_each_keeps(limits, shares):
    request = world_request(**limits)
    shares, entered = sorted(shares), np.zeros(N, bool)
    for share, (best, threshold) in zip(shares, choose_shares(request, shares), strict=True):
        selection = choose(replace(request, keep=share, precision=None))
        kept = np.asarray(selection.table["kept"], bool)
        assert np.array_equal(best.kept, kept)
        assert threshold == selection.threshold
        assert not entered[best.entered].any()
        entered[best.entered] = True
        assert np.array_equal(np.sort(best.beside), np.flatnonzero(kept & ~entered))
        assert np.all(kept[entered])


@pytest.mark.parametrize("limits", [{}, {"floor": 5}, {"floor": 20, "by": "label"}])
def test_a_row_is_measured_as_a_selection_of_its_share(limits):
    table = tuning(world_request(keep=0.2718, confidence=0.9, **limits))
    for row in range(0, len(table["share"]), 40):
        selection = choose(world_request(keep=table["share"][row], **limits))
        kept = np.asarray(selection.table["kept"], bool)
        precision = precision_of(World.judged, kept, 0.9)
        assert table["n_kept"][row] == selection.n_kept
        for name in ("low", "high"):
            assert table[name][row] == pytest.approx(getattr(precision, name), abs=1e-6)
        assert table["precision"][row] == pytest.approx(precision.estimate, abs=1e-6)
        images = np.bincount(World.label[kept], minlength=41)[np.unique(World.label)]
        assert table["labels_few"][row] == np.sum(images < FEW)
        assert table["labels_lost"][row] == np.sum(images == 0)


def test_the_share_of_the_request_and_a_third_are_rows():
    table = tuning(world_request(keep=0.2718))
    assert {0.005, 0.2718, 0.333333, 1.0} <= set(table["share"])
    assert table["share"] == sorted(table["share"])
    assert (table["keep"], table["third"]) == (0.2718, 0.333333)
    assert {len(table[name]) for name in ("n_kept", "threshold", "low", "labels_few")} == {202}


def test_labels_with_few_images_are_named_the_largest_first():
    table = tuning(world_request(floor=5))
    sizes = np.bincount(World.label)
    named = [int(row["label_id"][1:]) for row in table["labels"]]
    assert sizes[named].tolist() == sorted(sizes[named], reverse=True)
    for row in (0, 60, 200):
        n_few = sum(label["n_rows"] > row for label in table["labels"])
        assert n_few == table["labels_few"][row]


def test_some_candidates_can_be_counted_alone():
    inside = World.label == 1
    table = tuning(world_request(), inside)
    assert (table["n_candidates"], table["n_labels"]) == (inside.sum(), 1)
    kept = next(choose_shares(world_request(), [0.5]))[0].kept
    row = table["share"].index(0.5)
    assert table["n_kept"][row] == np.sum(kept & inside)
    expected = precision_of(World.judged, kept & inside, 0.95)
    assert table["precision"][row] == pytest.approx(expected.estimate, abs=1e-6)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_candidates_make_few_rows(n):
    request = request_of(World.scored.slice(0, n))
    table = tuning(request)
    assert all(table["n_kept"])
    assert set(table["precision"]) <= {None}
    assert bool(table["share"]) == (n > 0)


def test_the_module_needs_no_other():
    text = (STATIC / "tuning.js").read_text("utf-8")
    assert "import " not in text.replace("important", "")
    assert "export function showTuning(" in text
