from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.pairs import pair_keys
from curation.pairs.packed import join_packed, pack, spell
from curation.pairs.pair_keys import codes_of, find_pairs, image_codes, pair_hash
from curation.report.tuning import tuning
from curation.runs.table_files import write_packed
from curation.selection.choose import choose
from labeling.keys.ids import digest
from labeling.schemas import SCORED, SELECTED
from labeling.taxonomy.taxonomy import Label, build_taxonomy
from tests.curation.selection.requests import request_of

ROWS = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from("abc"), st.integers(0, 4)),
    unique_by=lambda row: row[:2],
    max_size=20,
)


def scored_of(rows: list[tuple[int, str, int]]) -> pa.Table:
    columns = {
        "image_id": [digest(str(image)) for image, _, _ in rows],
        "label_id": [label for _, label, _ in rows],
        "p_correct": [p / 4 for _, _, p in rows],
    }
    return pa.table(columns, schema=SCORED.arrow)


def in_parts(table: pa.Table, n: int = 3) -> pa.Table:
    """Return a table packed from parts, each with labels numbered by itself."""
    parts = (table.slice(start, n) for start in range(0, len(table), n))
    return join_packed(parts, SCORED, SCORED.arrow.names)


@given(ROWS, ROWS)
def test_packed_pairs_have_the_hashes_and_rows_of_spelled_ones(rows, others):
    spelled, other = scored_of(rows), scored_of(others)
    packed = in_parts(spelled)
    assert spell(packed).cast(SCORED.arrow).equals(spelled)
    assert pair_hash(packed).tolist() == pair_hash(spelled).tolist()
    expected = find_pairs(spelled, other).tolist()
    for pairs in (spelled, packed):
        for among in (other, pack(other)):
            assert find_pairs(pairs, among).tolist() == expected


@given(ROWS, st.booleans())
def test_codes_of_images_are_equal_where_images_are(rows, is_sorted):
    images = scored_of(sorted(rows) if is_sorted else rows)["image_id"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_keys, "N_AT_ONCE", 2)
        for column in (images, pack(pa.table({"image_id": images}))["image_id"]):
            code, known = image_codes(column), codes_of(images)
            pairs = {*zip(code.tolist(), known.tolist(), strict=True)}
            assert len(pairs) == len({*code.tolist()}) == len({*known.tolist()})


def test_a_text_of_another_form_is_not_among_packed_pairs():
    pairs = pa.table({"image_id": ["mine.jpg", digest("1")], "label_id": ["a", "a"]})
    assert find_pairs(pairs, in_parts(scored_of([(1, "a", 0), (2, "a", 0)]))).tolist() == [-1, 0]


@pytest.mark.parametrize("limits", [{}, {"floor": 2}, {"floor": 1, "per_image": 1}])
def test_a_selection_of_packed_scores_is_that_of_spelled_ones(limits):
    rng = np.random.default_rng(0)
    cells = rng.choice(300 * 3, 400, replace=False)
    rows = [(int(c) // 3, "abc"[c % 3], int(rng.integers(5))) for c in np.sort(cells)]
    spelled = request_of(scored_of(rows), keep=0.3, **limits)
    packed = replace(spelled, scored=in_parts(spelled.scored, 90))
    ours, expected = choose(packed), choose(spelled)
    assert spell(ours.table).cast(SELECTED.arrow).equals(expected.table)
    assert (ours.threshold, ours.facts) == (expected.threshold, expected.facts)
    taxonomy = build_taxonomy([Label(name, ((name, "en"),)) for name in "abc"])
    tables = (tuning(replace(each, taxonomy=lambda: taxonomy)) for each in (packed, spelled))
    assert next(tables) == next(tables)


@pytest.mark.parametrize("n", [0, 7])
def test_packed_rows_are_written_as_spelled_ones(tmp_path: Path, n: int) -> None:
    rows = scored_of([(i, "ab"[i % 2], i % 5) for i in range(n)])
    write_packed(in_parts(rows), tmp_path, SCORED)
    (path,) = tmp_path.iterdir()
    assert pq.read_table(path).equals(rows)
