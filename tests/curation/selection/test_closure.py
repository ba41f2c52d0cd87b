from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.selection import closure
from curation.selection.choose import choose
from curation.selection.closure import flag_implied
from labeling.checks import check
from labeling.keys.ids import digest
from labeling.schemas import SCORED, SELECTED
from tests.curation.selection.requests import request_of
from tests.curation.worlds import make_taxonomy

TAXONOMY = make_taxonomy(n_roots=2, n_middle=1, n_leaves=2)
PAIRS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(TAXONOMY.label_ids), st.floats(0, 1, width=32)),
    unique_by=lambda pair: pair[:2],
    max_size=24,
)


def scored_of(pairs):
    columns = {
        "image_id": [digest(str(image)) for image, _, _ in pairs],
        "label_id": [label for _, label, _ in pairs],
        "p_correct": [p for _, _, p in pairs],
    }
    return pa.table(columns, schema=SCORED.arrow)


def is_above(upper, lower):
    return TAXONOMY.code(upper) in TAXONOMY.ancestors[TAXONOMY.code(lower)]


@given(PAIRS, st.floats(0.1, 1), st.integers(1, 8))
def test_what_a_kept_label_implies_is_flagged_and_nothing_else(pairs, share, n_at_once):
    scored = scored_of(pairs)
    chosen = choose(request_of(scored, keep=share, per_image=2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closure, "N_AT_ONCE", n_at_once)
        flagged = flag_implied(chosen, TAXONOMY)
    check(flagged.table, SELECTED)
    assert flagged.table.drop("reason").equals(chosen.table.drop("reason"))
    rows = flagged.table.to_pylist()
    for before, row in zip(chosen.table.to_pylist(), rows, strict=True):
        below = any(
            lower["kept"]
            and lower["image_id"] == row["image_id"]
            and is_above(row["label_id"], lower["label_id"])
            for lower in rows
        )
        expected = "implied" if below and not row["kept"] else before["reason"]
        assert row["reason"] == expected


def test_an_image_of_another_page_implies_nothing():
    pairs = [(0, "r0_0_0", 0.9), (0, "r0", 0.1), (1, "r0", 0.1), (0, "r1", 0.1), (0, "r0_0", 0.8)]
    reasons = flag_implied(choose(request_of(scored_of(pairs), keep=0.2)), TAXONOMY).table["reason"]
    assert reasons.to_pylist() == [
        "kept",
        "implied",
        "below_threshold",
        "below_threshold",
        "implied",
    ]


@pytest.mark.parametrize("n_at_once", [1, 7, 1000])
def test_parts_hold_every_row_once_and_cut_no_image(n_at_once):
    image = np.random.default_rng(0).integers(0, 40, 200)
    parts = list(closure._whole_images(image, n_at_once))
    assert sorted(np.concatenate(parts)) == list(range(200))
    assert sum(len(np.unique(image[part])) for part in parts) == len(np.unique(image))
