"""Boxes around objects, as Pascal VOC and COCO write them."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from labeling.errors import InputError
from training.transfer.images import SUFFIXES
from training.transfer.sources import TEST_NAMES


@dataclass(frozen=True)
class Object:
    """One object of an image.

    Parameters
    ----------
    name
        Its class.
    box
        Left, top, right, bottom, in pixels from the image's upper left corner.
    ignored
        A crowd or a difficult object: not learned from, and neither found nor missed.
    outline
        For COCO: the polygons or run lengths of its mask.
    """

    name: str
    box: tuple[float, float, float, float]
    ignored: bool
    outline: Any = None


@dataclass(frozen=True)
class Picture:
    """An image file and the objects that it shows."""

    path: Path
    objects: tuple[Object, ...]


def read_pictures(path: Path, put_aside: Counter[str]) -> dict[str, list[Picture]]:
    """Read the pictures of a task; a task that is not split has the part "".

    Parameters
    ----------
    path
        A folder with ``Annotations/*.xml`` and ``JPEGImages``, split by the lists in
        ``ImageSets/Main``; or with ``*train*.json`` and ``*test*.json`` (or ``val``) as COCO has
        them, there or in ``annotations``, with images there, in ``images`` or in ``train2017``.
    put_aside
        Where what cannot be used is counted, by reason.

    Raises
    ------
    InputError
        If the folder has neither, or a file of COCO is not JSON.
    """
    if (path / "Annotations").is_dir():
        lists = split_lists(path / "ImageSets" / "Main")
        files = sorted((path / "Annotations").glob("*.xml"))
        lists = lists or {"": [file.stem for file in files]}
        return {part: list(_voc(path, stems, put_aside)) for part, stems in lists.items()}
    files = sorted([*path.glob("*.json"), *path.glob("annotations/*.json")])
    if not files:
        raise InputError(
            "a task has no boxes",
            facts={"task": path, "expected": "Annotations/*.xml, or *.json of COCO"},
            help="docs/how-to/transfer.md says how the folder of a task is laid out",
        )
    return {part: list(_coco(path, file, put_aside)) for part, file in _json_parts(files).items()}


def split_lists(folder: Path) -> dict[str, list[str]]:
    """Return the names in VOC's lists ``train`` and ``test`` (or ``val``), if there are both."""
    found = {name: folder / f"{name}.txt" for name in ("train", *TEST_NAMES)}
    files = {name: file for name, file in found.items() if file.is_file()}
    test = next((name for name in TEST_NAMES if name in files), None)
    if "train" not in files or test is None:
        return {}
    both = {"train": files["train"], "test": files[test]}
    return {part: file.read_text("utf-8").split() for part, file in both.items()}


def image_path(folders: Sequence[Path], stem: str) -> Path | None:
    """Return the image of a name without ending, or nothing."""
    paths = (folder / f"{stem}{suffix}" for folder in folders for suffix in SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def _json_parts(files: Sequence[Path]) -> dict[str, Path]:
    def named(part: str) -> Path | None:
        return next((f for f in files if re.search(rf"(?<![a-z]){part}", f.stem)), None)

    train = named("train")
    test = next((file for part in TEST_NAMES if (file := named(part))), None)
    return {"train": train, "test": test} if train and test else {"": files[0]}


def _voc(path: Path, stems: Sequence[str], put_aside: Counter[str]) -> Iterator[Picture]:
    for stem in stems:
        image = image_path([path / "JPEGImages"], stem)
        if image is None:
            put_aside["image missing"] += 1
            continue
        try:
            root = ElementTree.parse(path / "Annotations" / f"{stem}.xml").getroot()
            yield Picture(image, tuple(_voc_object(entry) for entry in root.iter("object")))
        except (OSError, ValueError, ElementTree.ParseError):
            put_aside["annotation unreadable"] += 1


def _voc_object(entry: ElementTree.Element) -> Object:
    """Read an object; VOC counts pixels from 1, and the last one is inside."""
    name = entry.findtext("name", "").strip()
    ends = ("xmin", "ymin", "xmax", "ymax")
    left, top, right, bottom = (float(entry.findtext(f"bndbox/{end}", "")) for end in ends)
    if not name:
        raise ValueError("an object has no name")
    return Object(name, (left - 1, top - 1, right, bottom), entry.findtext("difficult") == "1")


def _coco(path: Path, file: Path, put_aside: Counter[str]) -> Iterator[Picture]:
    try:
        facts = json.loads(file.read_text("utf-8"))
        names = {entry["id"]: entry["name"] for entry in facts["categories"]}
        files = {entry["id"]: entry["file_name"] for entry in facts["images"]}
        entries = facts["annotations"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "annotations are not those of COCO",
            facts={"file": file, "cause": repr(error)},
            help="the file needs the lists images, categories and annotations",
        ) from error
    objects: dict[Any, list[Object]] = defaultdict(list)
    for entry in entries:
        try:
            objects[entry["image_id"]].append(_coco_object(entry, names))
        except (KeyError, TypeError, ValueError):
            put_aside["annotation unreadable"] += 1
    put_aside["annotation of no image"] += sum(len(o) for i, o in objects.items() if i not in files)
    part = file.stem.removeprefix("instances_")
    folders = [path, path / "images", path / part, path / "images" / part]
    for image_id, name in files.items():
        found = next((f / name for f in folders if (f / name).is_file()), None)
        if found is None:
            put_aside["image missing"] += 1
        else:
            yield Picture(found, tuple(objects[image_id]))


def _coco_object(entry: Mapping[str, Any], names: Mapping[Any, str]) -> Object:
    left, top, width, height = map(float, entry["bbox"])
    box = (left, top, left + width, top + height)
    crowd = bool(entry.get("iscrowd", 0))
    return Object(names[entry["category_id"]], box, crowd, entry.get("segmentation"))
