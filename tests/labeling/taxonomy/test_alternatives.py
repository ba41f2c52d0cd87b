from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labeling.taxonomy.alternatives import NEARLY_ALL, find_alternatives
from labeling.taxonomy.taxonomy import Label, Taxonomy, build_taxonomy

GRAPHS = st.lists(st.sets(st.integers(0, 11), max_size=3), min_size=1, max_size=12)


def graph(parents: list[set[int]]) -> Taxonomy:
    """Label n has those of its parents that are lower."""
    labels = [
        Label(f"{n:05}", (), tuple(f"{p:05}" for p in of_label if p < n), None, n)
        for n, of_label in enumerate(parents)
    ]
    return build_taxonomy(labels, "test")


@given(GRAPHS)
def test_related_is_that_of_the_ancestors(parents: list[set[int]]) -> None:
    taxonomy = graph(parents)
    n = len(taxonomy)
    a, b = np.divmod(np.arange(n * n), n)
    above = [{code, *taxonomy.ancestors[code]} for code in range(n)]
    expected = [x in above[y] or y in above[x] for x, y in zip(a, b, strict=True)]
    assert find_alternatives(taxonomy).are_related(a, b).tolist() == expected


@given(GRAPHS)
def test_alternatives_have_a_top_in_common_and_are_not_related(parents: list[set[int]]) -> None:
    taxonomy = graph(parents)
    n = len(taxonomy)
    alternatives = find_alternatives(taxonomy)
    a, b = np.divmod(np.arange(n * n), n)
    apart = alternatives.are_alternatives(a, b)
    assert not (apart & alternatives.are_related(a, b)).any()
    assert np.array_equal(apart.reshape(n, n), apart.reshape(n, n).T)
    tops = {code for code in range(n) if not taxonomy.parents[code]}
    sizes = {t: sum(t in (c, *taxonomy.ancestors[c]) for c in range(n)) for t in tops}
    if max(sizes.values()) <= NEARLY_ALL * n:
        above = [tops & {code, *taxonomy.ancestors[code]} for code in range(n)]
        expected = [bool(above[x] & above[y]) for x, y in zip(a, b, strict=True)]
        assert np.array_equal(apart, np.array(expected) & ~alternatives.are_related(a, b))


def test_a_label_above_nearly_all_others_forms_no_group() -> None:
    parents = [set(), {0}, {0}] + [{1}] * 9 + [{2}] * 9
    alternatives = find_alternatives(graph(parents))
    first, second = np.array([3]), np.array([13])
    assert not alternatives.are_alternatives(first, second).any()
    assert alternatives.are_alternatives(first, first + 1).all()


@given(GRAPHS)
def test_below_sums_what_is_below(parents: list[set[int]]) -> None:
    taxonomy = graph(parents)
    values = np.arange(1.0, len(taxonomy) + 1)
    expected = values.copy()
    for code, above in enumerate(taxonomy.ancestors):
        expected[list(above)] += values[code]
    assert np.allclose(find_alternatives(taxonomy).sum_below(values), expected)


@given(GRAPHS)
def test_alternatives_are_summed_once_for_each_group_in_common(parents: list[set[int]]) -> None:
    alternatives = find_alternatives(graph(parents))
    n = alternatives.n
    a, b = np.divmod(np.arange(n * n), n)
    of_label = [
        set(alternatives.groups[alternatives.first[c] : alternatives.first[c + 1]].tolist())
        for c in range(n)
    ]
    if all(len(some) == 1 for some in of_label):
        values = np.arange(1.0, n + 1)
        expected = (alternatives.are_alternatives(a, b) * values[b]).reshape(n, n).sum(axis=1)
        assert np.allclose(alternatives.sum_alternatives(values), expected)


def test_a_long_chain_of_labels_is_grouped() -> None:
    chain = graph([set(), *({n - 1} for n in range(1, 20_000))])
    alternatives = find_alternatives(chain)
    assert alternatives.are_related(np.array([5, 5]), np.array([6, 15_000])).tolist() == [
        True,
        False,
    ]
