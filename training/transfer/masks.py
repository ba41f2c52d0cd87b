"""Tasks of segmentation: images and the class of each of their pixels."""

from __future__ import annotations

import dataclasses
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from torch import Tensor

from labeling.errors import InputError
from training.transfer.annotations import Picture, image_path, read_pictures, split_lists
from training.transfer.images import (
    SUFFIXES,
    UNREADABLE,
    decode_whole,
    fitted,
    refuse_enormous,
    refuse_too_many,
    stacked,
)
from training.transfer.sources import TEST_NAMES, held_out

IGNORED = 255
"""Pixels of this class are neither learned from nor measured."""


@dataclass(frozen=True, eq=False)
class Masked:
    """Images and the class of each pixel.

    Parameters
    ----------
    pixels
        ``uint8[n, s, s, 3]``: each image scaled to fit, in the upper left of its square.
    masks
        ``uint8[n, s, s]``: classes from 0, or `IGNORED`; so is what lies beside the image.
    """

    pixels: Tensor
    masks: Tensor


@dataclass(frozen=True, eq=False)
class MaskTask:
    """A task of segmentation: names of the classes, images to learn from and to measure on."""

    names: tuple[str, ...]
    train: Masked
    test: Masked
    put_aside: Counter[str]


@dataclass(frozen=True)
class _Pair:
    """An image file and its mask: a PNG file, or the objects of a picture of COCO."""

    image: Path
    mask: Path | Picture


def read_mask_task(path: Path, image_size: int, seed: int = 0) -> MaskTask:
    """Read a task of segmentation; one that comes in one part is split by the seed.

    Parameters
    ----------
    path
        One of: a folder with ``images/train``, ``images/test`` (or ``val``) and PNG masks of the
        same names in ``masks/train`` and so on; ``JPEGImages`` and ``SegmentationClass``, split by
        the lists in ``ImageSets/Segmentation``; or polygons and run lengths of COCO, see
        `annotations.read_pictures`, with class 0 for what is in none. A PNG holds the number of the
        class of each pixel, 255 for pixels to leave out.
    image_size
        Longer side of the images.

    Raises
    ------
    InputError
        If there is no such task, or a part has no image that can be used.
    """
    put_aside: Counter[str] = Counter()
    parts, names = _pairs(path, put_aside)
    if "" in parts:
        is_test = held_out(len(parts[""]), seed)
        both = list(zip(parts[""], is_test, strict=True))
        parts = {"train": [p for p, t in both if not t], "test": [p for p, t in both if t]}
    train = _masked(parts["train"], names, image_size, path, "train", put_aside)
    test = _masked(parts["test"], names, image_size, path, "measure", put_aside)
    if not names:
        highest = int(train.masks[train.masks != IGNORED].max())
        names = tuple(str(code) for code in range(highest + 1))
    unknown = (test.masks >= len(names)) & (test.masks != IGNORED)
    put_aside["pixel of a class not in the training images"] = int(unknown.sum())
    test = dataclasses.replace(test, masks=test.masks.masked_fill(unknown, IGNORED))
    return MaskTask(names, train, test, +put_aside)


def _pairs(path: Path, put_aside: Counter[str]) -> tuple[dict[str, list[_Pair]], tuple[str, ...]]:
    """Return the pairs of each part, and the names of the classes where they are known."""
    if (path / "SegmentationClass").is_dir():
        masks = path / "SegmentationClass"
        lists = split_lists(path / "ImageSets" / "Segmentation")
        lists = lists or {"": sorted(file.stem for file in masks.glob("*.png"))}
        images = path / "JPEGImages"
        return {p: _of_png(images, masks, s, put_aside) for p, s in lists.items()}, ()
    if (path / "masks").is_dir():
        test = next((name for name in TEST_NAMES if (path / "masks" / name).is_dir()), None)
        folders = {"": "."} if test is None else {"train": "train", "test": test}
        return {
            part: _of_png(
                path / "images" / folder,
                path / "masks" / folder,
                _stems(path / "images" / folder),
                put_aside,
            )
            for part, folder in folders.items()
        }, ()
    pictures = read_pictures(path, put_aside)
    found = {o.name for own in pictures.values() for p in own for o in p.objects if o.outline}
    if not found:
        raise InputError(
            "a task has no masks",
            facts={"task": path, "expected": "masks/*.png, SegmentationClass, or outlines of COCO"},
            help="docs/how-to/transfer.md says how a task is laid out",
        )
    pairs = {part: [_Pair(p.path, p) for p in own] for part, own in pictures.items()}
    return pairs, ("nothing", *sorted(found))


def _stems(folder: Path) -> list[str]:
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return [file.stem for file in files if file.suffix.lower() in SUFFIXES]


def _of_png(
    images: Path, masks: Path, stems: Sequence[str], put_aside: Counter[str]
) -> list[_Pair]:
    pairs = []
    for stem in stems:
        image, mask = image_path([images], stem), masks / f"{stem}.png"
        if image is None or not mask.is_file():
            put_aside["image missing" if image is None else "mask missing"] += 1
        else:
            pairs.append(_Pair(image, mask))
    return pairs


def _masked(
    pairs: Sequence[_Pair],
    names: Sequence[str],
    image_size: int,
    path: Path,
    part: str,
    put_aside: Counter[str],
) -> Masked:
    squares, masks = [], []
    refuse_too_many(len(pairs), image_size, path)
    for pair in pairs:
        try:
            square, own_size = decode_whole(pair.image, image_size)
            mask = _mask(pair.mask, names, own_size)
        except UNREADABLE:
            put_aside["image or mask unreadable"] += 1
            continue
        if mask.size != own_size:
            put_aside["mask of another size than its image"] += 1
            continue
        canvas = np.full((image_size, image_size), IGNORED, np.uint8)
        width, height = fitted(own_size, image_size)
        canvas[:height, :width] = np.asarray(mask.resize((width, height), Image.Resampling.NEAREST))
        squares.append(square)
        masks.append(canvas)
    return Masked(stacked(squares, path, part), torch.from_numpy(np.stack(masks)))


def _mask(source: Path | Picture, names: Sequence[str], own_size: tuple[int, int]) -> Image.Image:
    """Return the classes of an image's pixels, whatever the palette's colours."""
    if isinstance(source, Picture):
        return Image.fromarray(_drawn(source, names, own_size))
    with Image.open(source, formats=["PNG"]) as image:
        refuse_enormous(image)
        if image.mode not in ("L", "P", "1"):
            raise ValueError(f"a mask has the mode {image.mode}, not numbers of classes")
        return Image.fromarray(np.array(image, dtype=np.uint8))


def _drawn(
    picture: Picture, names: Sequence[str], own_size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """Draw the objects of COCO, large ones first; crowds are `IGNORED`."""
    width, height = own_size
    canvas = np.zeros((height, width), np.uint8)
    drawn = list(_outlines(picture, names, own_size))
    for code, shape in sorted(drawn, key=lambda entry: -int(entry[1].sum())):
        canvas[shape] = code
    return canvas


def _outlines(
    picture: Picture, names: Sequence[str], own_size: tuple[int, int]
) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
    for entry in picture.objects:
        if entry.outline:
            code = IGNORED if entry.ignored else names.index(entry.name)
            yield code, _filled(entry.outline, own_size)


def _filled(outline: Any, own_size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return which pixels polygons or run lengths of COCO hold: ``bool[height, width]``."""
    width, height = own_size
    try:
        if isinstance(outline, list):
            outline = coco_mask.merge(coco_mask.frPyObjects(outline, height, width))
        elif isinstance(outline["counts"], list):
            outline = coco_mask.frPyObjects(outline, height, width)
        with warnings.catch_warnings():
            # pycocotools 2.0.11 hands numpy 2 an array in a way that it is yet to forbid.
            warnings.simplefilter("ignore", DeprecationWarning)
            filled = coco_mask.decode(outline).astype(bool)
    except Exception as error:  # pycocotools raises no narrower one
        raise ValueError("an outline is not one of COCO") from error
    if filled.shape != (height, width):
        raise ValueError("an outline is of an image of another size")
    result: npt.NDArray[np.bool_] = filled
    return result
