from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from labeling.checks import check
from labeling.evidence.added import (
    Votes,
    add_votes,
    find_votes,
    graded,
    strongest,
    without_sources,
)
from labeling.keys import ids
from labeling.schemas import CANDIDATES
from labeling.taxonomy.taxonomy import Label, build_taxonomy

TAXONOMY = build_taxonomy([Label(name, (), (), None, 1) for name in "abc"], "test")
IMAGES = [ids.digest(str(number)) for number in range(5)]
SOURCES = ("alt", "clip", "ocr", "title")

Vote = tuple[int, int, int, float]
"""Image, label and source by number, and strength."""

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), unique=True, max_size=12)
votes_given = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 1), st.floats(-9, 9, width=16)),
    max_size=20,
)


def candidates_of(given: list[tuple[int, int]]) -> pa.Table:
    item = {"strength": 0.5, "n_pages": 1, "n_hosts": 1}
    rows = [
        {
            "image_id": IMAGES[image],
            "label_id": "abc"[label],
            "evidence": [{"source": name, **item} for name in ("alt", "title")[: 1 + image % 2]],
            "silent": ["title"] if image % 2 == 0 and label else [],
            "ambiguity": 1 + label,
        }
        for image, label in given
    ]
    return pa.Table.from_pylist(rows, CANDIDATES.arrow)


def votes_of(given: list[Vote]) -> Votes:
    halves = ids.to_halves(pa.array([IMAGES[image] for image, *_ in given], pa.string()))
    return Votes(
        halves,
        np.array([label for _, label, *_ in given], np.int32),
        np.array([source for *_, source, _ in given], np.int32),
        np.array([strength for *_, strength in given], np.float32),
        ("clip", "ocr"),
    )


def merge(candidates: pa.Table, votes: Votes) -> pa.Table:
    votes = strongest(votes)
    row = find_votes(votes, candidates, TAXONOMY)
    grades = np.zeros(len(row), np.float32)
    grades[row >= 0] = graded(votes.take(row >= 0)).strength
    return add_votes(candidates, votes._replace(strength=grades), row)


@given(pairs, votes_given)
def test_every_vote_on_a_candidate_is_in_its_evidence_and_no_other(
    candidates: list[tuple[int, int]], votes: list[Vote]
) -> None:
    merged = merge(candidates_of(candidates), votes_of(votes))
    check(merged, CANDIDATES)
    for (image, label), row in zip(candidates, merged.to_pylist(), strict=True):
        named = [item["source"] for item in row["evidence"]]
        assert named == sorted(named) and row["silent"] == sorted(row["silent"])
        for source, name in enumerate(("clip", "ocr")):
            on_image = {v[1] for v in votes if v[0] == image and v[2] == source}
            assert (name in named) == (label in on_image)
            assert (name in row["silent"]) == (bool(on_image) and label not in on_image)


@given(pairs, votes_given)
def test_removed_sources_leave_the_candidates_as_they_were(
    candidates: list[tuple[int, int]], votes: list[Vote]
) -> None:
    before = candidates_of(candidates)
    assert without_sources(merge(before, votes_of(votes)), ["clip", "ocr"]).equals(before)


@given(votes_given)
def test_grades_depend_on_the_order_within_the_source_alone(votes: list[Vote]) -> None:
    given = votes_of(votes)
    cubes = given._replace(strength=(given.strength.astype(np.float64) ** 3).astype(np.float32))
    shifted = given.strength + np.where(given.source == 1, 64, 0).astype(np.float32)
    grades = graded(given).strength
    assert ((grades > 0) & (grades <= 1)).all()
    assert np.array_equal(graded(given._replace(strength=shifted)).strength, grades)
    for source in (0, 1):
        of = given.source == source
        order = np.argsort(given.strength[of], kind="stable")
        assert (np.diff(grades[of][order]) >= 0).all()
        distinct = len(np.unique(given.strength[of]))
        assert len(np.unique(grades[of])) == distinct
        if len(np.unique(cubes.strength[of])) == distinct:
            assert np.array_equal(graded(cubes).strength[of], grades[of])


def test_the_strongest_vote_of_a_source_on_a_pair_counts() -> None:
    votes = strongest(votes_of([(0, 0, 0, 1), (0, 0, 0, 3), (0, 0, 1, 2), (1, 0, 0, -1)]))
    assert sorted(votes.strength.tolist()) == [-1, 2, 3]
