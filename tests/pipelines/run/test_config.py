from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from labeling.errors import ConfigError
from labeling.taxonomy.formats import FORMATS
from pipelines.run.config import TaxonomyInput, read_config, with_overrides

GOOD = """\
[taxonomy]
path = "t.jsonl"

[[signals]]
path = "a.csv"

[[signals]]
path = "b.csv"
source = "caption"

[select]
keep = 0.25
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(tmp_path: Path, text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_config(write(tmp_path, text), overrides)
    return str(caught.value).replace(str(tmp_path), "")


def test_a_configuration_is_read_with_its_paths_resolved(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, GOOD))
    assert config.base == str(tmp_path.resolve())
    assert [table.source for table in config.signals] == ["alt", "caption"]
    assert config.select.keep == 0.25
    assert config.export.holdout_share == 0.2


def test_base_starts_from_the_file(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, 'base = "data"\n' + GOOD))
    assert config.base == str((tmp_path / "data").resolve())


def test_a_base_that_replaces_it_starts_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = write(tmp_path, 'base = "data"\n' + GOOD)
    assert read_config(path, ["base=other"]).base == str((tmp_path / "here/other").resolve())
    assert read_config(path, {"base": "/nope"}).base == "/nope"


def test_an_unknown_key_is_reported_with_its_line_and_the_nearest_key(tmp_path: Path) -> None:
    text = GOOD + "confidenc = 0.9\n"
    expected = '/run.toml:13:1: unknown key "select.confidenc" (did you mean "confidence"?)'
    assert expected in problems(tmp_path, text)


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    text = (
        GOOD.replace("keep = 0.25", 'keep = "much"').replace('source = "caption"', "  sorce = 1")
        + "[audt]\nn = 3\n"
    )
    message = problems(tmp_path, text)
    assert '/run.toml:9:3: unknown key "signals.1.sorce" (did you mean "source"?)' in message
    assert (
        "/run.toml:12:1: \"select.keep\": input should be a valid number, found 'much'" in message
    )
    assert '/run.toml:13:2: unknown key "audt" (did you mean "audit"?)' in message


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("keep = 0.25", "keep = 0", "greater than 0"),
        ("keep = 0.25", "keep = 1.5", "less than or equal to 1"),
        ("keep = 0.25", "keep = nan", '"select.keep"'),
        ("keep = 0.25", "keep = true", "valid number"),
        ("keep = 0.25", "keep = 0.25\nkeep = 0.3", "not TOML"),
        ('[taxonomy]\npath = "t.jsonl"', "", 'missing key "taxonomy"'),
        ('path = "t.jsonl"', "", 'missing key "taxonomy.path"'),
    ],
)
def test_wrong_values_are_refused(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in problems(tmp_path, GOOD.replace(old, new))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        read_config(tmp_path / "absent.toml")


def test_byte_order_marks_and_carriage_returns_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read_config(path).select.keep == 0.25


def test_keys_can_be_set_from_outside(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    config = read_config(path, ["select.keep=0.5", "audit.truth=truth.csv"])
    assert (config.select.keep, config.audit.truth) == (0.5, "truth.csv")
    again = with_overrides(config, ["select.keep=0.75"])
    assert (again.select.keep, again.audit.truth, again.signals) == (
        0.75,
        "truth.csv",
        config.signals,
    )
    assert "not of the form key=value" in problems(tmp_path, GOOD, "select.keep")
    assert "not a section" in problems(tmp_path, GOOD, "select.keep.x=1")
    assert "not a section" in problems(tmp_path, GOOD, "signals.0.path=x")
    assert 'unknown key "select.kep"' in problems(tmp_path, GOOD, "select.kep=1")


def test_every_format_of_taxonomies_can_be_set() -> None:
    known = get_args(TaxonomyInput.model_fields["format"].annotation)
    assert set(known) == {"auto", *FORMATS}


def test_a_section_of_inputs_with_one_bracket_is_explained(tmp_path: Path) -> None:
    message = problems(tmp_path, '[taxonomy]\npath = "t"\n[archive]\npath = "a.warc"\n')
    assert "/run.toml:3:2: there can be several [archive]: write it with two brackets" in message
    message = problems(tmp_path, '[site]\npath = "a"\n[site]\npath = "b"\n')
    assert "has two brackets: [[archive]]" in message


def deep(n: int) -> str:
    return ".".join(["a"] * n)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"a = {'[' * 5000}", "nested too deeply (at line 3)"),
        (f"a = [\n{'[' * 5000}", "nested too deeply (at line 4)"),
        (f"a = {'{a = ' * 5000}", "nested too deeply (at line 3)"),
        (f"a = {'1' * 5000}", "a number too long (at line 3)"),
        (f"b = 1\na = [2,\n{'1' * 5000}]\nc = [", "a number too long (at line 5)"),
        (f"{deep(3000)} = 1", ':3:1: "taxonomy.a'),
        (f"[{deep(3000)}]\nb = 1", ':3:2: "a.a'),
        (f"[select]\nkeep = 0x{'f' * 5000}", ':4:1: "select.keep": a number of more than 64 bits'),
        (f"[audit]\nn = {'1' * 4200}", ':4:1: "audit.n": a number of more than 64 bits'),
        ('format = "a\\u0000b"', ':3:1: "taxonomy.format": a text with the character NUL'),
        ('[[archive]]\npath = "a\\u0000b"', ':4:1: "archive.0.path": a text with the character'),
        (f'[select]\nkeep = "{"x" * 5000}"', ':4:1: "select.keep"'),
    ],
)
def test_values_that_break_readers_are_errors_with_their_line(
    tmp_path: Path, line: str, problem: str
) -> None:
    path = tmp_path / "winnow.toml"
    path.write_text(f'[taxonomy]\npath = "labels.jsonl"\n{line}\n')
    with pytest.raises(ConfigError) as error:
        read_config(path)
    assert problem in str(error.value)
    assert len(str(error.value)) < 1000


def test_a_base_with_the_character_nul_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "winnow.toml"
    path.write_text('base = "a\\u0000b"\n[taxonomy]\npath = "labels.jsonl"\n')
    with pytest.raises(ConfigError, match=':1:1: "base": a text with the character NUL'):
        read_config(path)


@pytest.mark.parametrize("value", ["[" * 5000, "1" * 5000, f"0x{'f' * 5000}", "a\0b"])
@pytest.mark.parametrize("key", ["select.keep", deep(3000)])
def test_the_same_values_of_an_override_are_errors(tmp_path: Path, key: str, value: str) -> None:
    path = tmp_path / "winnow.toml"
    path.write_text('[taxonomy]\npath = "labels.jsonl"\n')
    with pytest.raises(ConfigError) as error:
        read_config(path, [f"{key}={value}"])
    assert len(str(error.value)) < 1000


def test_an_override_without_a_value_unsets_its_key(tmp_path: Path) -> None:
    path = tmp_path / "winnow.toml"
    path.write_text('[taxonomy]\npath = "labels.jsonl"\n[audit]\ntruth = "truth.csv"\n')
    assert read_config(path, ["audit.truth="]).audit.truth is None
    with pytest.raises(ConfigError, match=r"audit\.n"):
        read_config(path, ["audit.n="])
