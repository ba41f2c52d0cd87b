from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labeling.errors import InputError
from tests.training.drawings import draw
from training.data.samples import labels_in_shards, training_batches

EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "training_loop.py"


@pytest.fixture
def shards_dir(write_shard: Callable[..., Path]) -> Path:
    return write_shard([draw(number) for number in range(60)], name="train-00000.tar").parent


def test_a_training_loop_of_ones_own_lowers_the_loss(
    shards_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [EXAMPLE.name, str(shards_dir)])
    runpy.run_path(str(EXAMPLE))
    losses = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert len(losses) == 5
    assert losses[-1] < 0.8 * losses[0]


def test_batches_of_a_folder_hold_the_labels_asked_for(shards_dir: Path) -> None:
    assert labels_in_shards(shards_dir) == ["blue", "disc", "green", "red", "square"]
    (batch,) = training_batches(shards_dir, ["disc"], steps=1, image_size=16, batch_size=8)
    assert batch.pixels.shape == (8, 16, 16, 3)
    assert set(batch.code.tolist()) == {0}


def test_a_folder_without_training_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no training shard"):
        labels_in_shards(tmp_path)
