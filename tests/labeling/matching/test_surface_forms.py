from __future__ import annotations

import numpy as np
import pytest

from labeling.matching.matcher import compile_matcher, find
from labeling.matching.surface_forms import INFLECTED, MODIFIER, NameStatistics, surface_forms
from labeling.taxonomy.taxonomy import Label, Taxonomy, build_taxonomy


def tree(names: dict[str, str], parents: dict[str, str]) -> Taxonomy:
    """Labels with one name each, or none, and one parent each, or none."""
    labels = [
        Label(
            label_id,
            ((names[label_id], "en"),) if label_id in names else (),
            (parents[label_id],) if label_id in parents else (),
            None,
            1,
        )
        for label_id in sorted({*names, *parents, *parents.values()})
    ]
    return build_taxonomy(labels, "test")


COLOURS = {"red": "red", "blue": "blue", "navy": "navy blue", "black": "black"}
CLOTHES = {"jeans": "jeans", "glasses": "sunglasses", "shorts": "shorts", "tops": "tops"}
SHOP = tree(
    COLOURS | CLOTHES | {"men": "men"},
    dict.fromkeys(COLOURS, "colour") | {"navy": "blue"} | dict.fromkeys(CLOTHES, "clothes"),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Red Tape Men Brown Shoes", {"red": 1, "men": 1}),
        ("Red Tape Men Black Jeans", {"red": MODIFIER, "men": 1, "black": 1, "jeans": 1}),
        ("Pepe Jeans Men Sunglasses", {"jeans": MODIFIER, "men": 1, "glasses": 1}),
        ("Pepe jeans, sunglasses", {"jeans": 1, "glasses": 1}),
        ("jeans and sunglasses", {"jeans": 1, "glasses": 1}),
        ("jeans / sunglasses", {"jeans": 1, "glasses": 1}),
        ("short tops", {"tops": 1}),
        ("sunglass tops", {"glasses": INFLECTED * MODIFIER, "tops": 1}),
        ("navy blue, blue navy", {"navy": 1, "blue": 1}),
        ("blue navy blue jeans", {"blue": 1, "navy": 1, "jeans": 1}),
        ("red red jeans", {"red": 1, "jeans": 1}),
    ],
)
def test_the_last_of_the_alternatives_in_a_phrase_is_its_head(
    text: str, expected: dict[str, float]
) -> None:
    strength_of: dict[str, float] = {}
    for code, strength, _ in find(compile_matcher(SHOP), text):
        label = SHOP.label_ids[code]
        strength_of[label] = max(strength, strength_of.get(label, 0))
    assert strength_of == pytest.approx(expected)


def test_a_modifier_may_be_several_mentions_before_its_head() -> None:
    matcher = compile_matcher(SHOP)
    strengths = [s for _, s, _ in find(matcher, "jeans red men black sunglasses")]
    assert strengths == [MODIFIER, MODIFIER, 1, 1, 1]


def test_stop_names_name_nothing_and_fixed_phrases_half() -> None:
    statistics = NameStatistics(stop=(("men",),), phrases={("red", "tape"): ("red",)})
    matcher = compile_matcher(SHOP, statistics)
    mentions = [(SHOP.label_ids[c], s) for c, s, _ in find(matcher, "red tape men, red")]
    assert mentions == [("red", MODIFIER), ("red", 1.0)]


def test_a_longer_name_is_not_hidden_by_a_fixed_phrase() -> None:
    statistics = NameStatistics(phrases={("navy", "blue"): ("navy",), ("blue", "jeans"): ("blue",)})
    matcher = compile_matcher(SHOP, statistics)
    assert [SHOP.label_ids[c] for c, _, _ in find(matcher, "navy blue")] == ["navy"]


def test_a_shared_name_is_divided_by_weight() -> None:
    senses = tree({"bird": "crane", "machine": "crane"}, {})
    statistics = NameStatistics(weight=np.array([3.0, 1.0]))
    assert surface_forms(senses, statistics)[("crane",)].strengths == (0.75, 0.25)


def test_a_name_of_a_label_is_a_name_of_its_ancestors() -> None:
    watches = tree({"watch": "watches", "watches": "watches"}, {"watch": "watches"})
    assert surface_forms(watches)[("watches",)].strengths == (0.5, 1.0)
