"""The code and the docs are written in plain English, without the words of `english.DIALECT`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import english


@pytest.mark.parametrize("name", [*english.PACKAGES, english.TESTS, "docs"])
def test_no_text_holds_dialect_and_no_docstring_begins_like_a_question(name: str) -> None:
    hits = english.hits(english.texts(name))
    assert hits == [], "\n".join(map(str, hits))


def hits_of(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str = "module.py"
) -> list[str]:
    monkeypatch.setattr(english, "ROOT", tmp_path)
    path = tmp_path / name
    path.write_text(source, encoding="utf-8")
    return [str(hit).split(" ->")[0] for hit in english.hits(english.texts_of(path))]


def test_dialect_is_found_in_docstrings_comments_and_messages_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        '"""Votes.\n\nWhat users say goes\non behind the vote `said`.\n"""\n'
        "x = 1  # there is none, this is no list\n"
        'raise InputError(f"the file {x} was put aside and is None")\n'
        'x = "told"\n'
    )
    assert hits_of(source, tmp_path, monkeypatch) == [
        "module.py:3: say",
        "module.py:4: behind",
        "module.py:3: goes on",
        "module.py:7: put aside",
        "module.py:6: is none",
        "module.py:6: is no",
    ]


def test_dialect_and_vague_words_are_found_in_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        "def test_a_file_is_put_aside(one):\n"
        "    found, n_found = one.found, 1\n"
        "    _said = one_source(found)\n"
    )
    assert sorted(hits_of(source, tmp_path, monkeypatch)) == [
        "module.py:1: one",
        "module.py:1: put aside",
        "module.py:2: found",
        "module.py:3: said",
    ]


def test_strings_of_tests_are_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tests").mkdir()
    source = 'x = "the file was put aside"  # put aside\n'
    assert hits_of(source, tmp_path, monkeypatch) == ["module.py:1: put aside"] * 2
    assert hits_of(source, tmp_path, monkeypatch, "tests/module.py") == [
        "tests/module.py:1: put aside"
    ]


def test_plain_text_code_and_examples_are_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        '"""Return the standard score; there is no unit, and no result is `None`.\n\n'
        '>>> said("behind")\n``told``\n"""\n'
        "x = 1  # noqa: told\n"
    )
    assert hits_of(source, tmp_path, monkeypatch) == []


@pytest.mark.parametrize("first", ["What", "Which", "How", "Where", "Whether"])
def test_a_docstring_that_begins_like_a_question_is_found(
    first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f'def f():\n    """{first} it returns."""\n'
    assert hits_of(source, tmp_path, monkeypatch) == [f"module.py:2: {first}"]


def test_comments_that_give_a_reason_are_distinguished_from_titles_and_directives(
    tmp_path: Path,
) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "# Reading\n# --- Writing ---\nx = 1  # noqa: E501\n"
        "# torch 2.13 writes outside its memory here.\ny = 2  # the last of a pair counts\n"
    )
    assert sum(map(english.is_reason, english.texts_of(path))) == 2
