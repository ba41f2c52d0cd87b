from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from labeling.errors import InputError
from tests.training.transfer.scenes import scene
from training.transfer.fitting import Budget
from training.transfer.readers.masks import IGNORED, Masked, read_mask_task
from training.transfer.segment import Segmentation
from training.transfer.task import evaluate_on

SHORT = Budget(steps=2, batch_size=2, learning_rate=1e-2, weight_decay=0)


def masked(numbers: range, side: int = 32) -> Masked:
    scenes = [scene(number, side) for number in numbers]
    pixels, masks = ([np.asarray(getattr(s, k)) for s in scenes] for k in ("image", "mask"))
    return Masked(torch.tensor(np.stack(pixels)), torch.tensor(np.stack(masks)))


def write_scenes(path: Path, numbers: dict[str, range]) -> Path:
    for part, own in numbers.items():
        for kind in ("images", "masks"):
            (path / kind / part).mkdir(parents=True)
        for number in own:
            drawn = scene(number, 32)
            drawn.image.save(path / "images" / part / f"{number}.jpg")
            drawn.mask.save(path / "masks" / part / f"{number}.png")
    return path


def test_folders_of_images_and_masks(tmp_path: Path, model_dir: Path) -> None:
    write_scenes(tmp_path, {"train": range(4), "val": range(4, 7)})
    (tmp_path / "masks/val/4.png").unlink()
    Image.new("L", (5, 5)).save(tmp_path / "masks/val/5.png")
    (tmp_path / "images/train/3.jpg").write_bytes(b"")
    task = read_mask_task(tmp_path, 32)
    assert task.names == ("0", "1", "2")
    assert task.train.masks.equal(masked(range(3)).masks)
    assert task.test.masks.equal(masked(range(6, 7)).masks)
    expected = {
        "image or mask unreadable": 1,
        "mask missing": 1,
        "mask of another size than its image": 1,
    }
    assert task.rejects == expected
    found = dict(
        evaluate_on(Segmentation, model_dir, tmp_path, budget=SHORT, image_size=32, seeds=(0, 1))
    )
    assert found["n_mask_missing"] == 1
    for method in Segmentation.methods:
        band = [found[f"{method}_miou{end}"] for end in ("_low", "", "_high")]
        assert band == sorted(band)


def test_voc_has_palettes_borders_and_lists(tmp_path: Path) -> None:
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (tmp_path / folder).mkdir(parents=True)
    for stem, code in (("a", 1), ("b", 2)):
        Image.new("RGB", (20, 10)).save(tmp_path / "JPEGImages" / f"{stem}.jpg")
        mask = Image.new("P", (20, 10), code)
        mask.putpalette([200, 10, 10] * 256)
        mask.putpixel((0, 0), 255)
        mask.save(tmp_path / "SegmentationClass" / f"{stem}.png")
    (tmp_path / "ImageSets/Segmentation/train.txt").write_text("a\n")
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text("b\n")
    task = read_mask_task(tmp_path, 20)
    assert task.names == ("0", "1")
    assert task.train.masks[0, :10].unique().tolist() == [1, IGNORED]
    assert (task.train.masks[0, 10:] == IGNORED).all()
    assert (task.test.masks == IGNORED).all()
    assert task.rejects == {"pixel of a class not in the training images": 199}


def test_outlines_of_coco_are_drawn_small_ones_above_and_crowds_left_out(tmp_path: Path) -> None:
    def square(left: int, top: int, side: int) -> list[list[int]]:
        right, bottom = left + side, top + side
        return [[left, top, right, top, right, bottom, left, bottom]]

    entries = [
        {"category_id": 7, "segmentation": square(8, 8, 4)},
        {"category_id": 9, "segmentation": square(4, 4, 12)},
        {
            "category_id": 7,
            "iscrowd": 1,
            "segmentation": {"size": [20, 20], "counts": [380, 20]},
        },
    ]
    facts = {
        "images": [{"id": n, "file_name": f"{n}.png"} for n in (0, 1)],
        "categories": [{"id": 7, "name": "cell"}, {"id": 9, "name": "dish"}],
        "annotations": [e | {"image_id": n, "bbox": [0, 0, 1, 1]} for n in (0, 1) for e in entries],
    }
    (tmp_path / "all.json").write_text(json.dumps(facts))
    for n in (0, 1):
        Image.new("RGB", (20, 20)).save(tmp_path / f"{n}.png")
    task = read_mask_task(tmp_path, 20)
    assert task.names == ("nothing", "cell", "dish")
    expected = np.zeros((20, 20), np.uint8)
    expected[4:16, 4:16] = 2
    expected[8:12, 8:12] = 1
    expected[:, 19] = IGNORED
    assert np.array_equal(task.train.masks[0].numpy(), expected)


@pytest.mark.parametrize(
    "outline", [["no polygon"], {"size": [9, 9], "counts": [40, 41]}, {"size": [20, 20]}]
)
def test_outlines_that_fit_no_image_reject_it(tmp_path: Path, outline: object) -> None:
    good = [[1, 1, 9, 1, 9, 9, 1, 9]]
    facts = {
        "images": [{"id": n, "file_name": f"{n}.png"} for n in range(4)],
        "categories": [{"id": 7, "name": "cell"}],
        "annotations": [
            {"image_id": n, "category_id": 7, "bbox": [0, 0, 1, 1], "segmentation": shape}
            for n, shape in enumerate([good, good, good, outline])
        ],
    }
    for name, n_images in (("train", 4), ("val", 2)):
        own = facts | {"images": facts["images"][:n_images]}
        (tmp_path / f"{name}.json").write_text(json.dumps(own))
    for n in range(4):
        Image.new("RGB", (20, 20)).save(tmp_path / f"{n}.png")
    task = read_mask_task(tmp_path, 20)
    assert (len(task.train.masks), len(task.test.masks)) == (3, 2)
    assert task.rejects["image or mask unreadable"] == 1


def test_a_task_without_masks_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "0.png")
    entry = {"image_id": 0, "category_id": 7, "bbox": [0, 0, 1, 1]}
    facts = {
        "images": [{"id": 0, "file_name": "0.png"}],
        "categories": [{"id": 7, "name": "cell"}],
        "annotations": [entry],
    }
    (tmp_path / "all.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match="has no masks"):
        read_mask_task(tmp_path, 20)


def test_masks_in_colour_are_rejected(tmp_path: Path) -> None:
    write_scenes(tmp_path, {"train": range(2), "test": range(2, 4)})
    Image.new("RGB", (32, 32)).save(tmp_path / "masks/train/0.png")
    assert read_mask_task(tmp_path, 32).rejects == {"image or mask unreadable": 1}
