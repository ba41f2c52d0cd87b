"""`winnow status` after a change of an input: the stages that are made again, and why."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.api.candidates import status
from pipelines.inspecting import staleness
from pipelines.run.config import read_config
from pipelines.run.saved_config import save_config


@pytest.fixture
def run_dir(shop: Path, selected: Path) -> Path:
    save_config(read_config(shop), selected)
    return selected


def states(text: str) -> dict[str, str]:
    rows = [line.split() for line in text.splitlines()[1:]]
    return {row[0]: row[1] for row in rows if row[1] in ("current", "stale")}


def _edit(path: Path) -> None:
    path.write_text(path.read_text().replace("red", "tan"))


def _add(path: Path) -> None:
    path.write_text(path.read_text() + "\n")


CHANGES: dict[str, tuple[str, Callable[[Path], None], str, str]] = {
    "an edited input": ("captions.jsonl", _edit, "signals", "inputs have changed: captions.jsonl"),
    "a longer input": ("links.csv", _add, "signals", "inputs have changed: links.csv"),
    "a deleted input": ("products.csv", Path.unlink, "signals", "missing: products.csv"),
    "a changed taxonomy": ("taxonomy.jsonl", _add, "candidates", "inputs have changed: taxonomy"),
    "a deleted taxonomy": ("taxonomy.jsonl", Path.unlink, "candidates", "missing: taxonomy.jsonl"),
    "another truth": ("truth.csv", _add, "audits", "inputs have changed: audit.truth"),
    "a deleted truth": ("truth.csv", Path.unlink, "audits", "missing: truth.csv"),
}


@pytest.mark.parametrize(("file", "change", "stage", "reason"), CHANGES.values(), ids=CHANGES)
def test_a_changed_or_missing_input_makes_its_stage_stale_and_those_after_it(
    shop: Path,
    run_dir: Path,
    file: str,
    change: Callable[[Path], None],
    stage: str,
    reason: str,
) -> None:
    before = states(str(status(run_dir)))
    assert set(before.values()) == {"current"}
    change(shop.parent / file)
    text = str(status(run_dir))
    assert f"stale: {stage}: {reason}; " in text
    stale = [name for name, state in states(text).items() if state == "stale"]
    assert stale[-1] == "selected"
    assert stage in stale


def test_several_missing_inputs_are_all_named(shop: Path, run_dir: Path) -> None:
    for file in ("products.csv", "links.csv"):
        (shop.parent / file).unlink()
    assert "stale: signals: missing: products.csv, links.csv; " in str(status(run_dir))


def test_a_file_that_is_written_again_unchanged_makes_nothing_stale(
    shop: Path, run_dir: Path
) -> None:
    os.utime(shop.parent / "links.csv", (2e9, 2e9))
    assert "stale" not in str(status(run_dir))


def test_of_many_newer_bytes_it_is_stated_that_they_are_newer(
    shop: Path, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staleness, "MAX_DIGESTED", 10)
    os.utime(shop.parent / "links.csv", (2e9, 2e9))
    assert "stale: signals: an input is newer; `winnow label` makes it again" in str(
        status(run_dir)
    )


def test_a_setting_that_was_changed_is_named(shop: Path, run_dir: Path) -> None:
    save_config(read_config(shop, {"label.support_only": ["caption"]}), run_dir)
    assert "stale: candidates: settings have changed: support_only; " in str(status(run_dir))


def test_a_missing_data_folder_is_not_an_error(shop: Path, run_dir: Path) -> None:
    shop.parent.rename(shop.parent.with_name("elsewhere"))
    text = str(status(run_dir))
    assert "stale: signals: missing: " in text
    assert "products.csv" in text
