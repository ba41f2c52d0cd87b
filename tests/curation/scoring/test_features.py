from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from curation.scoring.features import GENERAL, N_FOLDS, features
from labeling.errors import InputError
from labeling.keys.ids import digest
from labeling.schemas import CANDIDATES
from labeling.taxonomy.taxonomy import Label, build_taxonomy
from tests.curation.worlds import make_world

TAXONOMY = build_taxonomy(
    [
        Label("animal", (), (), None, 1),
        Label("cat", (), ("animal",), None, 2),
        Label("dog", (), ("animal",), None, 3),
    ],
    "test",
)


def item(source, strength, n_pages, n_hosts):
    return {"source": source, "strength": strength, "n_pages": n_pages, "n_hosts": n_hosts}


def row(image, label, evidence, silent=(), ambiguity=1):
    return {
        "image_id": digest(image),
        "label_id": label,
        "evidence": evidence,
        "silent": list(silent),
        "ambiguity": ambiguity,
    }


CANDIDATES_OF_TWO_IMAGES = pa.Table.from_pylist(
    [
        row("one", "animal", [item("alt", 0.5, 1, 1)], ["title"]),
        row("one", "cat", [item("alt", 0.5, 3, 2), item("title", 0.5, 1, 1)], [], 4),
        row("one", "dog", [item("title", 0.25, 1, 1)], ["alt"]),
        row("two", "cat", [item("vote", 0.125, 7, 1)]),
    ],
    schema=CANDIDATES.arrow,
)


def test_features_of_a_source():
    table = features(CANDIDATES_OF_TWO_IMAGES, TAXONOMY)
    assert table.sources == ("alt", "title", "vote")
    assert table.column("alt.strength").tolist() == [0.5, 0.5, 0, 0]
    assert np.allclose(table.column("alt.log_pages"), np.log([2, 4, 1, 1]))
    assert np.allclose(table.column("alt.log_hosts"), np.log([2, 3, 1, 1]))
    assert table.column("alt.silent").tolist() == [0, 0, 1, 0]
    assert table.voted[:, 1].tolist() == [False, True, True, False]
    assert table.silent[:, 1].tolist() == [True, False, False, False]


def test_general_features():
    table = features(CANDIDATES_OF_TWO_IMAGES, TAXONOMY)
    expected = {
        "n_votes": [1, 2, 1, 1],
        "vote_share": [0.5, 1, 0.5, 1],
        "noisy_or": [0.5, 0.75, 0.25, 0.125],
        "log_ambiguity": np.log([1, 4, 1, 1]),
        "level": [0, 1, 1, 1],
        "log_label_count": np.log([2, 3, 2, 3]),
        "label_mean": [0.5, 0.4375, 0.25, 0.4375],
        "log_image_count": np.log([4, 4, 4, 2]),
        "rank_in_image": np.log([2, 1, 3, 1]),
        "ancestors_max": [0, 0.5, 0.5, 0],
        "descendants_max": [0.75, 0, 0, 0],
        "siblings_max": [0, 0.25, 0.75, 0],
        "leads_siblings": [1, 1, 0, 1],
    }
    assert table.names[-len(GENERAL) :] == GENERAL == tuple(expected)
    for name, values in expected.items():
        assert np.allclose(table.column(name), values), name


def test_sources_that_were_not_asked_for_are_left_out():
    table = features(CANDIDATES_OF_TWO_IMAGES, TAXONOMY, sources=["title", "click"])
    assert table.sources == ("click", "title")
    assert table.column("noisy_or").tolist() == [0, 0.5, 0.25, 0]
    assert not table.column("click.strength").any()


def test_values_are_finite_and_of_one_type():
    world = make_world(300)
    table = features(world.candidates, world.taxonomy)
    assert table.values.dtype == np.float32
    assert table.values.shape == (world.candidates.num_rows, len(table.names))
    assert np.isfinite(table.values).all()


def test_the_order_of_rows_does_not_matter():
    world = make_world(300)
    order = np.random.default_rng(0).permutation(world.candidates.num_rows)
    table = features(world.candidates, world.taxonomy)
    shuffled = features(world.candidates.take(order), world.taxonomy)
    assert np.allclose(shuffled.values, table.values[order], rtol=1e-6)
    for name in ("image", "label", "fold", "voted", "silent"):
        assert np.array_equal(getattr(shuffled, name), getattr(table, name)[order]), name


def test_chunks_do_not_matter():
    world = make_world(300)
    whole = world.candidates
    parts = pa.concat_tables([whole.slice(0, 7), whole.slice(7, 1000), whole.slice(1007)])
    values = features(parts, world.taxonomy).values
    assert np.array_equal(values, features(whole, world.taxonomy).values)


def test_an_image_is_whole_in_one_fold_and_folds_are_alike():
    world = make_world(3000)
    table = features(world.candidates, world.taxonomy)
    folds_of_image = np.unique(np.column_stack([table.image, table.fold]), axis=0)
    assert len(folds_of_image) == len(np.unique(table.image))
    share = np.bincount(table.fold, minlength=N_FOLDS) / len(table)
    assert np.all(np.abs(share - 0.1) < 0.02)


def test_no_candidates_give_no_features():
    table = features(CANDIDATES.empty(), TAXONOMY)
    assert table.values.shape == (0, len(GENERAL))


def test_an_unknown_label_is_refused():
    strange = pa.Table.from_pylist(
        [row("one", "unicorn", [item("alt", 0.5, 1, 1)])], schema=CANDIDATES.arrow
    )
    with pytest.raises(InputError, match="unicorn"):
        features(strange, TAXONOMY)


def test_another_table_is_refused():
    with pytest.raises(InputError, match="candidates"):
        features(CANDIDATES_OF_TWO_IMAGES.drop_columns(["silent"]), TAXONOMY)


def test_some_candidates_are_the_features_of_those():
    world = make_world(300)
    table = features(world.candidates, world.taxonomy)
    row = np.flatnonzero(table.image % 7 == 0)
    some = features(
        world.candidates.take(row), world.taxonomy, table.sources, table.label_statistics
    )
    taken = table.take(row)
    assert taken.pairs.equals(some.pairs)
    for name in ("values", "voted", "silent", "label", "fold"):
        assert np.array_equal(getattr(taken, name), getattr(some, name))
    values = np.random.default_rng(0).random(len(row))
    assert np.array_equal(
        taken.relatives.mean_siblings(values, 0.5), some.relatives.mean_siblings(values, 0.5)
    )
