from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from curation.pairs.pair_keys import find_pairs, image_hash, pair_hash
from labeling.keys.ids import digest

PAIR = st.tuples(st.integers(0, 5), st.sampled_from(["a", "b", "c"]))


def table_of(pairs: list[tuple[int, str]]) -> pa.Table:
    return pa.table(
        {
            "image_id": pa.array([digest(str(image)) for image, _ in pairs], pa.string()),
            "label_id": pa.array([label for _, label in pairs], pa.string()),
        }
    )


@given(st.lists(PAIR), st.lists(PAIR, unique=True))
def test_find_pairs_agrees_with_a_dictionary(wanted, among):
    row_of = {pair: row for row, pair in enumerate(among)}
    rows = find_pairs(table_of(wanted), table_of(among))
    assert rows.tolist() == [row_of.get(pair, -1) for pair in wanted]


def test_find_pairs_takes_chunked_and_sliced_columns():
    among = table_of([(i, "a") for i in range(6)])
    chunked = pa.concat_tables([among.slice(0, 2), among.slice(2)])
    assert find_pairs(among.slice(3), chunked).tolist() == [3, 4, 5]


def test_pair_hash_depends_on_image_label_and_seed_only():
    pairs = table_of([(0, "a"), (0, "b"), (1, "a"), (1, "b")])
    hashes = pair_hash(pairs)
    assert len(set(hashes.tolist())) == 4
    assert pair_hash(pairs.take([2, 0])).tolist() == hashes[[2, 0]].tolist()
    assert not np.any(pair_hash(pairs, seed=1) == hashes)


def test_hashes_are_uniform():
    pairs = table_of([(i, label) for i in range(5000) for label in "ab"])
    for hashes in (pair_hash(pairs, seed=3), image_hash(pairs["image_id"], seed=3)):
        counts = np.bincount((hashes % np.uint64(10)).astype(int), minlength=10)
        assert np.all(np.abs(counts - 1000) < 150)


def test_seeds_may_be_negative_or_large():
    pairs = table_of([(0, "a")])
    assert len({int(pair_hash(pairs, seed)[0]) for seed in (-1, 0, 1, 2**63)}) == 4
