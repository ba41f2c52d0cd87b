from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.keys.hash_table import build_key_table
from labeling.text import vocabulary
from labeling.text.vocabulary import build_vocabulary, spelled

WORDS = st.one_of(
    st.text("abc", min_size=1, max_size=4),
    st.text("ab", min_size=7, max_size=9),
    st.tuples(st.text("ab", max_size=20)).map(lambda middle: f"commence{middle[0]}endings!"),
    st.sampled_from(["毛衣", "é" * 9, "a" * 8, "a" * 9, "a" * 16, "a" * 17]),
)


@given(st.sets(WORDS, min_size=1, max_size=30), st.lists(WORDS, max_size=30))
def test_words_are_found_exactly(known: set[str], asked: list[str]) -> None:
    words = build_vocabulary(sorted(known))
    codes = words.codes(*spelled([*sorted(known), *asked])).tolist()
    code_of = dict(zip(sorted(known), codes, strict=False))
    assert sorted(code_of.values()) == list(range(len(known)))
    assert codes[len(known) :] == [code_of.get(word, len(known)) for word in asked]


def test_words_of_equal_keys_get_keys_of_another_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    mix = vocabulary._mix
    monkeypatch.setattr(vocabulary, "_mix", lambda keys, seed: mix(keys, seed) * (seed > 0))
    words = build_vocabulary(["abcdefghi", "bbcdefghi", "cat"])
    assert words.seed == 1
    assert words.codes(*spelled(["abcdefghj"])).tolist() == [3]
    assert sorted(words.codes(*spelled(["cat", "bbcdefghi", "abcdefghi"]))) == [0, 1, 2]


@pytest.mark.parametrize(
    "other", ["abcdefghijklmnop?rstuvwxyz", "?bcdefghijklmnopqrstuvwxyz", "abcdefghi", "z" * 26]
)
def test_other_words_of_the_same_key_are_distinguished(
    monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    monkeypatch.setattr(vocabulary, "_mix", lambda keys, seed: keys * 0)
    words = build_vocabulary(["abcdefghijklmnopqrstuvwxyz"])
    assert words.codes(*spelled([other, "abcdefghijklmnopqrstuvwxyz"])).tolist() == [1, 0]


KEYS = st.integers(0, 2**64 - 2)


@given(st.sets(KEYS, max_size=300), st.lists(KEYS, max_size=20))
def test_keys_are_found_exactly(known: set[int], asked: list[int]) -> None:
    keys = np.array(sorted(known), np.uint64)
    table = build_key_table(keys)
    indices = table.find(keys)
    assert sorted(indices.tolist()) == list(range(len(known)))
    assert np.array_equal(table.key[indices], keys)
    others = np.array([key for key in asked if key not in known], np.uint64)
    assert (table.find(others) == -1).all()
