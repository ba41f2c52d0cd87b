from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling.matching.matcher import compile_matcher, find
from labeling.taxonomy.taxonomy import Label, build_taxonomy
from labeling.text.inflection import PLURAL_ONLY, inflections

FOLDER = Path(__file__).parent

OPEN = {"kiwi/kiwis", "axis/axes", "basis/bases", "housewife/housewives", "glass/glasses"}
"""Pairs of which one direction is not found: the dictionary has another lemma for the plural."""


def pairs(name: str) -> Iterator[tuple[str, str]]:
    for line in (FOLDER / name).read_text().splitlines():
        if not line.startswith("#"):
            for pair in line.rpartition(": ")[2].split(", "):
                first, second = pair.split("/")
                yield first, second


def named(names: set[str], texts: set[str], language: str = "en") -> set[tuple[str, str]]:
    """Return the pairs of a name and a text in which the matcher finds the name."""
    order = sorted(names)
    labels = [Label(str(n), ((name, language),)) for n, name in enumerate(order)]
    taxonomy = build_taxonomy(labels)
    matcher = compile_matcher(taxonomy)
    return {
        (order[int(taxonomy.label_ids[code])], text)
        for text in texts
        for code, _, _ in find(matcher, text)
    }


def test_plurals_of_all_kinds_are_found_in_both_directions() -> None:
    expected = set(pairs("english_plurals.txt"))
    assert len(expected) > 240
    expected = {pair for pair in expected if "/".join(pair) not in OPEN}
    singulars, plurals = ({pair[side] for pair in expected} for side in (0, 1))
    assert expected - named(singulars, plurals) == set()
    assert {(p, s) for s, p in expected} - named(plurals, singulars) == set()


def test_a_word_that_only_looks_like_a_form_is_not_one() -> None:
    strangers = set(pairs("english_strangers.txt"))
    assert len(strangers) > 80
    names, words = ({pair[side] for pair in strangers} for side in (0, 1))
    assert strangers & named(names, words) == set()


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        pytest.param(
            "de",
            "Hund/Hunde Katze/Katzen Haus/Häuser Apfel/Äpfel Schuh/Schuhe Vogel/Vögel",
            marks=pytest.mark.slow,
        ),
        ("fr", "chien/chiens cheval/chevaux chaussure/chaussures oiseau/oiseaux bijou/bijoux"),
        pytest.param(
            "es",
            "camisa/camisas pez/peces camión/camiones luz/luces mujer/mujeres",
            marks=pytest.mark.slow,
        ),
        ("it", "gatto/gatti cane/cani uovo/uova scarpa/scarpe"),
        pytest.param("nl", "hond/honden huis/huizen stad/steden ei/eieren", marks=pytest.mark.slow),
        pytest.param(
            "pt-BR", "cão/cães coração/corações animal/animais flor/flores", marks=pytest.mark.slow
        ),
        pytest.param("ru", "собака/собаки кошка/кошки дом/дома", marks=pytest.mark.slow),
    ],
)
def test_other_languages_have_their_own_plurals(language: str, expected: str) -> None:
    wanted = {tuple(pair.split("/")) for pair in expected.split()}
    singulars, plurals = ({pair[side] for pair in wanted} for side in (0, 1))
    assert wanted <= named(singulars, plurals, language)
    assert {(p, s) for s, p in wanted} <= named(plurals, singulars, language)


def test_heads_of_phrases_are_inflected() -> None:
    assert named({"bird of prey"}, {"birds of prey", "bird of preys"}) == {
        ("bird of prey", "birds of prey")
    }
    assert named({"chaussure de sport"}, {"chaussures de sport"}, "fr")


def test_a_language_without_a_dictionary_has_exact_names_only() -> None:
    assert inflections(frozenset({"kissaa"}), "xx") == {"kissaa": set()}


def test_plural_only_nouns_are_not_named_by_their_singular() -> None:
    names = set(PLURAL_ONLY)
    assert named(names, {name[:-1] for name in names} - names) == set()
    assert named({"glass", "track pants"}, {"glasses", "track pant", "pant"}) == {
        ("glass", "glasses"),
        ("track pants", "track pant"),
    }


@pytest.mark.parametrize(
    ("name", "language", "text"),
    [
        ("café", "en", "two cafés"),
        ("café", "en", "two cafes"),
        ("entrées", "en", "an entrée"),
        ("M&M", "en", "M&Ms"),
        ("runner-up", "en", "the runners-up"),
        ("mother-in-law", "en", "mothers-in-law"),
        ("corpus", "en", "corpora"),
        ("criteria", "en", "a criterion"),
        ("dog", "en-US", "dogs"),
        ("dog", "en_GB", "dogs"),
        ("dog", "eng", "dogs"),
        ("chaussure de sport", "fra", "chaussures de sport"),
    ],
)
def test_rare_plurals_and_tags_of_languages(name: str, language: str, text: str) -> None:
    assert named({name}, {text}, language) == {(name, text)}


def test_letters_and_verbs_with_up_have_no_odd_plurals() -> None:
    assert named({"C++", "cover-up", "shorts"}, {"CS", "covers up", "short"}) == set()
