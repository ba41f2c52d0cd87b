"""Boxes around objects in the formats of Pascal VOC and COCO."""

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
from training.transfer.readers.images import LAYOUT, SUFFIXES
from training.transfer.readers.splits import find_parts


@dataclass(frozen=True)
class AnnotatedObject:
    """One object in an image.

    Parameters
    ----------
    name
        Its class.
    box
        Left, top, right, bottom, in pixels from the image's upper left corner.
    ignored
        Whether it is a crowd or difficult: not trained on, and neither a hit nor a miss.
    outline
        For COCO: the polygons or run lengths of its mask.
    """

    name: str
    box: tuple[float, float, float, float]
    ignored: bool
    outline: Any = None


@dataclass(frozen=True)
class AnnotatedImage:
    """An image file and the objects in it."""

    path: Path
    objects: tuple[AnnotatedObject, ...]


def read_annotations(path: Path, rejects: Counter[str]) -> dict[str, list[AnnotatedImage]]:
    """Read the images of each part of a task; a task that is not split has the part "".

    Parameters
    ----------
    path
        A folder with ``Annotations/*.xml`` and ``JPEGImages``, split by the lists in
        ``ImageSets/Main``; or with COCO's ``*train*.json`` and ``*test*.json`` (or ``val``), there
        or in ``annotations``, with images there, in ``images`` or in ``train2017``.
    rejects
        Counts unusable entries by reason.

    Raises
    ------
    InputError
        If the folder has neither, or a file of COCO is not JSON.
    """
    if (path / "Annotations").is_dir():
        files = sorted((path / "Annotations").glob("*.xml"))
        lists = split_lists(path / "ImageSets" / "Main") or {"": [file.stem for file in files]}
        return {part: list(_voc(path, stems, rejects)) for part, stems in lists.items()}
    files = sorted([*path.glob("*.json"), *path.glob("annotations/*.json")])
    if not files:
        raise InputError(
            "a task has no boxes",
            facts={"task": path, "expected": "Annotations/*.xml, or *.json of COCO"},
            help=LAYOUT,
        )

    def named(part: str) -> Path | None:
        return next((f for f in files if re.search(rf"(?<![a-z]){part}", f.stem)), None)

    parts = find_parts(named) or {"": files[0]}
    return {part: list(_coco(path, file, rejects)) for part, file in parts.items()}


def split_lists(folder: Path) -> dict[str, list[str]]:
    """Return the names in VOC's lists ``train`` and ``test`` (or ``val``), or nothing."""

    def listed(part: str) -> list[str] | None:
        file = folder / f"{part}.txt"
        return file.read_text("utf-8").split() if file.is_file() else None

    return find_parts(listed)


def image_path(folder: Path, stem: str) -> Path | None:
    """Return the image file of a name without suffix, or None."""
    paths = (folder / f"{stem}{suffix}" for suffix in SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def _voc(path: Path, stems: Sequence[str], rejects: Counter[str]) -> Iterator[AnnotatedImage]:
    for stem in stems:
        image = image_path(path / "JPEGImages", stem)
        if image is None:
            rejects["image missing"] += 1
            continue
        try:
            root = ElementTree.parse(path / "Annotations" / f"{stem}.xml").getroot()
            yield AnnotatedImage(image, tuple(_voc_object(entry) for entry in root.iter("object")))
        except (OSError, ValueError, ElementTree.ParseError):
            rejects["annotation unreadable"] += 1


def _voc_object(entry: ElementTree.Element) -> AnnotatedObject:
    name = entry.findtext("name", "").strip()
    ends = ("xmin", "ymin", "xmax", "ymax")
    left, top, right, bottom = (float(entry.findtext(f"bndbox/{end}", "")) for end in ends)
    if not name:
        raise ValueError("an object has no name")
    # VOC counts pixels from 1, and its last pixel is inside the box.
    box = (left - 1, top - 1, right, bottom)
    return AnnotatedObject(name, box, entry.findtext("difficult") == "1")


def _coco(path: Path, file: Path, rejects: Counter[str]) -> Iterator[AnnotatedImage]:
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
    objects: dict[Any, list[AnnotatedObject]] = defaultdict(list)
    for entry in entries:
        try:
            objects[entry["image_id"]].append(_coco_object(entry, names))
        except (KeyError, TypeError, ValueError):
            rejects["annotation unreadable"] += 1
    rejects["annotation of no image"] += sum(len(o) for i, o in objects.items() if i not in files)
    part = file.stem.removeprefix("instances_")
    folders = [path, path / "images", path / part, path / "images" / part]
    for image_id, name in files.items():
        image = next((f / name for f in folders if (f / name).is_file()), None)
        if image is None:
            rejects["image missing"] += 1
        else:
            yield AnnotatedImage(image, tuple(objects[image_id]))


def _coco_object(entry: Mapping[str, Any], names: Mapping[Any, str]) -> AnnotatedObject:
    left, top, width, height = map(float, entry["bbox"])
    box = (left, top, left + width, top + height)
    is_crowd = bool(entry.get("iscrowd", 0))
    return AnnotatedObject(names[entry["category_id"]], box, is_crowd, entry.get("segmentation"))
