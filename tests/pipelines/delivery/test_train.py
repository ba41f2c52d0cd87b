from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from curation.runs.stage import open_stage
from labeling.errors import QualityError
from pipelines.cli import main
from pipelines.delivery import train as training
from pipelines.delivery.export import export
from pipelines.delivery.train import summary, train
from pipelines.run.config import read_config, with_overrides
from pipelines.run.saved_config import save_config
from training.losses import LOSSES


@pytest.fixture
def exported(shop: Path, selected: Path) -> Path:
    """Return a run folder with shards."""
    config = read_config(shop)
    export(config, selected, "selected")
    save_config(config, selected)
    return selected


def weights(run: Path) -> bytes:
    return (open_stage(run, "model").dir / "model.safetensors").read_bytes()


def test_a_stopped_training_resumes_to_the_same_model(
    shop: Path, exported: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    config = with_overrides(read_config(shop), ["train.checkpoint_minutes=0"])
    whole = Path(shutil.copytree(exported, tmp_path / "whole"))
    train(config, whole, "selected")
    with monkeypatch.context() as patch:
        real = LOSSES["logistic"]
        calls = iter([1.0] * 7 + [float("nan")])
        patch.setitem(LOSSES, "logistic", lambda *given: real(*given) * next(calls))
        with pytest.raises(QualityError, match="not finite") as error:
            train(config, exported, "selected")
    states = error.value.facts["last good states"]
    assert sorted(path.name for path in Path(str(states)).iterdir()) == [
        "step-00000006",
        "step-00000007",
    ]
    assert not (exported / "model").exists()
    stage = train(config, exported, "selected")
    assert "resuming after step 7" in capsys.readouterr().err
    assert weights(exported) == weights(whole)
    assert not any((exported / ".staging").iterdir())
    assert "30 steps of" in summary(stage)


def test_what_does_not_change_the_model_does_not_train_it_again(
    shop: Path, exported: Path, monkeypatch
) -> None:
    config = read_config(shop)
    first = train(config, exported, "selected")
    monkeypatch.setattr(training, "_write", pytest.fail)
    again = with_overrides(config, ["train.checkpoint_minutes=1", "train.tensorboard=true"])
    assert train(again, exported, "selected").dir == first.dir


def test_the_command_prints_a_summary_and_writes_events(exported: Path) -> None:
    command = ["train", str(exported), "-o", "train.tensorboard=true", "-o", "train.steps=4"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("summary")]
    assert "4 steps of" in line and "images/s on" in line and "final loss" in line
    (events,) = (exported / "tensorboard").glob("model-*/events.*")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events_read = EventAccumulator(str(events)).Reload()
    assert set(events_read.Tags()["scalars"]) == {"loss", "learning_rate", "images_per_second"}
    assert [event.step for event in events_read.Scalars("loss")] == [1, 2, 3, 4]


def test_other_settings_of_the_training_reach_it(shop: Path, exported: Path) -> None:
    keys = ["loss=softmax", "sampling=square-root", "ema=0.5", "micro_batch=8", "steps=3"]
    config = with_overrides(read_config(shop), [f"train.{key}" for key in keys])
    stage = train(config, exported, "selected")
    assert "softmax loss" in summary(stage)
    assert stage.manifest["config"]["ema"] == 0.5


@pytest.mark.slow
def test_processes_of_torchrun_make_one_model_and_reuse_it(exported: Path) -> None:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *torchrun, "-m", "pipelines.cli", "train", str(exported)]
    for _ in range(2):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        assert result.stdout.count("summary") == 1
        assert "2 processes of 1 CPU thread" in result.stdout
    assert len(list((exported / "model").glob("*/manifest.json"))) == 1
