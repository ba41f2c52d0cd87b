"""The fashion recipe on its real photos and titles; skips where the data is absent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from curation.intervals.precision import clopper_pearson
from curation.runs.stage import open_stage
from pipelines.delivery.export import export
from pipelines.jobs.label import label
from pipelines.run.config import read_config
from pipelines.run.saved_config import save_config
from pipelines.selecting.select import select

ROOT = Path(__file__).resolve().parent.parent.parent
RECIPE = ROOT / "docs" / "recipes" / "fashion.toml"
ARCHIVE = Path(os.environ.get("WINNOW_DATA", "")) / "fashion_dev.tar.gz"

CONFIDENCE = 0.999
"""An interval of 95 % would miss the truth in one of twenty draws of the audits."""

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("WINNOW_DATA") or not ARCHIVE.is_file(),
        reason="WINNOW_DATA names no folder with fashion_dev.tar.gz",
    ),
]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fashion")
    prepare = [sys.executable, ROOT / "docs/recipes/fashion.py", ARCHIVE, folder / "data"]
    subprocess.run(prepare, check=True, capture_output=True)
    config = read_config(RECIPE, [f"select.confidence={CONFIDENCE}"])
    config = config.model_copy(update={"base": str(folder / "data")})
    label(config, folder / "run")
    save_config(config, folder / "run")
    select(config, folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def measures(run_dir: Path) -> dict[str, float]:
    compare = [sys.executable, ROOT / "tests/benchmarks/fashion.py", run_dir]
    done = subprocess.run(compare, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def test_the_selected_third_beats_the_naive_ranking_of_the_same_rows(
    measures: dict[str, float],
) -> None:
    assert measures["candidates"] > 50_000
    for block in ("third", "third_unaudited"):
        wrong = {m: 1 - measures[f"precision_{m}_{block}"] for m in ("naive", "winnow")}
        assert wrong["winnow"] < 0.7 * wrong["naive"]
    assert measures["recall_winnow_third"] > measures["recall_naive_third"]


def test_the_interval_holds_the_true_precision_and_is_narrower_than_of_a_uniform_draw(
    run_dir: Path, measures: dict[str, float]
) -> None:
    selected = open_stage(run_dir, "selected")
    facts, kept = selected.facts, selected.counts["out"] / selected.counts["in"]
    true = measures["precision_kept"]
    assert facts["precision_low"] <= true <= facts["precision_high"]
    assert facts["precision_high"] - facts["precision_low"] < clopper_pearson_width(
        facts["precision"], kept * facts["n_audits"]
    )


def clopper_pearson_width(share: float, n: float) -> float:
    low, high = clopper_pearson(share * n, n, CONFIDENCE)
    return float(high - low)


def test_every_photo_is_accounted_for(run_dir: Path) -> None:
    config = read_config(RECIPE).model_copy(update={"base": str(run_dir.parent / "data")})
    counts = export(config, run_dir, "selected").counts
    assert counts["in"] == counts["train"] + counts["heldout"] + sum(counts["dropped"].values())
    assert set(counts["dropped"]) <= {"no_kept_label"}


def test_titles_alone_name_labels_more_precisely_than_a_naive_search(run_dir: Path) -> None:
    compare = [sys.executable, ROOT / "tests/benchmarks/titles.py", run_dir.parent / "data"]
    done = subprocess.run([*compare, "--audits"], check=True, capture_output=True, text=True)
    measures = json.loads(done.stdout.splitlines()[-1])
    assert measures["recall and no fixed phrases"] >= measures["recall naive"]
    wrong = {name: 1 - measures[f"precision {name}"] for name in ("naive", "and no fixed phrases")}
    assert wrong["and no fixed phrases"] < 0.7 * wrong["naive"]
