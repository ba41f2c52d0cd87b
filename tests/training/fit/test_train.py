from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from labeling.errors import InputError, QualityError
from tests.training.drawings import LABELS, Drawing, draw, replace_facts
from tests.training.trainings import CONFIG, FILES, silent, trained
from training.data.loader import training_batches
from training.data.shard_index import open_shards
from training.data.targets import read_targets
from training.fit import train as module
from training.fit.config import TrainConfig
from training.fit.learner import Learner
from training.fit.schedule import rate_at
from training.fit.train import train
from training.losses import LOSSES
from training.model.model_file import load_model
from training.model.resnet import ResNet


@pytest.fixture
def shard(write_shard) -> Path:
    return write_shard([draw(number) for number in range(12)])


def test_a_tiny_set_is_learned(shard: Path, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"steps": 60, "batch_size": 12})
    calls: list[tuple[int, int, float]] = []
    result = train(open_shards([shard]), LABELS, config, tmp_path, lambda *call: calls.append(call))
    assert [(step, steps) for step, steps, _ in calls] == [(s, 60) for s in range(1, 61)]
    assert calls[0][2] > 3.0
    # Two labels at 0.9, three certain negatives: 0.65 nats is the least there is.
    assert 0.65 < result.final_loss < 1.1
    assert (result.steps, result.images) == (60, 720)
    assert result.images_per_second > 0
    assert result.final_loss == pytest.approx(sum(loss for *_, loss in calls[-6:]) / 6)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_seed_gives_the_same_files(shard: Path, tmp_path: Path, precision: str) -> None:
    config = CONFIG.model_copy(update={"precision": precision})
    first = trained(shard, tmp_path / "first", config)
    torch.rand(5)
    assert trained(shard, tmp_path / "again", config) == first
    other = trained(shard, tmp_path / "other", config.model_copy(update={"seed": 1}))
    assert other["model.safetensors"] != first["model.safetensors"]


def test_the_state_of_torch_is_left_as_it_was(shard: Path, tmp_path: Path) -> None:
    def state() -> tuple[object, ...]:
        return (
            torch.get_rng_state().tolist(),
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_autocast_enabled("cpu"),
            torch.is_grad_enabled(),
        )

    before = state()
    trained(shard, tmp_path / "model")
    assert state() == before


def test_the_trained_model_and_its_log_are_written(shard: Path, tmp_path: Path) -> None:
    trained(shard, tmp_path / "model")
    network, card = load_model(tmp_path / "model")
    assert card.label_ids == LABELS
    assert card.step == 3
    assert card.training == CONFIG.model_dump()
    assert network.bn1.num_batches_tracked.item() == 3
    rows = list(csv.DictReader((tmp_path / "model" / "log.csv").read_text().splitlines()))
    assert [row["step"] for row in rows] == ["1", "2", "3"]
    rates = [float(row["learning_rate"]) for row in rows]
    expected = [CONFIG.learning_rate * rate_at(step, 3, CONFIG.warmup_share) for step in (1, 2, 3)]
    assert rates == pytest.approx(expected)


def test_labels_begin_at_their_base_rates(write_shard) -> None:
    shards = open_shards([write_shard([draw(n) for n in range(6)])])
    network = ResNet(CONFIG.architecture, len(LABELS))
    module._begin_at_base_rates(network, read_targets(shards, LABELS))
    # blue, green and red are on two of six images, disc and square on three; each at 0.9.
    shown = torch.tensor([2, 3, 2, 2, 3]) * 0.9
    assert torch.allclose(network.fc.bias.sigmoid(), (shown + 1) / 8)


def test_biases_and_norms_do_not_decay() -> None:
    network = ResNet(CONFIG.architecture, 2)
    groups = Learner(network, CONFIG, 2, torch.device("cpu")).optimizer.param_groups
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    for name, parameter in network.named_parameters():
        is_kernel = name.endswith("weight") and "bn" not in name and "downsample.1" not in name
        assert decays[id(parameter)] == (CONFIG.weight_decay if is_kernel else 0), name


def test_a_loss_that_is_not_finite_stops_with_step_and_images(
    shard: Path, tmp_path: Path, monkeypatch
) -> None:
    losses = iter([1.0, float("nan")])
    monkeypatch.setitem(LOSSES, "logistic", lambda logits, *_: logits * 0 + next(losses))
    with pytest.raises(QualityError, match="the loss is not finite") as error:
        train(open_shards([shard]), LABELS, CONFIG, tmp_path, silent)
    assert error.value.facts["step"] == 2
    images = str(error.value.facts["images"]).split()
    assert len(images) == CONFIG.batch_size
    assert set(images) <= {draw(number).image_id for number in range(12)}
    assert not any((tmp_path / name).exists() for name in FILES)


@pytest.mark.parametrize("label_ids", [(), ("red", "red")])
def test_no_labels_or_equal_ones_are_refused(shard: Path, tmp_path: Path, label_ids) -> None:
    with pytest.raises(InputError, match="labels to train on"):
        train(open_shards([shard]), label_ids, CONFIG, tmp_path, silent)


def test_a_loss_of_ones_own_is_trained_with_by_its_name(
    shard: Path, tmp_path: Path, monkeypatch
) -> None:
    def brier(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return weight * (logits.sigmoid() - target) ** 2

    monkeypatch.setitem(LOSSES, "brier", brier)
    config = CONFIG.model_copy(update={"loss": "brier", "steps": 20, "batch_size": 12})
    losses: list[float] = []
    train(open_shards([shard]), LABELS, config, tmp_path, lambda *call: losses.append(call[2]))
    assert losses[-1] < 0.8 * losses[0] < 5
    _, card = load_model(tmp_path)
    assert card.training["loss"] == "brier"


def test_settings_out_of_range_are_refused_all_at_once() -> None:
    with pytest.raises(ValidationError) as error:
        TrainConfig(steps=0, learning_rate=float("inf"), warmup_share=2, threads=0)
    wrong = {name for problem in error.value.errors() for name in problem["loc"]}
    assert wrong == {"steps", "learning_rate", "warmup_share", "threads"}


def test_softmax_has_no_negatives_to_reject() -> None:
    with pytest.raises(ValidationError, match="softmax"):
        TrainConfig(loss="softmax", reject=0.1)


def test_the_learning_rate_rises_and_falls_once() -> None:
    rates = [rate_at(step, 200, warmup_share=0.1) for step in range(1, 201)]
    assert rates[:20] == sorted(rates[:20])
    assert rates[19:] == sorted(rates[19:], reverse=True)
    assert max(rates) == 1
    assert rates[-1] == 0


def test_training_imports_no_beam() -> None:
    code = (
        "import sys, training.fit.train, training.evaluation.evaluate;"
        "sys.exit(any(m.split('.')[0] in ('apache_beam', 'pipelines') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def odd_sets() -> dict[str, list[Drawing]]:
    one_class = [draw(6 * number) for number in range(5)]
    no_labels = [replace_facts(draw(number), labels=[]) for number in range(2)]
    unknown = [replace_facts(draw(number), labels=[], unknown=list(LABELS)) for number in range(2)]
    sizes = [draw(number, side) for number, side in enumerate((9, 16, 33, 200))]
    return {
        "fewer images than a batch": [draw(0), draw(1)],
        "one class, others never seen": one_class,
        "images without labels": [*one_class, *no_labels],
        "images of which nothing is known": [*one_class, *unknown],
        "nothing but such images": unknown,
        "images of other sizes": sizes,
    }


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", odd_sets())
def test_odd_sets_are_trained_on(write_shard, tmp_path: Path, name: str, loss: str) -> None:
    config = CONFIG.model_copy(update={"loss": loss, "sampling": "square-root", "steps": 2})
    trained(write_shard(odd_sets()[name]), tmp_path, config)
    network, _ = load_model(tmp_path)
    assert all(tensor.isfinite().all() for tensor in network.state_dict().values())


def test_more_workers_than_shards_train_all_the_same(write_shard, tmp_path: Path) -> None:
    shards = open_shards([write_shard([draw(0), draw(1)])])
    targets = read_targets(shards, LABELS)
    batches = training_batches(shards, targets, 16, 8, 0, range(3), n_workers=4)
    assert [len(batch.keys) for batch in batches] == [8, 8, 8]
