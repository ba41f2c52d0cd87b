from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, jaccard_score

from tests.training.transfer.scenes import scene
from training.model.architecture import Architecture
from training.model.model_file import ModelCard, load_model
from training.model.resnet import ResNet
from training.transfer.fitting import Budget
from training.transfer.readers.images import TaskData
from training.transfer.readers.masks import IGNORED, Masked
from training.transfer.segment import Segmentation, Segmenter, confusion, mean_iou

ARCHITECTURE = Architecture(18, width=8, stem="small")
CARD = ModelCard(ARCHITECTURE, ("a",), 24, (0.5,) * 3, (0.25,) * 3, 0, {})
SHORT = Budget(steps=2, batch_size=2, learning_rate=1e-2, weight_decay=0)


def masked(numbers: range, side: int = 32) -> Masked:
    scenes = [scene(number, side) for number in numbers]
    pixels, masks = ([np.asarray(getattr(s, k)) for s in scenes] for k in ("image", "mask"))
    return Masked(torch.tensor(np.stack(pixels)), torch.tensor(np.stack(masks)))


def task_of(
    train: Masked,
    test: Masked,
    network: ResNet | None = None,
    card: ModelCard = CARD,
) -> Segmentation:
    data = TaskData(("nothing", "disc", "square"), train, test, Counter())
    return Segmentation(network or ResNet(ARCHITECTURE, 1), card, data)


def test_drawn_shapes_are_found_in_new_scenes() -> None:
    task = task_of(masked(range(40)), masked(range(100, 120)))
    budget = Budget(steps=70, batch_size=8, learning_rate=1e-2, weight_decay=1e-4)
    measures = task.measures_of("scratch", budget, 0)
    assert measures["miou"] > 0.6
    assert measures["pixel_accuracy"] > 0.85


def test_what_is_ignored_has_no_influence() -> None:
    train = masked(range(4))
    train.masks[:, :8] = IGNORED
    changed = Masked(train.pixels, train.masks.clone())
    network = ResNet(ARCHITECTURE, 1)
    first, again = (
        task_of(part, part, network).trained("frozen", SHORT, 0).state_dict()
        for part in (train, changed)
    )
    assert all(value.equal(first[name]) for name, value in again.items())
    guess = torch.zeros(4, 32, 32, dtype=torch.int64)
    assert confusion(guess, train.masks, 3).sum() == 4 * 24 * 32


def test_confusion_and_iou_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth, guess = rng.integers(0, 4, (2, 500))
    table = confusion(torch.tensor(guess), torch.tensor(truth), 5)
    assert np.array_equal(table[:4, :4], confusion_matrix(truth, guess))
    assert mean_iou(table) == pytest.approx(jaccard_score(truth, guess, average="macro"))


@pytest.mark.parametrize("stem", ["small", "imagenet"])
def test_every_pixel_has_logits(stem: str) -> None:
    with torch.device("meta"):
        network = Segmenter(ResNet(Architecture(50, 8, stem), 1), 7)
        assert network(torch.zeros(2, 3, 72, 40)).shape == (2, 7, 72, 40)


def test_a_model_from_disk_gives_the_same_twice(model_dir: Path) -> None:
    network, card = load_model(model_dir)
    task = task_of(masked(range(4)), masked(range(4, 6)), network, card)
    first, again = (task.measures_of("finetune", SHORT, 0) for _ in range(2))
    assert first == again
