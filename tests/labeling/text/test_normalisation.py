from __future__ import annotations

import sys
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.text.normalisation import _UNSPACED, MAX_MARKS, MAX_TEXT
from labeling.text.words import split_words

DENSE = (range(0x3400), range(0xA000, 0xAC00), range(0xD7A0, 0xD800), range(0xF900, 0x12000))
SPARSE = (
    range(0x3400, 0xA000, 64),
    range(0xAC00, 0xD7A0, 64),
    range(0xE000, 0xF900, 64),
    range(0x12000, 0x1D000, 16),  # cuneiform, hieroglyphs, Tangut
    range(0x1D000, 0x20000, 2),
    range(0x20000, 0x110000, 4096),
)
POINTS = [chr(c) for points in (*DENSE, *SPARSE) for c in points]


def slow_normalise(text: str) -> str:
    text = "".join(c for c in text[:MAX_TEXT] if unicodedata.category(c) != "Cf")
    folded = unicodedata.normalize("NFKC", limited(text)).casefold()
    return limited(unicodedata.normalize("NFKC", folded))


def limited(text: str) -> str:
    kept, n_marks = [], 0
    for c in text:
        n_marks = n_marks + 1 if unicodedata.category(c)[0] == "M" else 0
        kept.append(c if n_marks <= MAX_MARKS else "")
    return "".join(kept)


def slow_words(text: str) -> list[str]:
    """Return the words of a text character by character, without a final 's."""
    words: list[str] = []
    gap, alone = "start", False
    text = slow_normalise(text)
    for index, c in enumerate(text):
        category = kind(c)
        unspaced = is_unspaced(c)
        if category not in "LNM":
            gap += c
        elif gap or unspaced or (alone and category != "M"):
            possessive = gap in ("'", "’") and c == "s" and not has_more(text[index + 1 :])
            words.append("" if possessive else c)
        else:
            words[-1] += c
        alone = unspaced or (alone and category == "M")
        gap = "" if category in "LNM" else gap
    return [word for word in words if word]


def kind(c: str) -> str:
    """Return the category, where all that may become Han is a letter."""
    return "L" if 0x20000 <= ord(c) < 0x40000 else unicodedata.category(c)[0]


def is_unspaced(c: str) -> bool:
    return kind(c) in "LN" and any(low <= ord(c) <= high for low, high in _UNSPACED)


def has_more(rest: str) -> bool:
    """Return whether a word that may be a final s is longer, or glued to one that follows."""
    inside = [kind(c) in "LNM" for c in rest[:2]]
    if inside[:1] == [True]:
        return not is_unspaced(rest[0])
    return inside == [False, True] and rest[0] in "-'‐’"


def columns_words(texts: list[str]) -> list[list[str]]:
    words = split_words(pa.array(texts, pa.string()))
    words_of_row: list[list[str]] = [[] for _ in texts]
    for row, word in zip(words.row.tolist(), words.texts(), strict=True):
        words_of_row[row].append(word)
    return words_of_row


def test_each_character_folds_as_its_text_does() -> None:
    texts = [f"a{c}b {c}{c} e-{c}f 毛{c}" for c in POINTS]
    wrong = [
        (text, words)
        for text, words in zip(texts, columns_words(texts), strict=True)
        if words != slow_words(text)
    ]
    assert wrong == []


CHARACTERS = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.sampled_from("aS毛แ'’-‐ \u0301\u0345\u200b™…ßﬁｶﾞ\n한ᄒ\u1161\u11ab"),
)


@given(st.lists(st.text(CHARACTERS, max_size=20), max_size=6))
def test_columns_split_as_a_slow_reading_does(texts: list[str]) -> None:
    assert columns_words(texts) == [slow_words(text) for text in texts]


@given(st.text(CHARACTERS, max_size=20))
def test_words_of_words_are_the_same_and_hold_no_format_characters(text: str) -> None:
    (words,) = columns_words([text])
    assert not any(unicodedata.category(c) == "Cf" for c in "".join(words))
    assert columns_words([" ".join(words)]) == [words]


@pytest.mark.parametrize("text", ["é" * MAX_TEXT + "tail", "a " * MAX_TEXT, "\u0301" * 99 + "毛"])
def test_long_texts_are_cut(text: str) -> None:
    assert columns_words([text]) == [slow_words(text)]


def test_the_last_characters_of_unicode_are_read() -> None:
    assert columns_words([chr(sys.maxunicode) + "a"]) == [["a"]]
