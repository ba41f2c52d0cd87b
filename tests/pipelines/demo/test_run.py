from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labeling.errors import InputError
from pipelines.demo.records import WorldSettings
from pipelines.demo.run import DemoSettings, run_demo

pytestmark = pytest.mark.slow

SMALL = DemoSettings(
    world=WorldSettings(
        n_hosts=8,
        n_pages=60,
        n_figures=260,
        n_users=40,
        n_searches=120,
        n_votes=600,
        n_brigade_votes=200,
        n_cut_files=1,
        n_missing_files=1,
    ),
    steps=20,
)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "first"
    run_demo(out, settings=SMALL)
    return out


def facts_of(out: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((out / "report.json").read_text())
    return facts


def test_the_report_holds_what_users_rely_on(first: Path) -> None:
    facts = facts_of(first)
    assert facts["kept"] == round(facts["candidates"] / 3)
    assert facts["kept_share"] == pytest.approx(1 / 3, abs=0.01)
    assert facts["precision_low"] <= facts["precision"] <= facts["precision_high"]
    assert facts["true_precision"] > facts["true_precision_all"] + 0.1
    for name in ("map_all", "map_random", "map_selected"):
        assert 0 < facts[name] < 1
    assert (first / "report.html").is_file()


def test_another_run_gives_the_same_report_apart_from_times(first: Path, tmp_path: Path) -> None:
    run_demo(tmp_path / "second", settings=SMALL)
    facts, facts_again = facts_of(first), facts_of(tmp_path / "second")
    assert facts.pop("run") != facts_again.pop("run")
    assert facts == facts_again


def test_a_second_run_into_the_folder_redoes_nothing(first: Path) -> None:
    before = facts_of(first)
    run_demo(first, settings=SMALL)
    assert facts_of(first) == before


def test_another_seed_needs_another_folder(first: Path) -> None:
    with pytest.raises(InputError, match="another demo"):
        run_demo(first, seed=1, settings=SMALL)


def test_every_stage_is_in_the_run_folder(first: Path) -> None:
    for stage in ("candidates", "scored", "audits", "selected", "shards", "model"):
        assert (first / stage / "CURRENT").is_file()
    assert list((first / ".staging").iterdir()) == []
