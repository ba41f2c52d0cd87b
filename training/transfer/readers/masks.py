"""Tasks of segmentation: images and the class of each of their pixels."""

from __future__ import annotations

import dataclasses
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from torch import Tensor

from labeling.errors import InputError
from training.transfer.readers.annotations import (
    AnnotatedImage,
    image_path,
    read_annotations,
    split_lists,
)
from training.transfer.readers.images import (
    LAYOUT,
    SUFFIXES,
    UNREADABLE,
    Images,
    TaskData,
    decode_whole,
    fitted,
    refuse_enormous,
    refuse_too_many,
    stacked,
)
from training.transfer.readers.splits import find_parts, split

IGNORED = 255
"""Class of pixels that are neither trained on nor measured."""

_Source: TypeAlias = tuple[Path, Path | AnnotatedImage]
"""An image file and its mask: a PNG file, or the objects of an image of COCO."""


@dataclass(frozen=True, eq=False)
class Masked(Images):
    """Images and the class of each pixel.

    Parameters
    ----------
    pixels
        ``uint8[n, s, s, 3]``: each image scaled to fit, in the upper left of its square.
    masks
        ``uint8[n, s, s]``: classes from 0, or `IGNORED`, also outside of the image.
    """

    masks: Tensor


def read_mask_task(path: Path, image_size: int, seed: int = 0) -> TaskData[Masked]:
    """Read a task of segmentation; a task in one part is split by the seed.

    Parameters
    ----------
    path
        One of: a folder with ``images/train``, ``images/test`` (or ``val``) and PNG masks of the
        same names in ``masks/train`` and so on; ``JPEGImages`` and ``SegmentationClass``, split by
        the lists in ``ImageSets/Segmentation``; or polygons and run lengths of COCO (see
        `training.transfer.readers.annotations.read_annotations`), where pixels outside of all
        have class 0. A PNG holds the number of the class of each pixel, 255 for pixels to leave
        out.
    image_size
        Longer side of the images.

    Raises
    ------
    InputError
        If there is no such task, or a part has no image that can be used.
    """
    rejects: Counter[str] = Counter()
    parts, names = _sources(path, rejects)
    train_sources, test_sources = split(parts, seed)
    train = _masked(train_sources, names, image_size, path, "train", rejects)
    test = _masked(test_sources, names, image_size, path, "measure", rejects)
    if not names:
        highest = int(train.masks[train.masks != IGNORED].max())
        names = tuple(str(code) for code in range(highest + 1))
    unknown = (test.masks >= len(names)) & (test.masks != IGNORED)
    rejects["pixel of a class not in the training images"] = int(unknown.sum())
    test = dataclasses.replace(test, masks=test.masks.masked_fill(unknown, IGNORED))
    return TaskData(names, train, test, +rejects)


def _sources(path: Path, rejects: Counter[str]) -> tuple[dict[str, list[_Source]], tuple[str, ...]]:
    """Return the images and masks of each part, and the names of the classes if they are known."""
    parts: dict[str, list[_Source]] = {}
    if (path / "SegmentationClass").is_dir():
        masks = path / "SegmentationClass"
        lists = split_lists(path / "ImageSets" / "Segmentation")
        lists = lists or {"": sorted(file.stem for file in masks.glob("*.png"))}
        images = path / "JPEGImages"
        return {p: _of_png(images, masks, s, rejects) for p, s in lists.items()}, ()
    if (path / "masks").is_dir():
        names = find_parts(lambda name: name if (path / "masks" / name).is_dir() else None)
        for part, name in (names or {"": "."}).items():
            images = path / "images" / name
            parts[part] = _of_png(images, path / "masks" / name, _stems(images), rejects)
        return parts, ()
    annotated = read_annotations(path, rejects)
    classes = {
        o.name for of_part in annotated.values() for i in of_part for o in i.objects if o.outline
    }
    if not classes:
        raise InputError(
            "a task has no masks",
            facts={"task": path, "expected": "masks/*.png, SegmentationClass, or outlines of COCO"},
            help=LAYOUT,
        )
    parts = {
        part: [(image.path, image) for image in of_part] for part, of_part in annotated.items()
    }
    return parts, ("nothing", *sorted(classes))


def _stems(folder: Path) -> list[str]:
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return [file.stem for file in files if file.suffix.lower() in SUFFIXES]


def _of_png(
    images: Path, masks: Path, stems: Sequence[str], rejects: Counter[str]
) -> list[_Source]:
    sources: list[_Source] = []
    for stem in stems:
        image, mask = image_path(images, stem), masks / f"{stem}.png"
        if image is None or not mask.is_file():
            rejects["image missing" if image is None else "mask missing"] += 1
        else:
            sources.append((image, mask))
    return sources


def _masked(
    sources: Sequence[_Source],
    names: Sequence[str],
    image_size: int,
    path: Path,
    part: str,
    rejects: Counter[str],
) -> Masked:
    squares, masks = [], []
    refuse_too_many(len(sources), image_size, path)
    for image, mask_source in sources:
        try:
            square, size = decode_whole(image, image_size)
            mask = _mask(mask_source, names, size)
        except UNREADABLE:
            rejects["image or mask unreadable"] += 1
            continue
        if mask.size != size:
            rejects["mask of another size than its image"] += 1
            continue
        canvas = np.full((image_size, image_size), IGNORED, np.uint8)
        width, height = fitted(size, image_size)
        canvas[:height, :width] = np.asarray(mask.resize((width, height), Image.Resampling.NEAREST))
        squares.append(square)
        masks.append(canvas)
    return Masked(stacked(squares, path, part), torch.from_numpy(np.stack(masks)))


def _mask(
    source: Path | AnnotatedImage, names: Sequence[str], size: tuple[int, int]
) -> Image.Image:
    """Return the classes of an image's pixels; the colours of a palette are not looked at."""
    if isinstance(source, AnnotatedImage):
        return Image.fromarray(_rasterised(source, names, size))
    with Image.open(source, formats=["PNG"]) as image:
        refuse_enormous(image)
        if image.mode not in ("L", "P", "1"):
            raise ValueError(f"a mask has the mode {image.mode}, not numbers of classes")
        return Image.fromarray(np.array(image, dtype=np.uint8))


def _rasterised(
    image: AnnotatedImage, names: Sequence[str], size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """Return the classes of the pixels of an image of COCO; crowds are `IGNORED`."""
    width, height = size
    canvas = np.zeros((height, width), np.uint8)
    # Large objects come first, so that small ones on top of them stay visible.
    shapes = list(_shapes(image, names, size))
    for code, shape in sorted(shapes, key=lambda entry: -int(entry[1].sum())):
        canvas[shape] = code
    return canvas


def _shapes(
    image: AnnotatedImage, names: Sequence[str], size: tuple[int, int]
) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
    """Yield the class and the pixels of each object that has an outline."""
    for entry in image.objects:
        if entry.outline:
            code = IGNORED if entry.ignored else names.index(entry.name)
            yield code, _inside(entry.outline, size)


def _inside(outline: Any, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return the pixels inside polygons or run lengths of COCO: ``bool[height, width]``."""
    width, height = size
    try:
        if isinstance(outline, list):
            outline = coco_mask.merge(coco_mask.frPyObjects(outline, height, width))
        elif isinstance(outline["counts"], list):
            outline = coco_mask.frPyObjects(outline, height, width)
        with warnings.catch_warnings():
            # pycocotools 2.0.11 passes an array to numpy 2 in a way that numpy will forbid.
            warnings.simplefilter("ignore", DeprecationWarning)
            inside: npt.NDArray[np.bool_] = coco_mask.decode(outline).astype(bool)
    except Exception as error:  # pycocotools raises no narrower one
        raise ValueError("an outline is not one of COCO") from error
    if inside.shape != (height, width):
        raise ValueError("an outline is of an image of another size")
    return inside
