"""Tasks of classification: images, each of one class."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from labeling.errors import InputError
from training.transfer.readers.images import (
    LAYOUT,
    UNREADABLE,
    Images,
    TaskData,
    decode_square,
    refuse_too_many,
    stacked,
)
from training.transfer.readers.labelled_files import labelled_files
from training.transfer.readers.splits import is_held_out


@dataclass(frozen=True, eq=False)
class Labelled(Images):
    """Images, each of one class.

    Parameters
    ----------
    pixels
        ``uint8[n, s, s, 3]``.
    classes
        ``int64[n]``, from 0.
    """

    classes: Tensor


def read_class_task(path: Path, image_size: int, seed: int = 0) -> TaskData[Labelled]:
    """Read a task of classification.

    Parameters
    ----------
    path
        One of: a folder with ``train/CLASS/*.jpg`` and ``test/CLASS/*.jpg`` (or ``val``,
        ``validation``, ``valid``); a folder of classes alone; a folder with ``train*.tar`` and
        ``test*.tar``; one tar; a CSV with columns path and label, and perhaps split. A tar holds
        ``KEY.jpg`` with ``KEY.cls``, or with a ``KEY.json`` that has a key ``label``. A task in
        one part is split: a fifth of each class is for testing.
    image_size
        Side of the centred squares that images are cut to.
    seed
        Seed of the split.

    Raises
    ------
    InputError
        If there is no such task, a part has no image, or there are fewer than two classes.
    """
    rejects: Counter[str] = Counter()
    names, parts, squares = _decoded(path, image_size, rejects)
    is_test = _is_test(np.array(names, str), np.array(parts, str), seed)
    known = sorted({name for name, test in zip(names, is_test, strict=True) if not test})
    if len(known) < 2:
        raise InputError(
            "a task of classification has fewer than two classes with training images",
            facts={"task": path, "classes": ", ".join(known) or "none"},
            help=LAYOUT,
        )
    code_of = {name: code for code, name in enumerate(known)}
    is_known = np.array([name in code_of for name in names])
    rejects["class not in the training images"] += int((~is_known).sum())

    def labelled(rows: npt.NDArray[np.intp], part: str) -> Labelled:
        pixels = stacked([squares[row] for row in rows], path, part, rejects)
        return Labelled(pixels, torch.tensor([code_of[names[row]] for row in rows]))

    train = labelled(np.flatnonzero(~is_test), "train")
    test = labelled(np.flatnonzero(is_test & is_known), "measure")
    return TaskData(tuple(known), train, test, +rejects)


def _decoded(
    path: Path, image_size: int, rejects: Counter[str]
) -> tuple[list[str], list[str], list[npt.NDArray[np.uint8]]]:
    """Return class, part and pixels of each image that can be decoded."""
    names: list[str] = []
    parts, squares = [], []
    for file in labelled_files(path, rejects):
        refuse_too_many(len(names) + 1, image_size, path)
        try:
            squares.append(decode_square(file.data, image_size))
        except UNREADABLE:
            rejects["image unreadable"] += 1
        else:
            names.append(file.name)
            parts.append(file.part)
    return names, parts, squares


def _is_test(
    names: npt.NDArray[np.str_], parts: npt.NDArray[np.str_], seed: int
) -> npt.NDArray[np.bool_]:
    """Return ``bool[n]``: the images to test on, at least one of each class that is not split."""
    result: npt.NDArray[np.bool_] = parts == "test"
    for name in sorted(set(names.tolist())):
        rows = np.flatnonzero((parts == "") & (names == name))
        result[rows] |= is_held_out(len(rows), seed)
    return result
