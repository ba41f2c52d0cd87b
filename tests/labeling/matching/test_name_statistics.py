from __future__ import annotations

from random import Random

import pyarrow as pa
import pytest

from labeling.matching.matcher import compile_matcher
from labeling.matching.name_statistics import (
    NameCounts,
    count_names,
    fit_statistics,
    from_tables,
    to_tables,
)
from labeling.matching.surface_forms import NameStatistics
from labeling.taxonomy.taxonomy import Label, Taxonomy, build_taxonomy

NAMES = {
    "black": ("colour", "black"),
    "blue": ("colour", "blue"),
    "red": ("colour", "red"),
    "colour": ("",),
    "boots": ("shoe", "boots"),
    "sandals": ("shoe", "sandals"),
    "shoe": ("", "shoe"),
    "keep": ("", "keep", "donjon"),
    "bird": ("", "animal"),
    "bird.crane": ("bird", "crane", "whooper"),
    "bird.heron": ("bird", "heron"),
    "machine": ("",),
    "machine.crane": ("machine", "crane", "derrick"),
    "machine.drill": ("machine", "drill"),
}
TAXONOMY = build_taxonomy(
    [
        Label(
            label_id.replace(".", "-"),
            tuple((name, "en") for name in names),
            (parent,) if parent else (),
            None,
            1,
        )
        for label_id, (parent, *names) in NAMES.items()
    ],
    "test",
)


def judged(texts: list[str], taxonomy: Taxonomy = TAXONOMY) -> NameStatistics:
    matcher = compile_matcher(taxonomy)
    return fit_statistics(count_names(pa.array(texts), matcher), matcher, taxonomy)


def titles(random: Random) -> list[str]:
    """Titles of a shop: brands, of which two are colours, colours and kinds of shoe."""
    texts = []
    for brand in ("Red Tape", "Black Coffee", "Acme", "Bolt"):
        for number in range(60):
            colour, shoe = (
                random.choice(["red", "blue", "black"]),
                random.choice(["boot", "sandal"]),
            )
            finish = random.choice(["melange", "matt", "polished"])
            texts.append(f"{brand} {colour} {finish} {shoe}s, model {number}")
    return texts


def test_a_word_that_only_one_of_the_alternatives_goes_before_makes_a_fixed_phrase() -> None:
    texts = titles(Random(0)) + [f"plain blue boots {number}" for number in range(900)]
    statistics = judged(texts).phrases
    assert statistics == {("black", "coffee"): ("black",), ("red", "tape"): ("red",)}


def test_a_stop_name_never_ends_a_phrase_and_has_other_names_that_are_not_used() -> None:
    calm = [f"keep calm and drill {n}" for n in range(50)]
    red = [f"red boots {n}" for n in range(50)]
    assert judged(calm + red).stop == (("keep",),)
    assert judged([*calm, *(f"the donjon {n}" for n in range(10))]).stop == ()
    assert judged([*calm, *(f"a keep, {n}" for n in range(10))]).stop == ()


def test_the_sense_whose_relatives_are_named_is_likelier() -> None:
    birds = [f"a heron {n}" for n in range(20)]
    weight = judged(birds).weight
    assert weight is not None
    crane, machine = TAXONOMY.codes(pa.array(["bird-crane", "machine-crane"]))
    assert weight[crane] > 3 * weight[machine]
    drills = judged([f"a drill {n}" for n in range(20)]).weight
    assert drills is not None
    assert drills[machine] > 3 * drills[crane]


@pytest.mark.parametrize("n_parts", [1, 3])
def test_counts_of_parts_add_up(n_parts: int) -> None:
    texts = titles(Random(1))
    matcher = compile_matcher(TAXONOMY)
    parts = [count_names(pa.array(texts[n::n_parts]), matcher) for n in range(n_parts)]
    counts = NameCounts(*map(pa.concat_tables, zip(*parts, strict=True)))
    fitted = to_tables(fit_statistics(counts, matcher, TAXONOMY))
    assert fitted == to_tables(judged(texts))


def test_no_texts_give_equal_weights_and_no_phrases() -> None:
    statistics = judged([])
    assert (statistics.stop, statistics.phrases) == ((), {})
    assert statistics.weight is not None
    assert set(statistics.weight) == {1.0}


def test_tables_keep_the_statistics() -> None:
    statistics = judged(titles(Random(0)) + [f"keep calm {n}" for n in range(50)])
    again = from_tables(to_tables(statistics))
    assert (again.stop, again.phrases) == (statistics.stop, statistics.phrases)
    assert again.weight is not None
    assert statistics.weight is not None
    assert again.weight.tolist() == statistics.weight.tolist()
