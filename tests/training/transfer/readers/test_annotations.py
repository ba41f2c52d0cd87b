from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from labeling.errors import InputError
from training.transfer.readers.annotations import read_annotations
from training.transfer.readers.boxes import read_box_task


def write_images(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (20, 10)).save(folder / name)


def voc_object(name: str, box: tuple[float, ...], difficult: int = 0) -> str:
    ends = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    inner = "".join(f"<{end}>{value}</{end}>" for end, value in ends)
    return (
        f"<object><name>{name}</name><difficult>{difficult}</difficult>"
        f"<bndbox>{inner}</bndbox></object>"
    )


def write_voc(path: Path, objects: dict[str, list[str]], lists: dict[str, str]) -> Path:
    write_images(path / "JPEGImages", *(f"{stem}.jpg" for stem in objects))
    (path / "Annotations").mkdir()
    for stem, entries in objects.items():
        text = f"<annotation>{''.join(entries)}</annotation>"
        (path / "Annotations" / f"{stem}.xml").write_text(text)
    (path / "ImageSets" / "Main").mkdir(parents=True)
    for name, stems in lists.items():
        (path / "ImageSets" / "Main" / f"{name}.txt").write_text(stems)
    return path


def coco(objects: list[dict[str, Any]], n_images: int = 2) -> str:
    images = [{"id": n, "file_name": f"{n}.jpg"} for n in range(n_images)]
    categories = [{"id": 7, "name": "cell"}, {"id": 9, "name": "dish"}]
    return json.dumps({"images": images, "categories": categories, "annotations": objects})


def test_voc_counts_pixels_from_one_and_names_the_parts(tmp_path: Path) -> None:
    objects = {
        "a": [voc_object("cell", (1, 1, 20, 10)), voc_object("dish", (3, 4, 5, 6), difficult=1)],
        "b": [voc_object("cell", (2, 2, 3, 3))],
        "c": [],
    }
    write_voc(tmp_path, objects, {"train": "a\nc\n", "val": "c", "test": "b"})
    images = read_annotations(tmp_path, Counter())
    first, empty = images["train"]
    assert [o.box for o in first.objects] == [(0, 0, 20, 10), (2, 3, 5, 6)]
    assert [(o.name, o.ignored) for o in first.objects] == [("cell", False), ("dish", True)]
    assert empty.objects == ()
    assert [p.path.name for p in images["test"]] == ["b.jpg"]


@pytest.mark.parametrize("folder", ["images", "images/train2017", "train2017", "."])
def test_coco_has_corners_and_sides(tmp_path: Path, folder: str) -> None:
    entry = {"image_id": 1, "category_id": 9, "bbox": [2, 3, 4, 5], "iscrowd": 1}
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_train2017.json").write_text(coco([entry]))
    (tmp_path / "annotations" / "instances_val2017.json").write_text(coco([], 1))
    write_images(tmp_path / folder, "0.jpg", "1.jpg")
    write_images(tmp_path / "images", "0.jpg")
    images = read_annotations(tmp_path, Counter())
    (found,) = images["train"][1].objects
    assert (found.name, found.box, found.ignored) == ("dish", (2, 3, 6, 8), True)
    assert len(images["test"]) == 1


def test_what_cannot_be_used_is_counted_by_reason(tmp_path: Path) -> None:
    objects = {
        "a": [
            voc_object("cell", (1, 1, 25, 10)),
            voc_object("cell", (30, 1, 40, 9)),
            voc_object("cell", (5, 8, 4, 9)),
        ],
        "b": [voc_object("cell", (1, 1, 9, 9)), voc_object("new", (1, 1, 9, 9))],
        "c": [voc_object("cell", ("far", 1, 2, 3))],
        "d": [voc_object("cell", (1, 1, 9, 9))],
    }
    write_voc(tmp_path, objects, {"train": "a c d", "test": "b absent"})
    (tmp_path / "JPEGImages" / "d.jpg").write_bytes(b"cut")
    (tmp_path / "JPEGImages" / "e.jpg").write_bytes(b"")
    task = read_box_task(tmp_path, 40)
    assert task.names == ("cell",)
    assert task.train.boxes[0].tolist() == [[0, 0, 40, 20]]
    assert task.rejects == {
        "annotation unreadable": 1,
        "box outside the image": 1,
        "box without area": 1,
        "class not in the training images": 1,
        "image missing": 1,
        "image unreadable": 1,
    }


def test_annotations_of_coco_that_fit_nothing_are_counted(tmp_path: Path) -> None:
    good = {"image_id": 0, "category_id": 7, "bbox": [0, 0, 5, 5]}
    entries = [good, good | {"category_id": 1}, good | {"image_id": 5}, good | {"bbox": [1]}, {}]
    (tmp_path / "all.json").write_text(coco(entries))
    write_images(tmp_path, "0.jpg")
    rejects: Counter[str] = Counter()
    (picture,) = read_annotations(tmp_path, rejects)[""]
    assert len(picture.objects) == 1
    expected = {"annotation unreadable": 3, "annotation of no image": 1, "image missing": 1}
    assert rejects == expected


def test_a_task_in_one_part_is_split_by_the_seed(tmp_path: Path) -> None:
    entries = [{"image_id": n, "category_id": 7, "bbox": [0, 0, n + 1, 5]} for n in range(10)]
    (tmp_path / "all.json").write_text(coco(entries, 10))
    write_images(tmp_path, *(f"{n}.jpg" for n in range(10)))
    widths = {}
    for seed in (0, 0, 1):
        task = read_box_task(tmp_path, 20, seed)
        test, train = ({int(b[0, 2]) for b in part.boxes} for part in (task.test, task.train))
        assert (len(test), test | train) == (2, set(range(1, 11)))
        assert widths.setdefault(seed, test) == test
    assert widths[0] != widths[1]


@pytest.mark.parametrize("text", ["", "[]", '{"images": []}'])
def test_what_is_not_of_coco_is_refused_with_its_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "train.json").write_text(text)
    with pytest.raises(InputError, match="not those of COCO") as error:
        read_annotations(tmp_path, Counter())
    assert error.value.facts["file"] == tmp_path / "train.json"


def test_no_boxes_to_learn_from_or_measure_on_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no boxes"):
        read_annotations(tmp_path, Counter())
    write_images(tmp_path, "0.jpg", "1.jpg")
    (tmp_path / "all.json").write_text(coco([]))
    with pytest.raises(InputError, match="no box to train on"):
        read_box_task(tmp_path, 20)
