from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.numpy
import torch
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import ConfigError
from tests.training.drawings import draw
from tests.training.trainings import CONFIG, trained
from training.fit.config import TrainConfig
from training.fit.distributed import ALONE, World, processes
from training.fit.train import micro_batches


@given(st.integers(1, 4), st.integers(1, 4), st.integers(2, 5))
def test_the_processes_share_each_step_without_gap_or_overlap(
    size: int, n: int, micro: int
) -> None:
    config = TrainConfig(batch_size=size * n * micro, micro_batch=micro)
    parts = [part for rank in range(size) for part in micro_batches(config, World(rank, size))]
    rows = sorted(row for part in parts for row in range(part.start, part.stop))
    assert rows == list(range(config.batch_size))
    assert {part.stop - part.start for part in parts} == {micro}


@pytest.mark.parametrize(
    ("batch_size", "micro_batch", "size"), [(8, None, 3), (8, 4, 4), (2, None, 2)]
)
def test_steps_that_cannot_be_shared_evenly_are_refused(batch_size, micro_batch, size) -> None:
    config = TrainConfig(batch_size=batch_size, micro_batch=micro_batch)
    with pytest.raises(ConfigError, match="shared evenly") as error:
        micro_batches(config, World(0, size))
    assert error.value.facts["processes"] == size
    assert error.value.help


def test_a_process_that_torchrun_did_not_start_works_alone(monkeypatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with processes() as world:
        assert world == ALONE
        assert world.from_first("said") == "said"
        assert world.mean(torch.tensor(3.0)).item() == 3


@pytest.mark.slow
def test_two_processes_learn_what_one_does_with_the_same_micro_batches(
    write_shard, tmp_path: Path
) -> None:
    shard = write_shard([draw(number) for number in range(12)])
    first, second = run_apart(shard, tmp_path / "one", 1), run_apart(shard, tmp_path / "two", 2)
    assert losses(second) == pytest.approx(losses(first), rel=1e-4)
    alone, shared = (
        safetensors.numpy.load_file(out / "model.safetensors") for out in (first, second)
    )
    for name, weights in alone.items():
        # The statistics are those of the micro-batches that the first process saw.
        if "running" not in name and "num_batches" not in name:
            assert shared[name] == pytest.approx(weights, abs=2e-4), name


def test_micro_batches_add_up_to_the_step_except_in_batch_norms(
    write_shard, tmp_path: Path
) -> None:
    shard = write_shard([draw(number) for number in range(12)])
    parts = CONFIG.model_copy(update={"micro_batch": 4})
    whole_model = trained(shard, tmp_path / "whole")["model.safetensors"]
    parts_model = trained(shard, tmp_path / "parts", parts)["model.safetensors"]
    assert whole_model != parts_model
    first, *_ = losses(tmp_path / "whole")
    assert losses(tmp_path / "parts")[0] == pytest.approx(first, rel=0.05)


def run_apart(shard: Path, out_dir: Path, n_processes: int) -> Path:
    out_dir.mkdir()
    each = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n_processes)]
    program = ["-m", "tests.training.trainings", str(shard), str(out_dir), "8", "2"]
    command = [sys.executable, *(each if n_processes > 1 else ()), *program]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return out_dir


def losses(folder: Path) -> list[float]:
    rows = csv.DictReader((folder / "log.csv").read_text().splitlines())
    return [float(row["loss"]) for row in rows]
