"""Names that look alike, and texts that a terminal would obey."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from labeling.matching.matcher import compile_matcher
from labeling.matching.texts import match_texts
from labeling.taxonomy.confusables import confusable_names, visible
from labeling.taxonomy.taxonomy import Label, build_taxonomy
from pipelines.cli import main
from pipelines.jobs.label import print_odd_names

CYRILLIC_A = "\u0430"


def odd(**names: str) -> list[str]:
    labels = [Label(i, ((name, ""),), (), None, 1) for i, name in names.items()]
    return confusable_names(build_taxonomy(labels, "test"))


@pytest.mark.parametrize(
    "name",
    [
        "café",
        "naïve Straße",
        "тойота corolla",
        "α-amylase",
        "毛衣 t-shirt",
        "Ελλάδα",
        "Ｃａｔ",
        "кот",
    ],
)
def test_names_of_one_script_or_of_several_words_are_not_odd(name: str) -> None:
    assert odd(a=name, b="cat", c="corolla") == []


def test_mixed_scripts_and_lookalikes_are_reported_with_their_code_points() -> None:
    reported = odd(a="cat", b=f"c{CYRILLIC_A}t", c="\u0412\u0410\u0422", d="bat")
    assert reported == [
        r"b: 'c\u0430t' has letters of CYRILLIC, LATIN in a word",
        r"b: 'c\u0430t' looks like 'cat' of a",
        r"c: '\u0412\u0410\u0422' looks like 'bat' of d",
    ]


def test_the_first_ten_odd_names_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_odd_names(odd(**{f"l{n:02d}": f"thing{n} c{CYRILLIC_A}t" for n in range(12)}))
    output = capsys.readouterr().err
    assert "names of labels that look like others, and are kept apart: 12" in output
    assert output.count(r"c\u0430t") == 10


def test_lookalike_names_stay_different() -> None:
    labels = [
        Label("a", (("cat", ""),), (), None, 1),
        Label("b", ((f"c{CYRILLIC_A}t", ""),), (), None, 2),
    ]
    matcher = compile_matcher(build_taxonomy(labels, "test"))
    matches = match_texts(matcher, pa.array(["a cat", f"a c{CYRILLIC_A}t"]))
    assert (matches.row.tolist(), matches.label.tolist()) == ([0, 1], [0, 1])


@given(st.text())
def test_what_is_printed_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    shown = visible(text)
    assert not any(c in shown for c in "\x1b\n\r\b\x00\x9b\u202e\u2066\u200b\u2028")
    assert visible(shown) == shown
    shown.encode("utf-8")


def test_an_error_shows_escapes(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(json.dumps({"id": "a"}))
    (tmp_path / "t.csv").write_text("image,text\n\x1b[2J\u202egnp.jpg,a cat\n", encoding="utf-8")
    config = tmp_path / "run.toml"
    config.write_text('[taxonomy]\npath = "t.jsonl"\n[[signals]]\npath = "t.csv"\n')
    done = CliRunner().invoke(main, ["label", str(config), "--out", str(tmp_path / "run")])
    assert done.exit_code == 4
    assert r"\x1b[2J\u202egnp.jpg" in done.output
    assert "\x1b" not in done.output.replace(r"\x1b", "")
