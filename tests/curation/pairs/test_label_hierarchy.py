from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curation.pairs.label_hierarchy import find_relatives
from labeling.taxonomy.taxonomy import Label, build_taxonomy
from tests.curation.worlds import make_taxonomy


def brute_force(image, label, values, related, combine, missing):
    """Combine the values of the candidates of the same image whose labels are related."""
    result = []
    for i in range(len(image)):
        same = [j for j in range(len(image)) if image[j] == image[i] and j != i]
        related_values = [values[j] for j in same if related(label[i], label[j])]
        result.append(combine(related_values) if related_values else missing)
    return np.array(result)


def test_relatives_agree_with_brute_force():
    taxonomy = make_taxonomy(n_roots=2, n_middle=2, n_leaves=3)
    rng = np.random.default_rng(0)
    n = len(taxonomy)
    pairs = rng.permutation(12 * n)[:120]
    image, label, values = pairs // n, (pairs % n).astype(np.int32), rng.random(120)
    relatives = find_relatives(image, label, taxonomy)

    def above(a, b):
        return b in taxonomy.ancestors[a]

    def below(a, b):
        return a in taxonomy.ancestors[b]

    def siblings(a, b):
        return taxonomy.parents[a] == taxonomy.parents[b]

    for computed, related, combine, missing in (
        (relatives.mean_above(values, 0.5), above, np.mean, 0.5),
        (relatives.mean_below(values, 0.5), below, np.mean, 0.5),
        (relatives.max_above(values), above, max, 0),
        (relatives.max_below(values), below, max, 0),
        (relatives.mean_siblings(values, 0.5), siblings, np.mean, 0.5),
        (relatives.max_siblings(values), siblings, max, 0),
    ):
        expected = brute_force(image, label, values, related, combine, missing)
        assert np.allclose(computed, expected)


@given(st.sets(st.integers(0, 3 * 21 - 1), min_size=1), st.integers(0, 99))
def test_closed_values_are_the_least_that_never_fall_towards_an_ancestor(pairs, seed):
    taxonomy = make_taxonomy(n_roots=1, n_middle=4, n_leaves=4)
    image, label = np.divmod(np.array(sorted(pairs)), len(taxonomy))
    relatives = find_relatives(image, label.astype(np.int32), taxonomy)
    values = np.random.default_rng(seed).random(len(label)).astype(np.float32)
    closed = relatives.closed(values)
    assert closed.dtype == np.float32
    assert np.all(closed[relatives.above] >= closed[relatives.below])

    def below(a, b):
        return a in taxonomy.ancestors[b]

    least = np.maximum(values, brute_force(image, label, values, below, max, 0))
    assert np.array_equal(closed, least)


def test_a_label_with_two_parents_has_the_siblings_of_both():
    labels = [
        Label("bird", (), (), None, 1),
        Label("pet", (), (), None, 2),
        Label("parrot", (), ("bird", "pet"), None, 3),
        Label("eagle", (), ("bird",), None, 4),
        Label("dog", (), ("pet",), None, 5),
    ]
    taxonomy = build_taxonomy(labels, "test")
    codes = np.array([taxonomy.code(x) for x in ("parrot", "eagle", "dog")], np.int32)
    relatives = find_relatives(np.zeros(3, np.int64), codes, taxonomy)
    values = np.array([0.1, 0.6, 0.8])
    assert np.allclose(relatives.mean_siblings(values, 0), [0.7, 0.1, 0.1])
    assert np.allclose(relatives.max_siblings(values), [0.8, 0.1, 0.1])


def test_the_largest_sibling_of_equal_leaders_is_the_other_leader():
    taxonomy = make_taxonomy(n_roots=3, n_middle=0, n_leaves=0)
    image, label = np.zeros(3, np.int64), np.arange(3, dtype=np.int32)
    relatives = find_relatives(image, label, taxonomy)
    assert relatives.max_siblings(np.array([0.9, 0.9, 0.2])).tolist() == [0.9, 0.9, 0.9]


def test_no_candidates_have_no_relatives():
    relatives = find_relatives(np.zeros(0, np.int64), np.zeros(0, np.int32), make_taxonomy())
    assert len(relatives.max_siblings(np.zeros(0))) == 0
    assert len(relatives.mean_above(np.zeros(0), 0.5)) == 0
