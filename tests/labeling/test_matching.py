from __future__ import annotations

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.matching import INFLECTED, Matcher, compile_matcher, find, match_texts, normalise
from labeling.taxonomy import Label, Taxonomy, build_taxonomy


def taxonomy(**names: list[str]) -> Taxonomy:
    labels = [
        Label(label_id, tuple((name, "en") for name in given), (), None, line)
        for line, (label_id, given) in enumerate(names.items(), 1)
    ]
    return build_taxonomy(labels, "test")


def found(text: str, **names: list[str]) -> list[str]:
    labels = taxonomy(**names)
    return [labels.label_ids[code] for code, _, _ in find(compile_matcher(labels), text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a navy blue shirt", ["navy"]),
        ("NAVY-BLUE shirts", ["navy"]),
        ("blue navy", ["blue"]),
        ("bluebell", []),
        ("the blues", ["blue"]),
        ("Blue's clues", ["blue"]),
        ("ＢＬＵＥ", ["blue"]),
        ("bl\u200bue", ["blue"]),
        ("", []),
        ("blue, navy blue; blue", ["blue", "navy", "blue"]),
    ],
)
def test_longest_whole_words_win(text: str, expected: list[str]) -> None:
    assert found(text, blue=["blue"], navy=["navy blue"]) == expected


@pytest.mark.parametrize("text", ["T-Shirt", "t shirt", "tshirts", "Tshirt"])
def test_hyphenated_names_match_however_they_are_written(text: str) -> None:
    assert found(text, tee=["T-shirt"]) == ["tee"]


def test_hyphenated_text_matches_a_joined_name() -> None:
    assert found("White T-Shirt", tee=["Tshirts"]) == ["tee"]


def test_names_with_slashes_and_dots_match_by_their_words() -> None:
    assert found("an old T.V./screen here", tv=["T.V./screen"]) == ["tv"]


def test_an_exact_match_is_stronger_than_an_inflected_one() -> None:
    matcher = compile_matcher(taxonomy(shorts=["shorts"]))
    assert [strength for _, strength, _ in find(matcher, "shorts")] == [1.0]
    assert [strength for _, strength, _ in find(matcher, "short")] == [INFLECTED]


def test_a_shared_name_is_divided_among_its_labels() -> None:
    matcher = compile_matcher(taxonomy(bird=["crane"], machine=["crane"]))
    assert list(find(matcher, "a crane")) == [(0, 0.5, 2), (1, 0.5, 2)]


def test_equal_names_of_one_label_are_one() -> None:
    labels = taxonomy(cafe=["Café", "cafe\u0301", "CAFÉ"])
    assert list(find(compile_matcher(labels), "café")) == [(0, 1.0, 1)]


def test_columns_match_as_their_texts_do(matcher: Matcher) -> None:
    texts = ["a cat", None, "two dogs and a cat", "", "a cat"]
    matches = match_texts(matcher, pa.array(texts))
    assert matches.row.tolist() == [0, 2, 2, 4]
    assert matches.label.tolist() == [0, 0, 1, 0]
    assert matches.strength.tolist() == pytest.approx([1.0, 1.0, INFLECTED, 1.0])


@given(st.lists(st.one_of(st.none(), st.text(alphabet="catdogs -", max_size=12)), max_size=20))
def test_rows_do_not_influence_each_other(texts: list[str | None]) -> None:
    labels = compile_matcher(taxonomy(cat=["cat"], dog=["dog"]))
    together = match_texts(labels, pa.array(texts, pa.string()))
    for row, text in enumerate(texts):
        alone = match_texts(labels, pa.array([text], pa.string()))
        assert together.label[together.row == row].tolist() == alone.label.tolist()
        assert np.array_equal(together.strength[together.row == row], alone.strength)


@given(st.text(max_size=200))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert not any(unicodedata.category(c) == "Cf" for c in once)


@pytest.fixture
def matcher() -> Matcher:
    return compile_matcher(taxonomy(cat=["cat"], dog=["dog"]))
