from __future__ import annotations

import json
import struct
import warnings
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin
from pycocotools import mask as coco_mask

from labeling.errors import InputError
from tests.training.transfer.scenes import scene
from training.transfer.fitting import Budget
from training.transfer.readers.masks import IGNORED, Masked, read_mask_task
from training.transfer.readers.outlines import inside, runs_of
from training.transfer.segment import Segmentation
from training.transfer.task import evaluate_on

SHORT = Budget(steps=2, batch_size=2, learning_rate=1e-2, weight_decay=0)


def masked(numbers: range, side: int = 32) -> Masked:
    scenes = [scene(number, side) for number in numbers]
    pixels, masks = ([np.asarray(getattr(s, k)) for s in scenes] for k in ("image", "mask"))
    return Masked(torch.tensor(np.stack(pixels)), torch.tensor(np.stack(masks)))


def write_scenes(path: Path, numbers: dict[str, range]) -> Path:
    for part, pictures in numbers.items():
        for kind in ("images", "masks"):
            (path / kind / part).mkdir(parents=True)
        for number in pictures:
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
    parts = dict(
        evaluate_on(Segmentation, model_dir, tmp_path, budget=SHORT, image_size=32, seeds=(0, 1))
    )
    assert parts["n_mask_missing"] == 1
    for method in Segmentation.methods:
        band = [parts[f"{method}_miou{end}"] for end in ("_low", "", "_high")]
        assert band == sorted(band)


def test_voc_has_palettes_borders_and_lists(tmp_path: Path) -> None:
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (tmp_path / folder).mkdir(parents=True)
    for stem, code in (("a", 1), ("b", 2)):
        Image.new("RGB", (20, 10)).save(tmp_path / "JPEGImages" / f"{stem}.jpg")
        mask = Image.new("P", (20, 10), code)
        mask.putpalette([200, 10, 10] * 256)
        mask.putpixel((0, 0), 255)
        mask.putpixel((1, 0), 0)
        mask.save(tmp_path / "SegmentationClass" / f"{stem}.png")
    (tmp_path / "ImageSets/Segmentation/train.txt").write_text("a\n")
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text("b\n")
    task = read_mask_task(tmp_path, 20)
    assert task.names == ("0", "1")
    assert task.train.masks[0, :10].unique().tolist() == [0, 1, IGNORED]
    assert (task.train.masks[0, 10:] == IGNORED).all()
    assert task.test.masks[0].unique().tolist() == [0, IGNORED]
    assert task.rejects == {"pixel of a class not in the training images": 198}


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


SQUARE = [1, 1, 9, 1, 9, 9, 1, 9]
UNREADABLE = "outline unreadable"
FAR = "outline far outside the image"
RUNS = "run lengths that do not fill the image"


@pytest.mark.parametrize(
    ("outline", "reason"),
    [
        (["no polygon"], UNREADABLE),
        ("text", UNREADABLE),
        (5, UNREADABLE),
        (SQUARE, UNREADABLE),
        ([[*SQUARE, 3]], UNREADABLE),
        ([[*SQUARE, "x", 3]], UNREADABLE),
        ([[*SQUARE, None, 3]], UNREADABLE),
        ([[*SQUARE, [], 3]], UNREADABLE),
        ([[*SQUARE, float("nan"), 3]], UNREADABLE),
        ([[*SQUARE, float("inf"), 3]], UNREADABLE),
        ([[*SQUARE, 10**400, 3]], UNREADABLE),
        ([[1e8, 0, 0, 1e8, -1e8, 3]], FAR),
        ([SQUARE, [-30, 0, 9, 1, 9, 9]], FAR),
        ([[0, 0, 20, 20, 0, 20, 20, 0] * 50], "outline too long for the image"),
        ({"size": [9, 9], "counts": [40, 41]}, "outline of an image of another size"),
        ({"counts": [400]}, "outline of an image of another size"),
        ({"size": [20, 20]}, UNREADABLE),
        ({"size": [20, 20], "counts": None}, UNREADABLE),
        ({"size": [20, 20], "counts": [100, 100]}, RUNS),
        ({"size": [20, 20], "counts": [500, -100]}, RUNS),
        ({"size": [20, 20], "counts": [2**40]}, RUNS),
        ({"size": [20, 20], "counts": [200.0, 200]}, RUNS),
        ({"size": [20, 20], "counts": ["400"]}, RUNS),
        ({"size": [20, 20], "counts": "oooooooooooo"}, UNREADABLE),
        ({"size": [20, 20], "counts": "\u00ff"}, UNREADABLE),
        ({"size": [20, 20], "counts": "~"}, UNREADABLE),
        ({"size": [20, 20], "counts": "PPPPPPPPPPPPPPPP"}, UNREADABLE),
        ({"size": [20, 20], "counts": "5"}, RUNS),
        ({"size": [20, 20], "counts": ""}, RUNS),
    ],
)
def test_outlines_that_fit_no_image_reject_it(tmp_path: Path, outline: object, reason: str) -> None:
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
        pictures = facts | {"images": facts["images"][:n_images]}
        (tmp_path / f"{name}.json").write_text(json.dumps(pictures))
    for n in range(4):
        Image.new("RGB", (20, 20)).save(tmp_path / f"{n}.png")
    task = read_mask_task(tmp_path, 20)
    assert (len(task.train.masks), len(task.test.masks)) == (3, 2)
    assert task.rejects == {reason: 1, "annotation of no image": 2}


def test_polygons_of_two_points_have_no_area(tmp_path: Path) -> None:
    shapes = [[SQUARE], [SQUARE, [0, 0, 20, 20]], [[0, 0, 20, 20]]]
    facts = {
        "images": [{"id": n, "file_name": f"{n}.png"} for n in range(3)],
        "categories": [{"id": 7, "name": "cell"}],
        "annotations": [
            {"image_id": n, "category_id": 7, "bbox": [0, 0, 1, 1], "segmentation": shape}
            for n, shape in enumerate(shapes)
        ],
    }
    for name in ("train", "val"):
        (tmp_path / f"{name}.json").write_text(json.dumps(facts))
    for n in range(3):
        Image.new("RGB", (20, 20)).save(tmp_path / f"{n}.png")
    task = read_mask_task(tmp_path, 20)
    first, second, third = task.train.masks
    assert first.equal(second)
    assert third.unique().tolist() == [0]
    assert task.rejects == {"polygon of fewer than three points": 4}


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
    Image.new("RGB", (32, 32), (1, 2, 1)).save(tmp_path / "masks/train/0.png")
    assert read_mask_task(tmp_path, 32).rejects == {"mask of colours and not of classes": 1}


def test_parts_in_capitals_folders_below_and_copies_of_editors(tmp_path: Path) -> None:
    write_scenes(tmp_path / "drawn", {"train": range(4), "test": range(4, 6)})
    for kind in ("images", "masks"):
        for part, name in (("train", "Training/city"), ("test", "Test")):
            (tmp_path / kind / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "drawn" / kind / part).rename(tmp_path / kind / name)
        (tmp_path / kind / "Training/.ipynb_checkpoints").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "images/Training/.ipynb_checkpoints/1.jpg")
    Image.new("L", (32, 32)).save(tmp_path / "masks/Training/.ipynb_checkpoints/1.png")
    Image.new("L", (32, 32)).save(tmp_path / "masks/Test/alone.png")
    task = read_mask_task(tmp_path, 32)
    assert (len(task.train.masks), len(task.test.masks)) == (4, 2)
    assert task.rejects == {"image missing": 1}


@pytest.mark.parametrize(
    ("channels", "bits"),
    [(kind, bits) for kind in ("L", "P", "RGB", "RGBA", "LA") for bits in (1, 2, 4, 8)]
    + [("L", 16)],
)
def test_a_png_of_any_depth_holds_numbers_of_classes(
    tmp_path: Path, channels: str, bits: int
) -> None:
    numbers = np.arange(32 * 32).reshape(32, 32) % min(2**bits, 200)
    mask = Image.fromarray(numbers.astype(np.uint16 if bits == 16 else np.uint8))
    if channels == "P":
        mask.putpalette([7, 8, 9] * 256)
    elif channels != "L":
        mask = mask.convert(channels)
    write_scenes(tmp_path, {"train": range(2), "test": range(2, 4)})
    path = tmp_path / "masks/train/0.png"
    mask.save(path)
    if channels == "L" and bits < 8:
        path.write_bytes(grey_png(numbers, bits))
    task = read_mask_task(tmp_path, 32)
    assert not task.rejects
    assert np.array_equal(task.train.masks[0].numpy(), numbers)


def grey_png(numbers: np.ndarray, bits: int) -> bytes:
    """Return a PNG of fewer bits a pixel than Pillow writes in grey."""
    height, width = numbers.shape
    shifts = np.arange(8 - bits, -1, -bits)
    packed = (numbers.reshape(height, -1, 8 // bits) << shifts).sum(2).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def test_large_texts_cost_neither_image_nor_mask(tmp_path: Path) -> None:
    write_scenes(tmp_path, {"train": range(2), "test": range(2, 4)})
    expected = read_mask_task(tmp_path, 32)
    for path in (*tmp_path.glob("images/*/*.jpg"), *tmp_path.glob("masks/*/*.png")):
        with Image.open(path) as image:
            image.load()
        path.unlink()
        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", "x" * (3 << 20), zip=True)
        image.save(path.with_suffix(".png"), pnginfo=texts)
    task = read_mask_task(tmp_path, 32)
    assert task.train.masks.equal(expected.train.masks)
    assert task.train.pixels.equal(expected.train.pixels)
    assert not task.rejects


def test_a_class_above_all_that_a_mask_holds_rejects_it(tmp_path: Path) -> None:
    write_scenes(tmp_path, {"train": range(3), "test": range(3, 5)})
    numbers = np.full((32, 32), 300, np.uint16)
    Image.fromarray(numbers).save(tmp_path / "masks/train/0.png")
    assert read_mask_task(tmp_path, 32).rejects == {"mask of a class above 255": 1}


@pytest.mark.parametrize(
    ("part", "numbers", "message"),
    [
        ("train", (0, 255), "fewer than two classes"),
        ("train", (255, 255), "fewer than two classes"),
        ("train", (0, 0), "fewer than two classes"),
        ("test", (255, 255), "no pixel of a class"),
        ("test", (9, 9), "no pixel of a class"),
    ],
)
def test_masks_that_nothing_can_be_learned_or_measured_by_are_refused(
    tmp_path: Path, part: str, numbers: tuple[int, int], message: str
) -> None:
    write_scenes(tmp_path, {"train": range(2), "test": range(2, 4)})
    for path in (tmp_path / "masks" / part).iterdir():
        mask = np.full((32, 32), numbers[0], np.uint8)
        mask[:16] = numbers[1]
        Image.fromarray(mask).save(path)
    with pytest.raises(InputError, match=message) as error:
        read_mask_task(tmp_path, 32)
    assert "255 is left out" in error.value.help


def test_more_classes_than_a_mask_can_number_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "0.png")
    entry = {"image_id": 0, "bbox": [0, 0, 1, 1], "segmentation": [SQUARE]}
    facts = {
        "images": [{"id": 0, "file_name": "0.png"}],
        "categories": [{"id": n, "name": str(n)} for n in range(255)],
        "annotations": [entry | {"category_id": n} for n in range(255)],
    }
    (tmp_path / "all.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match="more than 254 classes"):
        read_mask_task(tmp_path, 20)


@pytest.mark.parametrize("seed", range(20))
def test_run_lengths_are_those_of_pycocotools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    width, height = rng.integers(5, 60, 2).tolist()
    polygons = [
        (rng.random(2 * rng.integers(3, 9)) * max(width, height) * 1.1).tolist() for _ in range(2)
    ]
    packed = coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        expected = coco_mask.decode(packed).astype(bool)
    size = (width, height)
    as_text = {"size": [height, width], "counts": packed["counts"].decode()}
    runs = runs_of(polygons, size, Counter())
    assert np.array_equal(inside(runs, size), expected)
    assert np.array_equal(runs_of(as_text, size, Counter()), runs)
    listed = {"size": [height, width], "counts": runs.tolist()}
    assert np.array_equal(runs_of(listed, size, Counter()), runs)
