from __future__ import annotations

import pytest

from labeling.matching.matcher import Matcher, compile_matcher, find
from labeling.taxonomy.published import read_taxonomy
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.demo.shapes import SHAPES
from pipelines.demo.vocabulary import NAMES, PHRASES, TAXONOMY, THEMES, above

TEXTS = [*(text for texts in PHRASES.values() for text in texts), *THEMES]


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return read_taxonomy(TAXONOMY)


@pytest.fixture(scope="module")
def matcher(taxonomy: Taxonomy) -> Matcher:
    return compile_matcher(taxonomy)


def test_every_shape_is_a_label_without_children(taxonomy: Taxonomy) -> None:
    codes = [taxonomy.code(label_id) for label_id in SHAPES]
    assert not any(taxonomy.children[code] for code in codes)
    assert taxonomy.level.max() == 2


def test_above_agrees_with_the_taxonomy(taxonomy: Taxonomy) -> None:
    for code, label_id in enumerate(taxonomy.label_ids):
        expected = {taxonomy.label_ids[c] for c in (code, *taxonomy.ancestors[code])}
        assert set(above(label_id)) == expected


@pytest.mark.parametrize("phrase", TEXTS)
def test_a_phrase_names_no_label_by_itself(phrase: str, matcher: Matcher) -> None:
    assert list(find(matcher, phrase.replace("{}", ""))) == []


def test_every_name_leads_to_its_label(taxonomy: Taxonomy, matcher: Matcher) -> None:
    for label_id, names in NAMES.items():
        for name in names:
            assert taxonomy.code(label_id) in [code for code, _, _ in find(matcher, name)]


@pytest.mark.parametrize("name", ["apple", "bat", "orange", "star"])
def test_a_shared_name_leads_to_two_labels(name: str, matcher: Matcher) -> None:
    assert [ambiguity for _, _, ambiguity in find(matcher, name)] == [2, 2]


@pytest.mark.parametrize(("longer", "shorter"), [("orange juice", "orange"), ("sun hat", "sun")])
def test_a_longer_name_hides_the_one_inside(
    longer: str, shorter: str, taxonomy: Taxonomy, matcher: Matcher
) -> None:
    assert taxonomy.code(shorter) not in [code for code, _, _ in find(matcher, longer)]


def test_the_topics_of_themes_are_labels() -> None:
    for theme, topics in THEMES.items():
        assert set(topics) <= set(NAMES), theme
        assert set(topics) & set(SHAPES), theme
