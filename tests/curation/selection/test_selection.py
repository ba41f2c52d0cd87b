from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.selection.choose import choose
from curation.selection.selection import keep_rows, random_share
from labeling.checks import check
from labeling.errors import InputError
from labeling.keys.ids import digest
from labeling.schemas import SCORED, SELECTED
from tests.curation.selection.requests import request_of

# Few distinct values, so that ties at the threshold are the rule.
SCORES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), max_size=60)
SHARES = st.floats(0.001, 1)


def scored_of(p):
    columns = {
        "image_id": [digest(str(i)) for i in range(len(p))],
        "label_id": ["cat"] * len(p),
        "p_correct": p,
    }
    return pa.table(columns, schema=SCORED.arrow)


def select_share(scored, share=1 / 3, **limits):
    return choose(request_of(scored, keep=share, **limits))


def kept_images(selection):
    table = selection.table.filter(selection.table["kept"])
    return set(table["image_id"].to_pylist())


@given(SCORES, SHARES)
def test_exactly_the_share_is_kept(p, share):
    selection = select_share(scored_of(p), share)
    check(selection.table, SELECTED)
    kept = np.asarray(selection.table["kept"], bool)
    assert kept.sum() == selection.n_kept == round(share * len(p))
    reasons = np.array(selection.table["reason"].to_pylist(), dtype=object)
    assert np.array_equal(reasons == "kept", kept)
    assert set(reasons) <= {"kept", "below_threshold"}


@given(SCORES, SHARES)
def test_no_dropped_candidate_is_better_than_a_kept_one(p, share):
    selection = select_share(scored_of(p), share)
    kept, scores = np.asarray(selection.table["kept"], bool), np.array(p)
    if selection.threshold is None:
        assert not kept.any()
    else:
        assert scores[kept].min() == selection.threshold
        assert np.all(scores[~kept] <= selection.threshold)


@given(SCORES, SHARES, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(p, share, random):
    order = list(range(len(p)))
    random.shuffle(order)
    scored = scored_of(p)
    shuffled = scored.take(pa.array(order, pa.int64()))
    assert kept_images(select_share(scored, share)) == kept_images(select_share(shuffled, share))


@given(SCORES, SHARES, SHARES)
def test_a_larger_share_keeps_what_a_smaller_one_keeps(p, share, larger):
    small, large = sorted((share, larger))
    scored = scored_of(p)
    assert kept_images(select_share(scored, small)) <= kept_images(select_share(scored, large))
    assert kept_images(random_share(scored, small, 1)) <= kept_images(
        random_share(scored, large, 1)
    )


def test_ties_are_not_broken_by_the_order_of_ids():
    scored = scored_of([0.5] * 1000)
    kept = np.asarray(select_share(scored, 0.5).table["kept"], bool)
    rank = np.argsort(np.argsort(scored["image_id"].to_pylist()))
    assert abs(rank[kept].mean() - 499.5) < 40


def test_a_random_share_is_as_large_and_depends_on_the_seed():
    scored = scored_of(np.linspace(0, 1, 3000))
    share, larger = random_share(scored, 1 / 3, seed=1), random_share(scored, 1 / 3, seed=2)
    assert share.n_kept == larger.n_kept == 1000
    assert share.threshold is None
    assert kept_images(share) == kept_images(random_share(scored, 1 / 3, seed=1))
    assert abs(len(kept_images(share) & kept_images(larger)) - 333) < 60
    p = np.asarray(scored["p_correct"])[np.asarray(share.table["kept"], bool)]
    assert abs(p.mean() - 0.5) < 0.03


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan")])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(InputError, match="share"):
        select_share(scored_of([0.5]), share)


def test_a_probability_that_is_not_a_number_is_refused():
    with pytest.raises(InputError, match="not finite"):
        select_share(scored_of([0.5, float("nan")]))


def test_nothing_scored_keeps_nothing():
    selection = select_share(scored_of([]))
    assert (selection.n_kept, selection.threshold, selection.table.num_rows) == (0, None, 0)


PAIRS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from([0.1, 0.5, 0.9])),
    unique_by=lambda pair: pair[:2],
    max_size=36,
)


def grid_of(pairs):
    columns = {
        "image_id": [digest(str(image)) for image, _, _ in pairs],
        "label_id": [f"l{label}" for _, label, _ in pairs],
        "p_correct": [p for _, _, p in pairs],
    }
    return pa.table(columns, schema=SCORED.arrow)


def most_in_a_group(table, column):
    counts = table.group_by(column).aggregate([("kept", "sum")])["kept_sum"].to_pylist()
    return max(counts, default=0)


@given(PAIRS, st.integers(1, 3), st.floats(0, 1))
def test_no_image_is_kept_beyond_its_limit(pairs, per_image, threshold):
    scored = grid_of(pairs)
    excluded = request_of(scored, per_image=per_image).excluded
    above = np.asarray(scored["p_correct"]) >= threshold
    kept = keep_rows(scored, np.flatnonzero(above & (excluded == 0)), excluded).table
    check(kept, SELECTED)
    assert most_in_a_group(kept, "image_id") <= per_image


@given(PAIRS, st.integers(1, 3))
def test_a_limit_takes_the_least_probable_of_an_image(pairs, per_image):
    scored = grid_of(pairs)
    selection = select_share(scored, 1.0, per_image=per_image)
    rows = selection.table.to_pylist()
    for dropped in (row for row in rows if not row["kept"]):
        same = [r for r in rows if r["kept"] and r["image_id"] == dropped["image_id"]]
        assert dropped["reason"] == "over_per_image"
        assert len(same) == per_image
        assert all(row["p_correct"] >= dropped["p_correct"] for row in same)


def test_without_limits_nothing_is_excluded():
    assert not request_of(scored_of([0.1, 0.9])).excluded.any()
