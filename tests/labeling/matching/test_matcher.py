from __future__ import annotations

import re
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.matching.matcher import Matcher, compile_matcher, find
from labeling.matching.surface_forms import INFLECTED, UNACCENTED, surface_forms
from labeling.matching.texts import match_texts
from labeling.taxonomy.taxonomy import Label, Taxonomy, build_taxonomy
from labeling.text.normalisation import MAX_MARKS
from labeling.text.trie import COMPOUND_PARTS
from labeling.text.words import split_words
from tests.labeling.text.test_normalisation import slow_normalise


def taxonomy(**names: list[str]) -> Taxonomy:
    labels = [
        Label(label_id, tuple((name, "en") for name in given), (), None, line)
        for line, (label_id, given) in enumerate(names.items(), 1)
    ]
    return build_taxonomy(labels, "test")


def named_labels(text: str, **names: list[str]) -> list[str]:
    labels = taxonomy(**names)
    return [labels.label_ids[code] for code, _, _ in find(compile_matcher(labels), text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a navy blue shirt", ["navy"]),
        ("NAVY-BLUE shirts", ["navy"]),
        ("blue navy", ["blue"]),
        ("bluebell", []),
        ("the reds", ["red"]),
        ("Blue's clues", ["blue"]),
        ("ＢＬＵＥ", ["blue"]),
        ("bl\u200bue", ["blue"]),
        ("", []),
        ("blue, navy blue; blue", ["blue", "navy", "blue"]),
    ],
)
def test_longest_whole_words_win(text: str, expected: list[str]) -> None:
    assert named_labels(text, blue=["blue"], navy=["navy blue"], red=["red"]) == expected


@pytest.mark.parametrize("text", ["T-Shirt", "t shirt", "tshirts", "Tshirt"])
def test_hyphenated_names_match_however_they_are_written(text: str) -> None:
    assert named_labels(text, tee=["T-shirt"]) == ["tee"]


def test_hyphenated_text_matches_a_joined_name() -> None:
    assert named_labels("White T-Shirt", tee=["Tshirts"]) == ["tee"]


def test_names_with_slashes_and_dots_match_by_their_words() -> None:
    assert named_labels("an old T.V./screen here", tv=["T.V./screen"]) == ["tv"]


def test_an_exact_match_is_stronger_than_an_inflected_one() -> None:
    matcher = compile_matcher(taxonomy(shirts=["shirts"]))
    assert [strength for _, strength, _ in find(matcher, "shirts")] == [1.0]
    assert [strength for _, strength, _ in find(matcher, "shirt")] == [INFLECTED]


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


@pytest.fixture
def matcher() -> Matcher:
    return compile_matcher(taxonomy(cat=["cat"], dog=["dog"]))


WORDS = st.sampled_from(
    ["red", "navy", "blue", "shirt", "shirts", "man", "men", "of", "毛", "衣", "Café", "Straße"]
)
JOINTS = st.sampled_from([" ", " ", "-", "'", ", ", "_", "\u200b ", "'s ", "’", "‐", "…", "\n"])
JOINING = ("-", "'", "’", "‐")
PHRASES = st.lists(st.tuples(WORDS, JOINTS), min_size=1, max_size=4)


def phrase(parts: list[tuple[str, str]]) -> str:
    return "".join(word + joint for word, joint in parts[:-1]) + parts[-1][0]


def slow_words(text: str) -> list[tuple[str, bool]]:
    """Return words, and whether each is glued to the one before, character by character."""
    words: list[tuple[str, bool]] = []
    runs = re.findall(r"[毛衣]|[^\W_毛衣]+|[\W_]+", slow_normalise(text))
    for index, run in enumerate(runs):
        if not run[0].isalnum():
            continue
        glued = index > 1 and runs[index - 1] in JOINING
        possessive = glued and runs[index - 1] in ("'", "’") and run == "s"
        is_joined = index + 2 < len(runs) and runs[index + 1] in JOINING
        if possessive and not is_joined:
            continue
        words.append((run, glued))
    return words


def slow_find(labels: Taxonomy, text: str) -> list[tuple[int, float, int]]:
    """Look up every span of words, longest first, left to right."""
    names = surface_forms(labels)
    words = slow_words(text)
    mentions = []
    start = 0
    while start < len(words):
        for length in range(len(words) - start, 0, -1):
            span = words[start : start + length]
            sequence = tuple(word for word, _ in span)
            named = names.get(sequence)
            if not named and 1 < length <= COMPOUND_PARTS and all(glued for _, glued in span[1:]):
                named = names.get(("".join(sequence),))
            if named:
                mentions += [
                    (c, round(s, 7), len(named.labels)) for c, s in zip(*named, strict=True)
                ]
                break
        else:
            length = 1
        start += length
    return mentions


NAMES = st.lists(st.lists(PHRASES, min_size=1, max_size=2), min_size=1, max_size=8)


@settings(max_examples=150)
@given(NAMES, st.lists(PHRASES, min_size=1, max_size=4))
def test_equal_to_looking_up_every_span(names: Any, texts: Any) -> None:
    labels = taxonomy(**{f"l{n}": [phrase(p) for p in of_text] for n, of_text in enumerate(names)})
    matcher = compile_matcher(labels)
    column = [phrase(parts * 3) for parts in texts]
    for text in column:
        assert list(find(matcher, text)) == slow_find(labels, text)
    matches = match_texts(matcher, pa.array(column + column[::-1]))
    expected = [best(slow_find(labels, text)) for text in column + column[::-1]]
    rows = zip(matches.row, matches.label, matches.strength, matches.ambiguity, strict=True)
    assert [(label, pytest.approx(s), n) for _, label, s, n in rows] == sum(expected, [])
    assert matches.row.tolist() == [row for row, of_text in enumerate(expected) for _ in of_text]


def best(mentions: list[tuple[int, float, int]]) -> list[tuple[int, Any, int]]:
    """Return the strongest of the mentions of each label."""
    first = sorted(mentions, key=lambda mention: (mention[0], -mention[1], mention[2]))
    return [mention for n, mention in enumerate(first) if n == 0 or first[n - 1][0] != mention[0]]


@given(st.lists(st.text(alphabet="aé毛-' ́\u200b\n", max_size=8), max_size=12))
def test_columns_split_as_their_texts_do(texts: list[str]) -> None:
    together = split_words(pa.array(texts, pa.string()))
    for row, text in enumerate(texts):
        alone = split_words(pa.array([text], pa.string()))
        mine = np.flatnonzero(together.row == row)
        assert [together.texts()[i] for i in mine] == alone.texts()
        assert together.glued[together.row == row].tolist() == alone.glued.tolist()


def test_batches_do_not_change_the_matches(
    monkeypatch: pytest.MonkeyPatch, matcher: Matcher
) -> None:
    texts = pa.chunked_array([["a cat", None, "", "dog cat é"] * 20, [], ["dogs"] * 3])
    whole = match_texts(matcher, texts)
    monkeypatch.setattr("labeling.matching.texts.BATCH_BYTES", 16)
    cut = match_texts(matcher, texts)
    assert np.array_equal(whole.row, cut.row)
    assert np.array_equal(whole.label, cut.label)
    assert whole.row.tolist()[-3:] == [80, 81, 82]


@pytest.mark.parametrize("distinct", [-1.0, 1.0])
def test_repeated_texts_do_not_change_the_matches(
    monkeypatch: pytest.MonkeyPatch, matcher: Matcher, distinct: float
) -> None:
    texts = ["a cat", None, "", "two dogs and a cat", "a cat", "é", "dog", None, "a cat"] * 3
    alone = [match_texts(matcher, pa.array([text], pa.string())) for text in texts]
    monkeypatch.setattr("labeling.matching.texts.DISTINCT", distinct)
    monkeypatch.setattr("labeling.matching.texts.WINDOW_BYTES", 40)
    together = match_texts(matcher, pa.array(texts))
    assert together.row.tolist() == [n for n, of_text in enumerate(alone) for _ in of_text.row]
    assert together.label.tolist() == [code for of_text in alone for code in of_text.label]
    assert together.strength.tolist() == [
        strength for of_text in alone for strength in of_text.strength
    ]


def test_columns_may_be_coded_by_a_dictionary(matcher: Matcher) -> None:
    matches = match_texts(matcher, pa.array(["a cat", None, "dog", "a cat"]).dictionary_encode())
    assert (matches.row.tolist(), matches.label.tolist()) == ([0, 2, 3], [0, 1, 0])


def test_an_empty_column_matches_nothing(matcher: Matcher) -> None:
    assert len(match_texts(matcher, pa.array([], pa.string())).row) == 0
    assert len(match_texts(matcher, pa.array([None, "", " "], pa.string())).row) == 0


def test_a_taxonomy_without_names_matches_nothing() -> None:
    nameless = compile_matcher(taxonomy(thing=[]))
    assert len(match_texts(nameless, pa.array(["a thing", "T-shirt", "é"])).row) == 0


def test_a_slice_of_a_column_matches_as_its_texts_do(matcher: Matcher) -> None:
    texts = pa.array(["cat", "é dog", None, "dog", "cat é"])
    matches = match_texts(matcher, texts.slice(1, 3))
    assert (matches.row.tolist(), matches.label.tolist()) == ([0, 2], [1, 1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("白い毛衣です", ["sweater"]),
        ("毛", ["hair"]),
        ("毛衣毛", ["sweater", "hair"]),
        ("แมวน่ารัก", ["cat"]),
        ("नमस्ते", ["hello"]),
        ("नमस्तेनमस्ते", []),
        ("שלום עולם", ["peace"]),
        ("\u202eשלום\u202c", ["peace"]),
    ],
)
def test_names_in_other_scripts(text: str, expected: list[str]) -> None:
    names = {"hair": ["毛"], "sweater": ["毛衣"], "cat": ["แมว"]}
    assert named_labels(text, **names, hello=["नमस्ते"], peace=["שלום"]) == expected


def test_names_are_inflected_in_their_language() -> None:
    names = (("gatti", "it"),)
    italian = build_taxonomy([Label("cat", names, (), None, 1)], "test")
    assert list(find(compile_matcher(italian), "un gatto")) == [(0, pytest.approx(INFLECTED), 1)]
    assert named_labels("two women, a fireman", woman=["woman"], fireman=["firemen"]) == [
        "woman",
        "fireman",
    ]


def test_function_words_name_nothing_alone() -> None:
    names = {"inch": ["in", "inch"], "tin": ["can", "tin can"], "b": ["b"], "ear": ["in ear"]}
    assert named_labels("in an inch, can a tin can b in ear cans", **names) == [
        "inch",
        "tin",
        "ear",
        "tin",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "cat\x00dog",
        "\u202ecat\u202c dog",
        "c\u200ba\u2060t \ufeffdog",
        "cat\U000e0041\U000e007f dog",
        "\u206acat\u206f dog",
        "\ud800 cat \udfff dog",
    ],
)
def test_hidden_characters_do_not_hide_names(text: str, matcher: Matcher) -> None:
    assert [code for code, _, _ in find(matcher, text)] == [0, 1]


def test_columns_that_are_not_utf8_match_what_can_be_read(matcher: Matcher) -> None:
    data = b"\xff cat\xed\xa0\x80 dog"
    offsets = np.array([0, len(data)], np.int32)
    texts = pa.StringArray.from_buffers(1, pa.py_buffer(offsets), pa.py_buffer(data))
    assert match_texts(matcher, texts).label.tolist() == [0, 1]


@pytest.mark.parametrize(
    "text",
    [
        "\u0301" * 5_000_000,
        "a" + "\u0301\u0323" * 50_000,
        "cat " * 25_000,
        "cat-" * 25_000,
        "a" * 100_000,
        "cats " * 1000 + ("a" * 9_000 + " ") * 11,
        "'s" * 50_000,
        "\ufdfa" * 33_000,
        "\u0344" * 50_000,
    ],
    ids=lambda text: f"{text[:2]!a}",
)
def test_hostile_texts_take_little_time(text: str) -> None:
    matcher = compile_matcher(taxonomy(cat=["cat"], two=["cat cat"], three=["cat cat cat"]))
    list(find(matcher, "é"))
    texts = pa.array([text])
    seconds = []
    for _ in range(3):
        started = time.process_time()
        match_texts(matcher, texts)
        seconds.append(time.process_time() - started)
    assert min(seconds) < 0.05 * max(1, len(text) / 100_000)


def test_marks_are_kept_up_to_a_limit() -> None:
    words = split_words(pa.array(["a" + "\u0323" * 100]))
    assert words.texts() == ["ạ" + "\u0323" * (MAX_MARKS - 1)]


def test_accents_that_only_one_of_text_and_name_has_make_a_weaker_match() -> None:
    labels = taxonomy(cafe=["cafe"], cream=["crème brûlée"], fish=["smørrebrød"], letter=["и"])
    matcher = compile_matcher(labels)

    def strengths(text: str) -> dict[str, float]:
        return {labels.label_ids[code]: strength for code, strength, _ in find(matcher, text)}

    assert strengths("cafe, crème brûlée") == {"cafe": 1, "cream": 1}
    assert strengths("a Café, creme brulee, smorrebrod") == pytest.approx(
        {"cafe": UNACCENTED, "cream": UNACCENTED, "fish": UNACCENTED}
    )
    assert strengths("two cafés") == pytest.approx({"cafe": UNACCENTED * INFLECTED})
    assert strengths("й") == {}


def test_an_exact_name_wins_over_one_without_its_accents() -> None:
    assert named_labels("expose exposé", report=["exposé"], show=["expose"]) == ["show", "report"]
