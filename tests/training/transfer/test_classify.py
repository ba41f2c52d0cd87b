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
from training.transfer.classes import ClassTask, Labelled
from training.transfer.classify import (
    METHODS,
    Budget,
    evaluate_classes,
    fine_tune,
    measures,
)

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


TASK = ClassTask(("red", "blue"), labelled(40, 0), labelled(30, 1), Counter())


def accuracy(guess: torch.Tensor) -> float:
    return measures(guess, TASK)["accuracy"]


@pytest.mark.parametrize("from_scratch", [False, True])
def test_fine_tuning_learns_and_leaves_the_model_as_it_was(
    model_dir: Path, from_scratch: bool
) -> None:
    network, card = load_model(model_dir)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    guess = fine_tune(network, card, TASK, BUDGET, 0, from_scratch)
    assert accuracy(guess) > 0.9
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
    for net, seed, fresh in (
        *((network, 0, False), (network, 0, False), (network, 1, False), (other, 0, False)),
        *((network, 0, True), (other, 0, True)),
    ):
        losses.append([])
        fine_tune(net, card, TASK, short, seed, fresh)
    assert torch.get_rng_state().equal(state)
    tuned, again, seeded, elsewhere, scratch, from_other = losses
    assert tuned == again
    assert scratch == from_other
    assert len({tuple(run) for run in (tuned, seeded, elsewhere, scratch)}) == 4


def test_all_methods_on_a_folder_with_a_band_over_seeds(model_dir: Path, tmp_path: Path) -> None:
    for part, own in (("train", TASK.train), ("test", TASK.test)):
        for row, code in enumerate(own.classes.tolist()):
            folder = tmp_path / "task" / part / TASK.names[code]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(own.pixels[row].numpy()).save(folder / f"{row:02}.png")
    (folder / "broken.jpg").write_bytes(b"")
    short = dataclasses.replace(BUDGET, steps=2)
    found = dict(evaluate_classes(model_dir, tmp_path / "task", METHODS, short, seeds=(0, 1)))
    assert (found["n_classes"], found["n_train"], found["n_test"]) == (2, 40, 30)
    assert found["n_image_unreadable"] == 1
    for method in METHODS:
        assert 0 <= found[f"{method}_accuracy"] <= 1
    band = [found[f"finetune_accuracy{end}"] for end in ("_low", "", "_high")]
    assert band == sorted(band)
    assert "knn_accuracy_low" not in found
    assert found["linear_accuracy"] > 0.8


def test_accuracy_by_hand() -> None:
    part = Labelled(torch.zeros(4, 1, 1, 3), torch.tensor([0, 0, 0, 2]))
    task = ClassTask(("a", "b", "c"), part, part, Counter())
    found = measures(torch.tensor([0, 0, 1, 1]), task)
    assert found == {"accuracy": 0.5, "class_accuracy": pytest.approx((2 / 3 + 0) / 2)}


def test_a_loss_that_is_not_finite_stops(model_dir: Path) -> None:
    network, card = load_model(model_dir)
    card = dataclasses.replace(card, mean=(float("nan"),) * 3)
    with pytest.raises(QualityError, match="not finite") as error:
        fine_tune(network, card, TASK, BUDGET, 0)
    assert error.value.facts["step"] == 1


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch_size": 1}, {"learning_rate": 0.0}])
def test_budgets_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        dataclasses.replace(BUDGET, **wrong)
