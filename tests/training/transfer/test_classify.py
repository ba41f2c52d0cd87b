from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from labeling.errors import ConfigError, QualityError
from training.model.model_file import load_model
from training.transfer import classify as module
from training.transfer.classify import Classification, accuracies
from training.transfer.fitting import Budget
from training.transfer.readers.classes import Labelled
from training.transfer.readers.images import TaskData
from training.transfer.task import evaluate_on

BUDGET = Budget(steps=15, batch_size=12, learning_rate=0.05, weight_decay=5e-4)


def noise(number: int, rng: np.random.Generator) -> np.ndarray:
    """Draw noise that is redder for even numbers and bluer for odd ones."""
    pixels = rng.integers(60, 200, (24, 24, 3)) + rng.integers(-30, 30)
    pixels[:, :, 2 * (number % 2)] += 30
    return pixels.astype(np.uint8)


def labelled(n: int, seed: int) -> Labelled:
    rng = np.random.default_rng(seed)
    pixels = torch.tensor(np.stack([noise(number, rng) for number in range(n)]))
    return Labelled(pixels, torch.arange(n) % 2)


DATA = TaskData(("red", "blue"), labelled(40, 0), labelled(30, 1), Counter())


@pytest.mark.parametrize("method", ["finetune", "scratch"])
def test_fine_tuning_learns_and_leaves_the_model_as_it_was(model_dir: Path, method: str) -> None:
    network, card = load_model(model_dir)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    task = Classification(network, card, DATA)
    assert task.measures_of(method, BUDGET, 0)["accuracy"] > 0.9
    assert all(value.equal(before[name]) for name, value in network.state_dict().items())


def test_the_seed_and_the_weights_decide(model_dir: Path, monkeypatch) -> None:
    (network, card), (other, _) = load_model(model_dir), load_model(model_dir)
    with torch.no_grad():
        other.conv1.weight.neg_()
    losses: list[list[float]] = []
    entropy = F.cross_entropy

    def noted(*args: torch.Tensor) -> torch.Tensor:
        losses[-1].append(entropy(*args).item())
        return entropy(*args)

    monkeypatch.setattr(F, "cross_entropy", noted)
    state = torch.get_rng_state()
    short = dataclasses.replace(BUDGET, steps=3)
    for net, seed, method in (
        *((network, 0, "finetune"), (network, 0, "finetune"), (network, 1, "finetune")),
        *((other, 0, "finetune"), (network, 0, "scratch"), (other, 0, "scratch")),
    ):
        losses.append([])
        Classification(net, card, DATA).trained(method, short, seed)
    assert torch.get_rng_state().equal(state)
    tuned, again, seeded, elsewhere, scratch, from_other = losses
    assert tuned == again
    assert scratch == from_other
    assert len({tuple(run) for run in (tuned, seeded, elsewhere, scratch)}) == 4


def test_all_methods_on_a_folder_with_a_band_over_seeds(model_dir: Path, tmp_path: Path) -> None:
    for part, data in (("train", DATA.train), ("test", DATA.test)):
        for row, code in enumerate(data.classes.tolist()):
            folder = tmp_path / "task" / part / DATA.names[code]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(data.pixels[row].numpy()).save(folder / f"{row:02}.png")
    (folder / "broken.jpg").write_bytes(b"")
    short = dataclasses.replace(BUDGET, steps=2)
    measures = dict(
        evaluate_on(Classification, model_dir, tmp_path / "task", budget=short, seeds=(0, 1))
    )
    assert (measures["n_classes"], measures["n_train"], measures["n_test"]) == (2, 40, 30)
    assert measures["n_image_unreadable"] == 1
    for method in Classification.methods:
        assert 0 <= measures[f"{method}_accuracy"] <= 1
    band = [measures[f"finetune_accuracy{end}"] for end in ("_low", "", "_high")]
    assert band == sorted(band)
    assert "knn_accuracy_low" not in measures
    assert measures["linear_accuracy"] > 0.8


def test_accuracy_by_hand() -> None:
    measures = accuracies(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 2]))
    assert measures == {"accuracy": 0.5, "class_accuracy": pytest.approx((2 / 3 + 0) / 2)}


def test_a_loss_that_is_not_finite_stops(model_dir: Path) -> None:
    network, card = load_model(model_dir)
    card = dataclasses.replace(card, mean=(3e38,) * 3)  # infinite over a deviation below 1
    with pytest.raises(QualityError, match="not finite") as error:
        Classification(network, card, DATA).trained("finetune", BUDGET, 0)
    assert error.value.facts["step"] == 1


def test_features_are_those_of_the_network_in_evaluation_mode(model_dir: Path, monkeypatch) -> None:
    network, card = load_model(model_dir)
    whole, test = Classification(network.train(), card, DATA).features
    assert (whole.shape, test.shape) == ((40, 64), (30, 64))
    monkeypatch.setattr(module, "BATCH_SIZE", 7)
    parts, _ = Classification(network.train(), card, DATA).features
    assert np.allclose(parts, whole, atol=1e-5)
    assert network.bn1.num_batches_tracked == 0


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch_size": 1}, {"learning_rate": 0.0}])
def test_budgets_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        dataclasses.replace(BUDGET, **wrong)
