from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from labeling.errors import InputError
from training.transfer.coco_map import coco_measures
from training.transfer.fcos import Detections
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
    (box,) = images["train"][1].objects
    assert (box.name, box.box, box.ignored) == ("dish", (2, 3, 6, 8), True)
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
    write_voc(tmp_path, objects, {"train": "a\nc\nd\n", "test": "b\nabsent\n"})
    (tmp_path / "JPEGImages" / "d.jpg").write_bytes(b"cut")
    (tmp_path / "JPEGImages" / "e.jpg").write_bytes(b"")
    task = read_box_task(tmp_path, 40)
    assert task.names == ("cell",)
    assert task.train.boxes[0].tolist() == [[0, 0, 40, 20]]
    assert task.rejects == {
        "object unreadable": 1,
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
    assert +rejects == expected


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (None, "image unreadable"),
        (5, "image unreadable"),
        ("", "image unreadable"),
        ("../outside.jpg", "file name outside the task"),
        ("images/../../outside.jpg", "file name outside the task"),
        ("{outside}", "file name outside the task"),
        ("0\0.jpg", "image missing"),
        ("x" * 300 + ".jpg", "image missing"),
    ],
)
def test_names_of_files_that_lead_elsewhere_or_nowhere_are_counted(
    tmp_path: Path, name: object, reason: str
) -> None:
    task = tmp_path / "task"
    write_images(tmp_path, "outside.jpg")
    write_images(task, "0.jpg")
    facts = json.loads(coco([{"image_id": 0, "category_id": 7, "bbox": [0, 0, 5, 5]}], 1))
    if isinstance(name, str):
        name = name.format(outside=tmp_path / "outside.jpg")
    facts["images"].append({"id": 1, "file_name": name})
    (task / "all.json").write_text(json.dumps(facts))
    rejects: Counter[str] = Counter()
    assert [image.path for image in read_annotations(task, rejects)[""]] == [task / "0.jpg"]
    assert +rejects == {reason: 1}


def test_an_absolute_name_inside_the_task_is_read(tmp_path: Path) -> None:
    write_images(tmp_path, "0.jpg")
    facts = json.loads(coco([], 1))
    facts["images"][0]["file_name"] = str(tmp_path / "0.jpg")
    (tmp_path / "all.json").write_text("\ufeff" + json.dumps(facts))
    assert len(read_annotations(tmp_path, Counter())[""]) == 1


@pytest.mark.parametrize(
    "entry",
    [
        {"bbox": [0, 0, "NaN", 5]},
        {"bbox": [0, 0, float("inf"), 5]},
        {"bbox": [1e308, 0, 1e308, 5]},
        {"bbox": [10**400, 0, 1, 5]},
        {"bbox": "far!"},
        {"bbox": {"x": 1}},
        {"image_id": [1]},
        {"category_id": {}},
    ],
)
def test_an_unreadable_annotation_costs_only_itself(tmp_path: Path, entry: dict[str, Any]) -> None:
    good = {"image_id": 0, "category_id": 7, "bbox": [0, 0, 5, 5]}
    (tmp_path / "all.json").write_text(coco([good, good | entry, good], 1))
    write_images(tmp_path, "0.jpg")
    rejects: Counter[str] = Counter()
    (picture,) = read_annotations(tmp_path, rejects)[""]
    assert len(picture.objects) == 2
    assert rejects["annotation unreadable"] == 1


@pytest.mark.parametrize(
    ("entries", "kind"),
    [
        ([None, "a", {"id": []}, {"id": 8}, {"id": 8, "name": 3}], "category unreadable"),
        ([{"id": 7, "name": "other"}], "category with the id of another"),
    ],
)
def test_unreadable_and_doubled_categories_are_counted(
    tmp_path: Path, entries: list[Any], kind: str
) -> None:
    facts = json.loads(coco([{"image_id": 0, "category_id": 7, "bbox": [0, 0, 5, 5]}], 1))
    facts["categories"] += entries
    (tmp_path / "all.json").write_text(json.dumps(facts))
    write_images(tmp_path, "0.jpg")
    rejects: Counter[str] = Counter()
    (picture,) = read_annotations(tmp_path, rejects)[""]
    assert [entry.name for entry in picture.objects] == ["cell"]
    assert +rejects == {kind: len(entries)}


@pytest.mark.parametrize(
    ("area", "bucket"), [(900, "small"), (5000, "medium"), (None, "medium"), ("big", "medium")]
)
def test_the_area_of_an_annotation_decides_its_size(
    tmp_path: Path, area: object, bucket: str
) -> None:
    entries = [
        {"image_id": n, "category_id": 7, "bbox": [0, 0, 40, 40], "area": area} for n in (0, 1)
    ]
    (tmp_path / "all.json").write_text(coco(entries))
    for n in (0, 1):
        Image.new("RGB", (50, 50)).save(tmp_path / f"{n}.jpg")
    test = read_box_task(tmp_path, 25).test
    boxes = [boxes / scale for boxes, scale in zip(test.boxes, test.scale, strict=True)]
    truth = list(zip(boxes, test.classes, test.ignored, test.areas, strict=True))
    detected = Detections(boxes[0], torch.ones(1), test.classes[0])
    measured = dict(coco_measures(truth, [detected], 1))
    assert measured[f"map_{bucket}"] == pytest.approx(1)
    assert len([name for name in measured if name.startswith("map_")]) == 1


def test_captions_and_key_points_are_not_read_for_instances(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    for part in ("train", "val"):
        for kind in ("captions", "instances", "person_keypoints"):
            text = coco([], 1) if kind == "instances" else "{}"
            (tmp_path / "annotations" / f"{kind}_{part}2017.json").write_text(text)
    write_images(tmp_path, "0.jpg")
    rejects: Counter[str] = Counter()
    assert list(read_annotations(tmp_path, rejects)) == ["train", "test"]
    assert rejects["JSON file not read"] == 4


BOMB = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<annotation>&b;</annotation>"
)


@pytest.mark.parametrize(
    "text", ['<?xml version="1.0" encoding="foo"?><a/>', "<annotation>", "", BOMB, "\0"]
)
def test_xml_that_cannot_be_read_costs_its_image(tmp_path: Path, text: str) -> None:
    write_voc(tmp_path, {"a": [voc_object("cell", (1, 1, 9, 9))], "b": []}, {})
    (tmp_path / "Annotations" / "b.xml").write_text(text)
    rejects: Counter[str] = Counter()
    assert [image.path.stem for image in read_annotations(tmp_path, rejects)[""]] == ["a"]
    assert +rejects == {"annotation unreadable": 1}


def test_voc_with_capital_endings_and_flags_in_its_lists(tmp_path: Path) -> None:
    objects = {name: [voc_object("cell", (1, 1, 9, 9))] for name in ("my cat", "b 1", "c")}
    lists = {"train": "\ufeffmy cat  1\r\nb 1\r\n", "val": "c -1\n../c 1\nmissing\n"}
    write_voc(tmp_path, objects, lists)
    (tmp_path / "JPEGImages/c.jpg").rename(tmp_path / "JPEGImages/c.JPG")
    (tmp_path / "Annotations/c.xml").rename(tmp_path / "Annotations/c.XML")
    rejects: Counter[str] = Counter()
    images = read_annotations(tmp_path, rejects)
    names = {part: [image.path.name for image in of_part] for part, of_part in images.items()}
    assert names == {"train": ["my cat.jpg", "b 1.jpg"], "test": ["c.JPG"]}
    assert +rejects == {"image missing": 2}


def test_an_object_of_voc_without_finite_ends_costs_itself(tmp_path: Path) -> None:
    entries = [voc_object("cell", (1, 1, 9, 9)), voc_object("cell", ("nan", 1, "inf", 9))]
    write_voc(tmp_path, {"a": entries}, {})
    Image.new("RGB", (20, 10)).save(tmp_path / "JPEGImages" / "unannotated.jpg")
    rejects: Counter[str] = Counter()
    (image,) = read_annotations(tmp_path, rejects)[""]
    assert len(image.objects) == 1
    assert +rejects == {"object unreadable": 1, "annotation missing": 1}


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


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"images": []}',
        '{"images": 5, "categories": [], "annotations": []}',
        "[" * 100_000,
        "1" * 5000,
    ],
)
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
