"""Tasks of classification: images, each of one class, some to learn from and some to measure on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from labeling.errors import InputError
from training.transfer.images import UNREADABLE, decode_square, refuse_too_many, stacked
from training.transfer.sources import held_out, items


@dataclass(frozen=True, eq=False)
class Labelled:
    """Images, each of one class.

    Parameters
    ----------
    pixels
        ``uint8[n, s, s, 3]``.
    classes
        ``int64[n]``, from 0.
    """

    pixels: Tensor
    classes: Tensor


@dataclass(frozen=True, eq=False)
class ClassTask:
    """A task of classification.

    Parameters
    ----------
    names
        The name of each class, sorted.
    train, test
        Images to learn from, and to measure on.
    put_aside
        How many images could not be used, by reason.
    """

    names: tuple[str, ...]
    train: Labelled
    test: Labelled
    put_aside: Counter[str]


def read_class_task(path: Path, image_size: int, seed: int = 0) -> ClassTask:
    """Read a task of classification.

    Parameters
    ----------
    path
        One of: a folder with ``train/CLASS/*.jpg`` and ``test/CLASS/*.jpg`` (or ``val``,
        ``validation``, ``valid``); a folder of classes alone; a folder with ``train*.tar`` and
        ``test*.tar``; one tar; a CSV with columns path and label, and perhaps split. A tar holds
        ``KEY.jpg`` with ``KEY.cls``, or with a ``KEY.json`` that has a key ``label``. What comes in
        one part is split: a fifth of each class is for measuring.
    image_size
        Side of the centred squares that images are cut to.
    seed
        Of the split.

    Raises
    ------
    InputError
        If there is no such task, a part has no image, or there are fewer than two classes.
    """
    put_aside: Counter[str] = Counter()
    names, parts, squares = _decoded(path, image_size, put_aside)
    is_test = _is_test(names, parts, seed)
    known = sorted({name for name, test in zip(names, is_test, strict=True) if not test})
    _refuse_few(known, path)
    code_of = {name: code for code, name in enumerate(known)}
    is_known = np.array([name in code_of for name in names])
    put_aside["class not in the training images"] += int((~is_known).sum())

    def labelled(rows: npt.NDArray[np.intp], part: str) -> Labelled:
        pixels = stacked([squares[row] for row in rows], path, part)
        return Labelled(pixels, torch.tensor([code_of[names[row]] for row in rows]))

    train = labelled(np.flatnonzero(~is_test), "train")
    test = labelled(np.flatnonzero(is_test & is_known), "measure")
    return ClassTask(tuple(known), train, test, +put_aside)


def _decoded(
    path: Path, image_size: int, put_aside: Counter[str]
) -> tuple[list[str], list[str], list[npt.NDArray[np.uint8]]]:
    names: list[str] = []
    parts, squares = [], []
    for item in items(path, put_aside):
        refuse_too_many(len(names) + 1, image_size, path)
        try:
            squares.append(decode_square(item.data, image_size))
        except UNREADABLE:
            put_aside["image unreadable"] += 1
        else:
            names.append(item.name)
            parts.append(item.part)
    return names, parts, squares


def _is_test(names: Sequence[str], parts: Sequence[str], seed: int) -> npt.NDArray[np.bool_]:
    """Return ``bool[n]``: is the image for measuring? One of an unsplit class at least is."""
    result = np.array([part == "test" for part in parts], bool)
    unsplit = np.array([not part for part in parts], bool)
    for name in sorted(set(names)):
        rows = np.flatnonzero(unsplit & (np.array(names) == name))
        result[rows] |= held_out(len(rows), seed)
    return result


def _refuse_few(names: Sequence[str], path: Path) -> None:
    if len(names) < 2:
        raise InputError(
            "a task of classification has fewer than two classes with training images",
            facts={"task": path, "classes": ", ".join(names) or "none"},
            help="docs/how-to/transfer.md says how a task is laid out",
        )
