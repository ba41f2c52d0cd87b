"""Annotations of COCO: one JSON file with images, categories and annotations."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labeling.errors import InputError
from training.transfer.readers.annotated import AnnotatedImage, AnnotatedObject, finite
from training.transfer.readers.splits import find_parts
from training.transfer.readers.task_files import file_inside

_LISTS = ("images", "categories", "annotations")
_UNREADABLE = (KeyError, TypeError, ValueError, OverflowError)
"""Errors of an entry that lacks a key or has a value of another kind."""


def coco_files(path: Path) -> list[Path]:
    """Return the JSON files of a task, those of instances before captions and key points."""
    files = (*path.glob("*.json"), *path.glob("annotations/*.json"))
    visible = (file for file in files if not file.name.startswith("."))
    return sorted(visible, key=lambda file: (not file.name.startswith("instances"), file))


def coco_images(
    path: Path, files: Sequence[Path], rejects: Counter[str]
) -> dict[str, list[AnnotatedImage]]:
    """Return the images of each part of a task; a task that is not split has the part "".

    Parameters
    ----------
    path
        The folder of the task.
    files
        Its JSON files, see `coco_files`; of several without parts the first is read.
    rejects
        Counts unusable entries by reason, and JSON files that are not read.

    Raises
    ------
    InputError
        If a file is not one of COCO.
    """

    def named(part: str) -> Path | None:
        pattern = re.compile(rf"(?<![a-z]){part}", re.IGNORECASE)
        return next((file for file in files if pattern.search(file.stem)), None)

    parts = find_parts(named) or {"": files[0]}
    rejects["JSON file not read"] += len(files) - len(set(parts.values()))
    return {part: list(_annotated(path, file, rejects)) for part, file in parts.items()}


def _annotated(path: Path, file: Path, rejects: Counter[str]) -> Iterator[AnnotatedImage]:
    facts = _read(file)
    names = _by_id(facts["categories"], "category", "name", rejects)
    files = _by_id(facts["images"], "image", "file_name", rejects)
    objects: dict[Any, list[AnnotatedObject]] = defaultdict(list)
    for entry in facts["annotations"]:
        try:
            objects[entry["image_id"]].append(_object(entry, names))
        except _UNREADABLE:
            rejects["annotation unreadable"] += 1
    rejects["annotation of no image"] += sum(len(o) for i, o in objects.items() if i not in files)
    part = file.stem.removeprefix("instances_")
    folders = [path, path / "images", path / part, path / "images" / part]
    for image_id, name in files.items():
        try:
            image = next(filter(None, (file_inside(f, name, path) for f in folders)), None)
        except ValueError:
            rejects["file name outside the task"] += 1
            continue
        if image is None:
            rejects["image missing"] += 1
        else:
            yield AnnotatedImage(image, tuple(objects[image_id]))


def _read(file: Path) -> dict[str, list[Any]]:
    try:
        facts = json.loads(file.read_text("utf-8-sig"))
        missing = [name for name in _LISTS if not isinstance(facts[name], list)]
        if missing:
            raise ValueError(f"{missing[0]} is not a list")
    except (OSError, RecursionError, *_UNREADABLE) as error:
        raise InputError(
            "annotations are not those of COCO",
            facts={"file": file, "cause": repr(error)},
            help="the file needs the lists images, categories and annotations",
        ) from error
    return {name: facts[name] for name in _LISTS}


def _by_id(entries: Sequence[Any], kind: str, key: str, rejects: Counter[str]) -> dict[Any, str]:
    """Return a text of each entry by the entry's id; of equal ids the first counts."""
    texts: dict[Any, str] = {}
    for entry in entries:
        try:
            number, text = entry["id"], entry[key]
            if not isinstance(text, str) or not text:
                raise TypeError(f"{key} is not a text")
            if number in texts and texts[number] != text:
                rejects[f"{kind} with the id of another"] += 1
            texts.setdefault(number, text)
        except _UNREADABLE:
            rejects[f"{kind} unreadable"] += 1
    return texts


def _object(entry: Mapping[str, Any], names: Mapping[Any, str]) -> AnnotatedObject:
    left, top, width, height = finite(entry["bbox"])
    right, bottom = finite((left + width, top + height))
    return AnnotatedObject(
        name=names[entry["category_id"]],
        box=(left, top, right, bottom),
        ignored=bool(entry.get("iscrowd", 0)),
        outline=entry.get("segmentation"),
        area=_area(entry.get("area")),
    )


def _area(value: object) -> float | None:
    """Return the area that an annotation gives, or None if it gives none that can be used."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 2**53 else None
