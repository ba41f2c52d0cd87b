from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from labeling.errors import ConfigError
from training.transfer import METHODS, TASKS, kind_of, task_class
from training.transfer.fitting import Budget
from training.transfer.readers.images import Images, TaskData
from training.transfer.task import TransferTask, evaluate_on


@pytest.mark.parametrize(
    ("folders", "kind"),
    [
        (["train/cat"], "classify"),
        (["Annotations", "JPEGImages"], "detect"),
        (["annotations/all.json"], "detect"),
        (["masks"], "segment"),
        (["SegmentationClass"], "segment"),
    ],
)
def test_the_kind_of_a_task_is_guessed(tmp_path: Path, folders: list[str], kind: str) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    assert kind_of(tmp_path) == kind


def test_boxes_and_masks_together_are_of_two_kinds(tmp_path: Path) -> None:
    for folder in ("Annotations", "SegmentationClass"):
        (tmp_path / folder).mkdir()
    with pytest.raises(ConfigError, match="more than one kind") as error:
        kind_of(tmp_path)
    assert error.value.facts["kinds"] == "detect, segment"


class Brightness(TransferTask[Images]):
    """The mean of grey images, as the first logit of the network."""

    main = "error"
    methods = ("finetune", "scratch")
    budget = Budget(steps=30, batch_size=8, learning_rate=1e-2, weight_decay=0)

    @staticmethod
    def recognises(path: Path) -> bool:
        return (path / "grey.txt").is_file()

    @staticmethod
    def read(path: Path, image_size: int, seed: int) -> TaskData[Images]:
        levels = torch.tensor([int(word) for word in (path / "grey.txt").read_text().split()])
        pixels = levels[:, None, None, None].expand(-1, image_size, image_size, 3)
        images = Images(pixels.to(torch.uint8))
        return TaskData(("grey",), images, images, Counter())

    def first_network(self, method: str) -> nn.Module:
        return self.backbone(method)

    def loss(self, network: nn.Module, rows: Tensor, generator: torch.Generator) -> Tensor:
        pixels = self.data.train.pixels[rows]
        logits = network(self.network_input(pixels))[:, 0].cpu()
        return (logits - pixels.float().mean((1, 2, 3)) / 255).square().mean()

    def measures(self, network: nn.Module) -> dict[str, float]:
        with torch.inference_mode():
            error = self.loss(network, torch.arange(len(self.data.test.pixels)), torch.Generator())
        return {"error": error.item()}


def test_a_kind_of_task_is_a_class_and_its_name(
    model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "grey.txt").write_text(" ".join(map(str, range(0, 256, 16))))
    monkeypatch.setitem(TASKS, "brightness", f"{__name__}:Brightness")
    kind = task_class(kind_of(tmp_path))
    measures = dict(evaluate_on(kind, model_dir, tmp_path))
    assert measures["finetune_error"] < 0.04 > measures["scratch_error"]
    assert (measures["n_classes"], measures["n_train"], measures["n_test"]) == (1, 16, 16)


@pytest.mark.parametrize("kind", TASKS)
def test_the_methods_of_every_kind_can_be_asked_for(kind: str) -> None:
    assert set(task_class(kind).untrained) <= set(task_class(kind).methods) <= set(METHODS)
