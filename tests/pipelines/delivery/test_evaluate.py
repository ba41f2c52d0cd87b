from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from pipelines.cli import main
from training.model.architecture import Architecture
from training.model.model_file import ModelCard, save_model
from training.model.resnet import ResNet


def winnow(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *(str(argument) for argument in arguments)])


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    architecture = Architecture(18, width=8, stem="small")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ResNet(architecture, 1)
    (tmp_path / "model").mkdir()
    card = ModelCard(architecture, ("a",), 16, (0.5,) * 3, (0.25,) * 3, 0, {})
    save_model(tmp_path / "model", network.state_dict(), card)
    return tmp_path / "model"


@pytest.fixture
def task(tmp_path: Path) -> Path:
    for part, n in (("train", 6), ("test", 3)):
        for name, colour in (("red", (200, 20, 20)), ("blue", (20, 20, 200))):
            (tmp_path / "colours" / part / name).mkdir(parents=True)
            for number in range(n):
                shade = tuple(c + 5 * number for c in colour)
                file = tmp_path / "colours" / part / name / f"{number}.png"
                Image.new("RGB", (16, 16), shade).save(file)
    return tmp_path / "colours"


def test_measures_on_another_task_are_printed_and_written(model_dir: Path, task: Path) -> None:
    done = winnow(model_dir, "--on", task, "--method", "scratch", "--method", "knn", "--steps", 1)
    assert done.exit_code == 0, done.stderr
    printed = dict(line.split() for line in done.stdout.splitlines())
    written = json.loads((model_dir / "transfer-colours.json").read_text())
    assert printed["measures"] == str(model_dir / "transfer-colours.json")
    assert printed["knn_accuracy"] == "1.0000"
    assert written["measures"]["knn_accuracy"] == 1
    assert set(written["measures"]) == set(printed) - {"measures"}
    assert "linear_accuracy" not in printed
    assert (written["kind"], written["budget"]["steps"]) == ("classify", 1)


def test_the_model_of_a_run_is_found_by_its_label_set(
    model_dir: Path, task: Path, selected: Path, tmp_path: Path
) -> None:
    from curation.runs.staging import write_stage

    with write_stage(selected, "model-all", inputs={}, config={}) as work:
        for file in model_dir.iterdir():
            shutil.copy(file, work.dir)
    out = tmp_path / "told.json"
    options = ("--on", task, "--method", "linear", "--out", out)
    assert winnow(selected, "--label-set", "all", *options).exit_code == 0
    assert json.loads(out.read_text())["measures"]["linear_accuracy"] == 1
    refused = winnow(selected, *options)
    assert refused.exit_code == 3
    assert "no model in this folder" in refused.stderr


def test_options_that_do_not_go_together_are_refused(model_dir: Path, task: Path) -> None:
    alone = winnow(model_dir, "--steps", 3)
    assert (alone.exit_code, "help: name the task: --on" in alone.stderr) == (2, True)
    wrong = winnow(model_dir, "--on", task, "--method", "frozen")
    assert (wrong.exit_code, "knn, linear" in wrong.stderr) == (2, True)
