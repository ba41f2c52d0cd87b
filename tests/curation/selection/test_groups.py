from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.selection.groups import (
    MIN_OF_GROUP,
    Partition,
    by_label,
    by_level,
    by_sources,
    find_groups,
)
from labeling.schemas import CANDIDATES
from labeling.taxonomy.taxonomy import Label, build_taxonomy
from tests.curation.worlds import make_taxonomy

SIZES = st.lists(st.integers(0, 2 * MIN_OF_GROUP), min_size=1, max_size=8)


def chain_of(sizes):
    """Return parts of these sizes, and the same parts two by two."""
    code = np.repeat(np.arange(len(sizes)), sizes)
    names = tuple(f"part {i}" for i in range(len(sizes)))
    return [Partition(code, names), Partition(code // 2, tuple(f"pair of {n}" for n in names))]


@settings(max_examples=40)
@given(SIZES, st.integers(1, 4), st.randoms(use_true_random=False))
def test_every_candidate_is_in_one_group_and_every_group_has_audits_enough(sizes, nth, random):
    chain = chain_of(sizes)
    n = len(chain[0].code)
    audited = np.arange(n)[::nth]
    groups = find_groups(chain, audited)
    assert len(groups.code) == n
    n_audits = np.bincount(groups.code[audited], minlength=len(groups.names))
    assert groups.code.min(initial=0) == 0
    if len(groups.names) > 1:
        assert n_audits.min() >= MIN_OF_GROUP
    elif len(audited) < MIN_OF_GROUP:
        assert groups.names == ("all",)
    for position, name in enumerate(chain[0].names):
        rows = chain[0].code == position
        assert len(np.unique(groups.code[rows])) <= 1
        if rows[audited].sum() >= MIN_OF_GROUP:
            assert groups.names[groups.code[rows][0]] in (name, f"{name} and the rest")

    order = np.array(random.sample(range(n), n), np.int64)
    mixed = [Partition(part.code[order], part.names) for part in chain]
    again = find_groups(mixed, np.flatnonzero(np.isin(order, audited)))
    assert again.names == groups.names
    assert np.array_equal(again.code, groups.code[order])


def test_few_audits_go_from_the_label_to_its_parent_and_its_level():
    taxonomy = make_taxonomy(n_roots=2, n_middle=2, n_leaves=3)
    n_audits = {"r0_0_0": 120, "r0_0_1": 60, "r0_0_2": 55, "r1_0_0": 70, "r1_1_1": 40, "r0": 120}
    n_audits |= {"r1": 9, "r1_1": 3}
    label = np.repeat([taxonomy.code(x) for x in n_audits], [*n_audits.values()])
    groups = find_groups(by_label(label, taxonomy), np.arange(len(label)))
    group_of = dict(zip(taxonomy.ids_of(label).to_pylist(), groups.code.tolist(), strict=True))
    assert {name: groups.names[code] for name, code in group_of.items()} == {
        "r0_0_0": "r0_0_0",
        "r0_0_1": "kinds of r0_0",
        "r0_0_2": "kinds of r0_0",
        "r1_0_0": "level 2 and the rest",
        "r1_1_1": "level 2 and the rest",
        "r0": "root 0",
        "r1": "level 2 and the rest",
        "r1_1": "level 2 and the rest",
    }


def test_a_rest_with_audits_enough_is_a_group():
    taxonomy = make_taxonomy(n_roots=1, n_middle=1, n_leaves=1)
    label = np.repeat([0, 1, 2], [150, 60, 60])
    groups = find_groups(by_level(label, taxonomy), np.arange(len(label)))
    assert groups.names == ("level 0", "the rest")
    assert groups.code.tolist() == [0] * 150 + [1] * 120


def test_a_label_with_two_parents_is_pooled_with_one_of_them():
    labels = [Label(x, (), (), None, 1) for x in ("bird", "pet")]
    labels.append(Label("parrot", (), ("pet", "bird"), None, 2))
    taxonomy = build_taxonomy(labels, "test")
    parents = by_label(np.array([taxonomy.code("parrot")]), taxonomy)[1]
    assert parents.names[parents.code[0]] == "kinds of bird"


def evidence_of(sets):
    item = {"strength": 0.5, "n_pages": 1, "n_hosts": 1}
    rows = [[{"source": name, **item} for name in names] for names in sets]
    return pa.chunked_array([pa.array(rows, CANDIDATES.arrow.field("evidence").type)])


SETS = [["title"], ["alt", "title"], ["alt"], ["alt", "title"], ["alt", "caption", "title"]]


@pytest.mark.parametrize("cut", [0, 1, 3, 5])
def test_voting_sources_form_patterns_whatever_the_parts(cut):
    whole = evidence_of(SETS)
    pattern, count = by_sources([whole.slice(0, cut), whole.slice(cut)])
    assert pattern.names == ("alt", "alt + caption + title", "alt + title", "title")
    assert [pattern.names[i] for i in pattern.code] == [" + ".join(names) for names in SETS]
    assert [count.names[i] for i in count.code] == [
        "1 source",
        "2 sources",
        "1 source",
        "2 sources",
        "3 sources",
    ]


@pytest.mark.parametrize("parts", [[], [evidence_of([])]])
def test_no_candidates_are_one_empty_group(parts):
    none = np.zeros(0, np.int64)
    for chain in (
        by_sources(parts),
        by_level(none, make_taxonomy()),
        by_label(none, make_taxonomy()),
    ):
        groups = find_groups(chain, none)
        assert (groups.names, len(groups.code)) == (("all",), 0)
