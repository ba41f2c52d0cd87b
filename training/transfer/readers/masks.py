"""Tasks of segmentation: images and the class of each of their pixels."""

from __future__ import annotations

import dataclasses
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from curation.shards.metadata import read_despite_texts
from labeling.errors import InputError
from training.transfer.readers.annotated import AnnotatedImage
from training.transfer.readers.annotations import read_annotations
from training.transfer.readers.images import (
    LAYOUT,
    UNREADABLE,
    Images,
    TaskData,
    UnusableMask,
    decode_whole,
    fitted,
    refuse_enormous,
    refuse_too_many,
    stacked,
)
from training.transfer.readers.outlines import inside, runs_of
from training.transfer.readers.splits import find_parts, split
from training.transfer.readers.task_files import files_by_stem, paired
from training.transfer.readers.voc import split_lists

IGNORED = 255
"""Class of pixels that are neither trained on nor measured."""

_STEP_OF = {"L;2": 85, "L;4": 17}
"""Distance of two numbers that Pillow makes of the bits of a grey PNG."""

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
        If there is no such task, a part has no image that can be used, the masks to train on have
        fewer than two classes, or those to measure on none of these.
    """
    rejects: Counter[str] = Counter()
    parts, names = _sources(path, rejects)
    train_sources, test_sources = split(parts, seed)
    train = _masked(train_sources, names, image_size, path, "train", rejects)
    test = _masked(test_sources, names, image_size, path, "measure", rejects)
    seen = {code for mask in train.masks for code in mask.unique().tolist()} - {IGNORED}
    if len(seen) < 2:
        raise _few_classes("the masks to train on have fewer than two classes", path, seen, rejects)
    names = names or tuple(str(code) for code in range(max(seen) + 1))
    unknown = (test.masks >= len(names)) & (test.masks != IGNORED)
    rejects["pixel of a class not in the training images"] = int(unknown.sum())
    test = dataclasses.replace(test, masks=test.masks.masked_fill(unknown, IGNORED))
    if (test.masks == IGNORED).all():
        raise _few_classes("the masks to measure on have no pixel of a class", path, seen, rejects)
    return TaskData(names, train, test, +rejects)


def _few_classes(message: str, path: Path, seen: set[int], rejects: Counter[str]) -> InputError:
    return InputError(
        message,
        facts={
            "task": path,
            "classes to train on": ", ".join(map(str, sorted(seen))) or "none",
            **+rejects,
        },
        help=f"a pixel holds the number of its class, and {IGNORED} is left out:"
        " write 1 where it means an object",
    )


def _sources(path: Path, rejects: Counter[str]) -> tuple[dict[str, list[_Source]], tuple[str, ...]]:
    """Return the images and masks of each part, and the names of the classes if they are known."""
    if (path / "SegmentationClass").is_dir():
        masks = files_by_stem(path / "SegmentationClass", (".png",))
        images = files_by_stem(path / "JPEGImages")
        lists = split_lists(path / "ImageSets" / "Segmentation", images) or {"": list(masks)}
        pairs = {p: paired(stems, images, masks, "mask", rejects) for p, stems in lists.items()}
        return {part: [*files] for part, files in pairs.items()}, ()
    if (path / "masks").is_dir():
        return dict(_of_folders(path, rejects)), ()
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
    if len(classes) >= IGNORED:
        raise InputError(
            f"a task of segmentation has more than {IGNORED - 1} classes",
            facts={"task": path, "classes": len(classes)},
            help="merge classes, or leave out the rare ones",
        )
    parts: dict[str, list[_Source]] = {
        part: [(image.path, image) for image in of_part] for part, of_part in annotated.items()
    }
    return parts, ("nothing", *sorted(classes))


def _of_folders(path: Path, rejects: Counter[str]) -> Iterator[tuple[str, list[_Source]]]:
    """Yield the images and masks of each part of the folders ``images`` and ``masks``."""
    images, masks = (
        {inner.name.lower(): inner for inner in (path / kind).glob("*")}
        for kind in ("images", "masks")
    )
    names = find_parts(lambda name: name if name in masks and masks[name].is_dir() else None)
    for part, name in (names or {"": ""}).items():
        of_images = files_by_stem(images.get(name, path / "images" / name))
        of_masks = files_by_stem(masks.get(name, path / "masks"), (".png",))
        rejects["image missing"] += len(of_masks.keys() - of_images.keys())
        yield part, [*paired(of_images, of_images, of_masks, "mask", rejects)]


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
            mask = _mask(mask_source, names, size, rejects)
        except UnusableMask as error:
            rejects[str(error)] += 1
            continue
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
    return Masked(stacked(squares, path, part, rejects), torch.from_numpy(np.stack(masks)))


def _mask(
    source: Path | AnnotatedImage,
    names: Sequence[str],
    size: tuple[int, int],
    rejects: Counter[str],
) -> Image.Image:
    """Return the classes of an image's pixels; the colours of a palette are not looked at."""
    if isinstance(source, AnnotatedImage):
        return Image.fromarray(_rasterised(source, names, size, rejects))
    return Image.fromarray(read_despite_texts(_png_numbers, source.read_bytes()))


def _png_numbers(data: bytes) -> npt.NDArray[np.uint8]:
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        refuse_enormous(image)
        return _numbers(image)


def _numbers(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Return the numbers in the pixels of a PNG of any depth.

    Raises
    ------
    UnusableMask
        If the pixels are colours, or a number is above 255.
    """
    tiles = getattr(image, "tile", [])
    raw = str(tiles[0][3]) if tiles else ""
    numbers = np.asarray(image)
    if numbers.ndim == 3:
        colours = numbers[..., :3] if numbers.shape[2] > 2 else numbers[..., :1]
        if (colours != colours[..., :1]).any():
            raise UnusableMask("mask of colours and not of classes")
        numbers = colours[..., 0]
    if numbers.max(initial=0) > IGNORED:
        raise UnusableMask(f"mask of a class above {IGNORED}")
    return numbers.astype(np.uint8) // _STEP_OF.get(raw, 1)


def _rasterised(
    image: AnnotatedImage, names: Sequence[str], size: tuple[int, int], rejects: Counter[str]
) -> npt.NDArray[np.uint8]:
    """Return the classes of the pixels of an image of COCO; crowds are `IGNORED`."""
    width, height = size
    canvas = np.zeros((height, width), np.uint8)
    shapes = [
        (
            IGNORED if entry.ignored else names.index(entry.name),
            runs_of(entry.outline, size, rejects),
        )
        for entry in image.objects
        if entry.outline
    ]
    # Large objects come first, so that small ones on top of them stay visible.
    for code, runs in sorted(shapes, key=lambda shape: -int(shape[1][1::2].sum())):
        canvas[inside(runs, size)] = code
    return canvas
