"""A study of the tiny shop, as a person runs it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from curation.runs.stage import current, open_stage
from labeling.schemas import SELECTED
from pipelines.cli import main
from pipelines.delivery.export import export
from pipelines.delivery.report import report
from pipelines.run.config import read_config, with_overrides
from pipelines.selecting.select import select
from pipelines.studies import study
from pipelines.studies.label_sets import shards_of
from pipelines.studies.opened import open_study

STUDY = """\
run = "run"
sizes = [20, 40]
depths = [18]
label_sets = ["selected", "all"]
seeds = [0, 1]

[train]
width = 4
steps = 2
batch_size = 8
"""
OUTPUTS = ("csv", "parquet", "json", "png", "svg", "html")


def winnow(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def study_file(shop: Path, selected: Path) -> Path:
    (selected / "config.json").write_text(read_config(shop).model_dump_json())
    path = selected.parent / "study.toml"
    path.write_text(STUDY, encoding="utf-8")
    return path


def test_a_study_is_reported_whole_and_continues_where_it_was(
    study_file: Path, selected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = sorted(path for path in selected.rglob("*") if path.is_file())
    done = winnow("study", study_file)
    assert done.exit_code == 0, done.stderr
    out = study_file.with_suffix("")
    assert done.stderr.splitlines()[-1] == f"next: open {out / 'study.html'}"
    assert done.stdout == (out / "summary.txt").read_text()
    assert done.stdout.startswith("8 networks were trained: ResNet-18 on the selected labels")
    assert all((out / f"study.{ending}").stat().st_size > 500 for ending in OUTPUTS)
    page = (out / "study.html").read_text()
    assert "://" not in page.replace("http://www.w3.org", "")
    assert "<svg" in page
    assert sorted(path for path in selected.rglob("*") if path.is_file()) == stages
    table = pd.read_parquet(out / "study.parquet")
    assert table["value"].notna().all()
    assert len(table[table["measure"] == "map"]) == 8
    assert set(table["n_images"]) == {20, 40}
    assert list(table["steps"].unique()) == [2]
    opened = open_study(out)
    assert opened.to_pandas().equals(table)
    assert "\n".join(opened.sentences) == (out / "summary.txt").read_text().strip()
    assert repr(opened) == f"<Study {out} of 2 label sets, 2 sizes and 2 seeds>"
    assert opened._repr_html_().count("<tr>") == 3
    pd.testing.assert_frame_equal(table, pd.read_csv(out / "study.csv"), check_dtype=False)
    assert list(out.rglob("*.safetensors")) == []

    trained = []
    first = study.train_cell
    monkeypatch.setattr(
        study, "train_cell", lambda *args: (trained.append(args[1].seed), first(*args))[1]
    )
    assert winnow("study", study_file, "-o", "seeds=[0, 1, 5]").exit_code == 0
    assert trained == [5] * 4
    again = pd.read_parquet(out / "study.parquet")
    pd.testing.assert_frame_equal(again[again["seed"] != 5], table)


def test_a_study_in_the_runs_folder_is_part_of_its_report(shop: Path, selected: Path) -> None:
    config = read_config(shop)
    (selected / "config.json").write_text(config.model_dump_json())
    few = (
        STUDY.replace('"run"', '"."')
        .replace("[0, 1]", "[0]")
        .replace('"selected", "all"', '"selected"')
    )
    (selected / "growth.toml").write_text(few, encoding="utf-8")
    assert winnow("study", selected / "growth.toml").exit_code == 0
    page = report(config, selected).read_text()
    assert "More images, other labels: growth" in page
    assert "2 networks were trained" in page
    select(with_overrides(config, ["select.keep=0.2"]), selected)
    assert "2 networks were trained" not in report(config, selected).read_text()


def test_every_network_is_tried_on_another_task(study_file: Path, selected: Path) -> None:
    for part, name, shade in (
        (part, name, shade) for part in ("train", "test") for name, shade in (("a", 30), ("b", 220))
    ):
        (study_file.parent / "greys" / part / name).mkdir(parents=True)
        for number in range(6):
            grey = np.full((16, 16, 3), shade + number, np.uint8)
            file = study_file.parent / "greys" / part / name / f"{number}.png"
            Image.fromarray(grey).save(file)
    with study_file.open("a", encoding="utf-8") as handle:
        handle.write('\n[[task]]\npath = "greys"\nmethods = ["knn"]\n')
    done = winnow("study", study_file, "-o", "seeds=[0]", "-o", 'label_sets=["all"]')
    assert done.exit_code == 0, done.stderr
    table = pd.read_csv(study_file.with_suffix("") / "study.csv")
    accuracy = table[(table["task"] == "greys") & (table["measure"] == "knn_accuracy")]
    assert list(accuracy["value"]) == [1.0, 1.0]
    assert "accuracy of nearest neighbours on greys changes by" in done.stdout


def test_a_precision_is_what_select_would_keep(shop: Path, selected: Path, tmp_path: Path) -> None:
    config = read_config(shop)
    before = current(selected, "selected")
    shards = shards_of(config, selected, tmp_path / "study", "precision-0.6")
    assert current(selected, "selected") == before
    chosen = select(with_overrides(config, ["select.precision=0.6"]), selected)
    kept = export(config, selected, "selected")
    assert open_stage(selected, "selected").table(SELECTED).num_rows == chosen.counts["in"]
    for path, other in zip(
        shards.paths(".tar", "train-"), kept.paths(".tar", "train-"), strict=True
    ):
        assert path.read_bytes() == other.read_bytes()


def test_shards_of_the_run_are_not_written_again(
    shop: Path, selected: Path, tmp_path: Path
) -> None:
    config = read_config(shop)
    shards = export(config, selected, "all")
    assert shards_of(config, selected, tmp_path / "study", "all").dir == shards.dir
    other = with_overrides(config, ["export.holdout_share=0.3"])
    assert shards_of(other, selected, tmp_path / "study", "all").dir != shards.dir


def test_images_that_the_shards_lack_are_in_the_summary_and_used_once_they_are_back(
    study_file: Path, shop: Path, selected: Path
) -> None:
    config, (image, *_) = read_config(shop), sorted(shop.parent.rglob("*.jpg"))
    content = image.read_bytes()
    image.unlink()
    of_run = export(config, selected, "all")
    changes = ("-o", "seeds=[0]", "-o", 'label_sets=["all"]', "-o", "sizes=[20, 30]")
    summary = winnow("study", study_file, *changes).stdout
    assert (
        "The shards of all candidates lack images that could not be used: 1 image_missing."
        in summary
    )
    image.write_bytes(content)
    summary = winnow("study", study_file, *changes).stdout
    assert "lack images" not in summary
    study_dir = study_file.with_suffix("")
    assert shards_of(config, selected, study_dir, "all").counts["out"] == of_run.counts["out"] + 1


@pytest.mark.parametrize(
    ("setting", "code", "expected"),
    [
        ("run=nowhere", 3, "not a run folder"),
        ("sizes=[20, 4000]", 2, "size: 4,000 images"),
        ("depths=[20]", 2, '"depths.0"'),
        ("seeds=[]", 2, '"seeds"'),
        ("train.stesp=1", 2, 'did you mean "steps"?'),
        ("train.batch_size=1", 2, '"train.batch_size"'),
        ("train.micro_batch=3", 2, "shared evenly"),
        ('label_sets=["precision-0.999"]', 4, "best that can be proved"),
        ('task=[{path="absent"}]', 3, "no such task"),
    ],
)
def test_a_study_that_cannot_be_made_is_refused_before_anything_is_trained(
    study_file: Path, setting: str, code: int, expected: str
) -> None:
    done = winnow("study", study_file, "-o", setting)
    assert done.exit_code == code, done.stderr
    assert expected in done.stderr
    assert done.stdout == ""
    assert list(study_file.with_suffix("").glob("cell-*")) == []


@pytest.mark.parametrize(
    ("section", "setting", "expected"),
    [
        ("evaluate", {"truth": None}, "evaluate.truth"),
        ("export", {"holdout_share": 0.0}, "no held-out image"),
        ("train", {"loss": "softmax", "reject": 0.1}, "no negatives to reject"),
    ],
)
def test_held_out_images_and_their_truth_must_be_there(
    study_file: Path,
    shop: Path,
    selected: Path,
    section: str,
    setting: dict[str, object],
    expected: str,
) -> None:
    config = read_config(shop)
    changed = getattr(config, section).model_copy(update=setting)
    text = config.model_copy(update={section: changed}).model_dump_json()
    (selected / "config.json").write_text(text)
    done = winnow("study", study_file)
    assert (done.exit_code, expected in done.stderr) == (2, True), done.stderr


@pytest.mark.slow
def test_a_killed_study_ends_as_an_undisturbed_one(study_file: Path) -> None:
    """It is killed in the middle of a cell, twice."""
    program = [sys.executable, "-m", "pipelines.cli", "study", str(study_file)]
    longer = [*program, "-o", "train.steps=40", "-o", "train.threads=1"]
    out = study_file.with_suffix("")
    subprocess.run(longer, check=True, capture_output=True)
    expected = (out / "study.csv").read_bytes()
    shutil.rmtree(out)
    for n_cells in (1, 3):
        with subprocess.Popen(longer, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            while not _is_in_a_cell(out, n_cells):
                assert run.poll() is None
                time.sleep(0.002)
            os.kill(run.pid, signal.SIGKILL)
        assert not (out / "study.csv").exists()
    done = subprocess.run(longer, check=True, capture_output=True, text=True)
    assert "an earlier study stopped here" in done.stderr
    assert "of 8 cells were finished before" in done.stderr
    assert (out / "study.csv").read_bytes() == expected


def _is_in_a_cell(study_dir: Path, n_finished: int) -> bool:
    finished = list(study_dir.glob("cell-*/CURRENT"))
    begun = list((study_dir / ".staging").glob("cell-*.work"))
    return len(finished) >= n_finished and bool(begun)
