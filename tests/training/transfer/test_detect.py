from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.transfer.scenes import NAMES, scene
from training.model.architecture import Architecture
from training.model.model_file import ModelCard, load_model
from training.model.resnet import ResNet
from training.transfer.boxes import area
from training.transfer.coco_map import coco_measures
from training.transfer.detect import Detection, randomly_mirrored
from training.transfer.fcos import (
    Detections,
    Detector,
    Predictions,
    assign,
    detection_loss,
    detections,
    focal,
)
from training.transfer.fitting import Budget
from training.transfer.readers.boxes import Boxed
from training.transfer.readers.images import TaskData

ARCHITECTURE = Architecture(18, width=8, stem="imagenet")
CARD = ModelCard(ARCHITECTURE, ("a",), 24, (0.5,) * 3, (0.25,) * 3, 0, {})
NONE = torch.zeros(0, dtype=torch.int64)


def boxed(numbers: range) -> Boxed:
    scenes = [scene(number) for number in numbers]
    return Boxed(
        pixels=torch.tensor(np.stack([np.asarray(s.image) for s in scenes])),
        scale=[1.0] * len(scenes),
        boxes=[torch.tensor(s.boxes, dtype=torch.float32) for s in scenes],
        classes=[torch.tensor(s.classes) for s in scenes],
        ignored=[torch.zeros(len(s.boxes), dtype=torch.bool) for s in scenes],
        areas=[area(torch.tensor(s.boxes)) for s in scenes],
    )


@pytest.fixture(scope="module")
def task() -> Detection:
    images = boxed(range(8))
    data = TaskData(NAMES, images, images, Counter())
    return Detection(ResNet(ARCHITECTURE, 1), CARD, data)


def test_a_few_scenes_are_memorised() -> None:
    few = boxed(range(4))
    task = Detection(ResNet(ARCHITECTURE, 1), CARD, TaskData(NAMES, few, few, Counter()))
    budget = Budget(steps=80, batch_size=4, learning_rate=3e-3, weight_decay=1e-4)
    assert task.measures_of("scratch", budget, 0)["ap50"] > 0.8


def test_methods_change_the_weights_that_they_train(model_dir: Path, task: Detection) -> None:
    network, card = load_model(model_dir)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    budget = Budget(steps=2, batch_size=2, learning_rate=1e-2, weight_decay=0)
    frozen, tuned = (
        Detection(network, card, task.data).trained(method, budget, 0).backbone.state_dict()
        for method in ("frozen", "finetune")
    )
    assert all(value.equal(before[name]) for name, value in frozen.items())
    assert not tuned["conv1.weight"].equal(before["conv1.weight"])
    assert (tuned["conv1.weight"] - before["conv1.weight"]).abs().max() < 0.05
    assert all(value.equal(before[name]) for name, value in network.state_dict().items())


def test_the_seed_decides(task: Detection) -> None:
    budget = Budget(steps=2, batch_size=2, learning_rate=1e-2, weight_decay=0)
    first, again, other = (task.trained("scratch", budget, seed).state_dict() for seed in (0, 0, 1))
    assert all(value.equal(first[name]) for name, value in again.items())
    assert not other["classes.weight"].equal(first["classes.weight"])


def points(locations: list[list[float]], stride: list[float]) -> Predictions:
    n = len(locations)
    none = torch.zeros(1, n)
    return Predictions(
        torch.tensor(locations), torch.tensor(stride), none[..., None], torch.zeros(1, n, 4), none
    )


def test_a_point_learns_from_the_smallest_box_of_its_range_whose_middle_is_near() -> None:
    where = points([[10, 10], [10, 10], [40, 40], [13, 10], [90, 90]], [2, 8, 8, 2, 2])
    boxes = torch.tensor([[4.0, 4, 16, 16], [0, 0, 90, 90], [5, 5, 15, 15]])
    # The second point's level has no limit, so the third does; the fourth is 1.5 strides away.
    assert assign(where, boxes).tolist() == [2, -1, 1, -1, -1]
    assert assign(where, boxes[:0]).tolist() == [-1] * 5


def test_large_boxes_are_for_the_last_level_and_small_ones_for_the_first() -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        where = Detector(ResNet(ARCHITECTURE, 1), 1)(torch.zeros(1, 3, 256, 256))
    sides = torch.tensor([4.0, 40, 100, 200, 255])
    middle = torch.tensor([[130.0, 130.0]]).expand(5, 2)
    boxes = torch.cat([middle - sides[:, None] / 2, middle + sides[:, None] / 2], 1)
    for box, stride in zip(boxes, (8, 8, 8, 16, 16), strict=True):
        owner = assign(where, box[None])
        assert set(where.stride[owner == 0].tolist()) <= {stride, 2 * stride}


def test_focal_loss_by_hand() -> None:
    logits, target = torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0])
    p = 1 / (1 + np.exp(-2))
    expected = 0.25 * 0.25 * np.log(2) + 0.75 * p**2 * -np.log(1 - p)
    assert focal(logits, target).item() == pytest.approx(expected, rel=1e-5)


def test_images_without_boxes_have_a_loss_and_a_gradient() -> None:
    detector = Detector(ResNet(ARCHITECTURE, 1), 2)
    loss = detection_loss(detector(torch.zeros(2, 3, 64, 64)), [torch.zeros(0, 4)] * 2, [NONE] * 2)
    loss.backward()
    assert loss.item() > 0
    assert detector.classes.weight.grad is not None


def test_found_boxes_are_inside_by_falling_score_and_one_for_each_object() -> None:
    predictions = Predictions(
        locations=torch.zeros(3, 2),
        stride=torch.ones(3),
        logits=torch.tensor([[[4.0, -9], [3, -9], [-9, 2]]]),
        boxes=torch.tensor([[[0.0, 0, 9, 9], [0, 0, 9, 8], [-5, 2, 40, 9]]]),
        centred=torch.full((1, 3), 9.0),
    )
    detected = detections(predictions, 0, 32)
    assert detected.boxes.tolist() == [[0, 0, 9, 9], [0, 2, 32, 9]]
    assert detected.classes.tolist() == [0, 1]
    assert detected.scores.tolist() == sorted(detected.scores.tolist(), reverse=True)


def test_mirroring_twice_gives_back_images_and_boxes(task: Detection) -> None:
    rows = torch.arange(8)
    pixels, boxes = randomly_mirrored(task.data.train, rows, torch.Generator().manual_seed(1))
    turned = [not p.equal(q) for p, q in zip(pixels, task.data.train.pixels, strict=True)]
    assert 0 < sum(turned) < 8
    for row, is_turned in enumerate(turned):
        assert boxes[row].equal(task.data.train.boxes[row]) != is_turned
        left, top, right, bottom = boxes[row][0].int().tolist()
        light = pixels[row, top:bottom, left:right].amax(-1) > 120
        assert light.any(0).all()
        assert light.any(1).all()


def test_measures_of_coco_on_what_is_right_shifted_and_missed() -> None:
    boxes = torch.tensor([[0.0, 0, 40, 40], [50, 50, 90, 90]])
    classes, seen = torch.tensor([0, 0]), torch.zeros(2, dtype=torch.bool)
    truth = [(boxes, classes, seen, area(boxes))]

    def measured(found_boxes: torch.Tensor) -> dict[str, float]:
        n = len(found_boxes)
        detected = Detections(
            found_boxes, torch.linspace(0.9, 0.5, n), torch.zeros(n, dtype=torch.int64)
        )
        return dict(coco_measures(truth, [detected], 2))

    assert measured(boxes)["map"] == pytest.approx(1)
    assert measured(boxes)["map_medium"] == pytest.approx(1)
    assert "map_small" not in measured(boxes)
    assert measured(boxes[:1])["ap50"] == pytest.approx(0.505, abs=0.001)
    shifted = measured(boxes + torch.tensor([8.0, 0, 8, 0]))  # overlap 32 / 48 = .67
    assert (shifted["ap50"], shifted["ap75"]) == (pytest.approx(1), 0)
    assert measured(boxes[:0])["map"] == 0
    truth = [(boxes, classes, torch.tensor([False, True]), area(boxes))]
    assert measured(boxes[:1])["map"] == pytest.approx(1)
