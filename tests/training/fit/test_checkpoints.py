from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeling.errors import InputError, QualityError
from tests.training.drawings import LABELS, draw
from tests.training.trainings import CONFIG, FILES, files, silent, trained
from training.data.shard_index import open_shards
from training.fit import train as module
from training.fit.checkpoints import Checkpoints, newest_state, save_state
from training.fit.logs import Done
from training.fit.train import train
from training.losses import LOSSES

LONG = CONFIG.model_copy(
    update={"steps": 10, "micro_batch": 4, "ema": 0.9, "reject": 0.1, "sampling": "square-root"}
)


@pytest.fixture
def shard(write_shard) -> Path:
    return write_shard([draw(number) for number in range(12)])


class Stopped(Exception):
    pass


def stopping(at: int):
    def progress(step: int, steps: int, loss: float) -> None:
        if step == at:
            raise Stopped

    return progress


def attempt(shard: Path, out_dir: Path, states: Path, at: int, config=LONG) -> list[str]:
    out_dir.mkdir(exist_ok=True)
    messages: list[str] = []
    keeps = Checkpoints(states, minutes=0, report=messages.append)
    with pytest.raises(Stopped):
        train(open_shards([shard]), LABELS, config, out_dir, stopping(at), checkpoints=keeps)
    return messages


@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(stops=st.lists(st.integers(1, 10), min_size=1, max_size=4, unique=True).map(sorted))
def test_a_training_stopped_anywhere_resumes_to_the_same_bytes(
    shard: Path, tmp_path_factory: pytest.TempPathFactory, stops: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("stopped")
    whole = trained(shard, folder / "whole", LONG)
    for at in stops:
        attempt(shard, folder / "model", folder / "states", at)
    messages: list[str] = []
    keeps = Checkpoints(folder / "states", minutes=0, report=messages.append)
    assert trained(shard, folder / "model", LONG, checkpoints=keeps) == whole
    # Stopped while step k is messages: its state is not yet written.
    assert messages == ([f"resuming after step {stops[-1] - 1}"] if stops[-1] > 1 else [])


def test_the_newest_two_states_are_kept_and_a_damaged_one_is_passed_over(
    shard: Path, tmp_path: Path
) -> None:
    whole = trained(shard, tmp_path / "whole", LONG)
    attempt(shard, tmp_path / "model", tmp_path / "states", at=8)
    states = sorted(path.name for path in (tmp_path / "states").iterdir())
    assert states == ["step-00000006", "step-00000007"]
    newest = tmp_path / "states" / "step-00000007" / "state.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    messages: list[str] = []
    keeps = Checkpoints(tmp_path / "states", minutes=60, report=messages.append)
    assert trained(shard, tmp_path / "model", LONG, checkpoints=keeps) == whole
    assert messages == [
        "step-00000007 is damaged (its digest differs): trying the one before it",
        "resuming after step 6",
    ]


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": "winnow-training-0"}', b"\x80\x04."])
def test_damaged_notes_are_passed_over_and_nothing_is_unpickled(
    tmp_path: Path, content: bytes
) -> None:
    keeps = Checkpoints(tmp_path, report=(messages := []).append)
    for step in (1, 2):
        save_state(keeps, step, "id", {"x": torch.full((1,), step), "log": torch.zeros(step, 3)})
    (tmp_path / "step-00000002" / "state.json").write_bytes(content)
    state = newest_state(keeps, "id")
    assert state is not None
    assert state["x"].item() == 1
    assert messages[0].startswith("step-00000002 is damaged")


def test_the_states_of_another_training_are_refused(shard: Path, tmp_path: Path) -> None:
    attempt(shard, tmp_path / "model", tmp_path / "states", at=3)
    other = LONG.model_copy(update={"learning_rate": 0.1})
    with pytest.raises(InputError, match="another training") as error:
        trained(shard, tmp_path / "model", other, checkpoints=Checkpoints(tmp_path / "states"))
    assert error.value.help


def test_a_loss_that_is_not_finite_leaves_the_last_good_state(
    shard: Path, tmp_path: Path, monkeypatch
) -> None:
    real = LOSSES["logistic"]
    calls = iter([1.0] * 6 + [float("nan")] * 2)
    monkeypatch.setitem(LOSSES, "logistic", lambda *given: real(*given) * next(calls))
    keeps = Checkpoints(tmp_path / "states", minutes=0, report=(messages := []).append)
    with pytest.raises(QualityError, match="not finite") as error:
        trained(shard, tmp_path / "model", LONG, checkpoints=keeps)
    assert error.value.facts["step"] == 4
    assert not any((tmp_path / "model" / name).exists() for name in FILES)
    monkeypatch.undo()
    model = trained(shard, tmp_path / "model", LONG, checkpoints=keeps)
    assert messages == ["resuming after step 3"]
    assert model == trained(shard, tmp_path / "whole", LONG)


@pytest.mark.parametrize("value", [1.0, float("inf"), float("nan")])
def test_training_does_not_resume_from_weights_that_are_not_finite(
    tmp_path: Path, value: float
) -> None:
    learner = SimpleNamespace(state=lambda: {"network.fc.bias": torch.tensor([0.0, value])})
    keep = module._keeper(learner, Checkpoints(tmp_path / "states", minutes=0), "id")
    keep([Done(1, 0.5, 0.1)], False)
    assert (tmp_path / "states").exists() == (value == 1.0)


def test_ctrl_c_waits_for_the_step_and_writes_its_state(shard: Path, tmp_path: Path) -> None:
    def press(step: int, steps: int, loss: float) -> None:
        if step == 4:
            os.kill(os.getpid(), signal.SIGINT)

    keeps = Checkpoints(tmp_path / "states", report=(messages := []).append)
    (tmp_path / "model").mkdir()
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(open_shards([shard]), LABELS, LONG, tmp_path / "model", press, checkpoints=keeps)
    assert signal.getsignal(signal.SIGINT) == before
    model = trained(shard, tmp_path / "model", LONG, checkpoints=keeps)
    assert messages == ["resuming after step 4"]
    assert model == trained(shard, tmp_path / "whole", LONG)


def test_states_are_written_as_often_as_asked_for(shard: Path, tmp_path: Path) -> None:
    keeps = Checkpoints(tmp_path / "states", minutes=60)
    (tmp_path / "model").mkdir()
    train(open_shards([shard]), LABELS, LONG, tmp_path / "model", silent, checkpoints=keeps)
    assert not (tmp_path / "states").exists()


@pytest.mark.crash
def test_a_training_killed_at_twenty_random_moments_gives_the_same_bytes(
    shard: Path, tmp_path: Path
) -> None:
    program = [sys.executable, "-m", "tests.training.trainings", str(shard)]
    steps = "60"

    def start(folder: str) -> subprocess.Popen[str]:
        (tmp_path / folder).mkdir(exist_ok=True)
        command = [*program, str(tmp_path / folder), steps, "4"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    start("whole").communicate()
    chance, n_killed = random.Random(0), 0
    while n_killed < 20:
        process = start("killed")
        wait_for_states(process, tmp_path / "killed" / "states", chance.randint(1, 3))
        time.sleep(chance.random() * 0.02)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        n_killed += 1
    last = start("killed")
    messages, _ = last.communicate()
    assert last.returncode == 0
    assert "resuming after step" in messages
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def wait_for_states(process: subprocess.Popen[str], states: Path, n: int) -> None:
    """Wait until a process has written n states more than there were."""

    def newest() -> int:
        return max((int(path.name[5:]) for path in states.glob("step-*")), default=0)

    first = newest()
    while process.poll() is None and newest() < first + n:
        time.sleep(0.002)
