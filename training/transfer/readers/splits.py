"""Division of a task into images to train on and images to test on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt

_Part = TypeVar("_Part")
_Image = TypeVar("_Image")

TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing", "val", "validation", "valid")
"""Names of the parts to train and to test on; the first that exists is used."""

TEST_SHARE = 0.2
"""Share of the images to test on if a task comes in one part."""


def find_parts(find: Callable[[str], _Part | None]) -> dict[str, _Part]:
    """Return the parts ``train`` and ``test``, or nothing unless both exist.

    Parameters
    ----------
    find
        Returns the part of a name, one of `TRAIN_NAMES` or `TEST_NAMES`; None or empty if missing.

    Examples
    --------
    >>> find_parts({"train": [1, 2], "valid": [3]}.get)
    {'train': [1, 2], 'test': [3]}
    >>> find_parts({"train": [1, 2]}.get)
    {}
    """
    train, test = (
        next((part for name in names if (part := find(name))), None)
        for names in (TRAIN_NAMES, TEST_NAMES)
    )
    return {"train": train, "test": test} if train and test else {}


def split(parts: Mapping[str, list[_Image]], seed: int) -> tuple[list[_Image], list[_Image]]:
    """Return the images to train on and to test on; the part "" is split by the seed."""
    if "" not in parts:
        return parts["train"], parts["test"]
    rows = list(zip(parts[""], is_held_out(len(parts[""]), seed), strict=True))
    return [image for image, test in rows if not test], [image for image, test in rows if test]


def is_held_out(n: int, seed: int) -> npt.NDArray[np.bool_]:
    """Return ``bool[n]``: the rows to test on, `TEST_SHARE` of them, at least one of several."""
    result = np.zeros(n, bool)
    n_test = max(1, round(TEST_SHARE * n)) if n > 1 else 0
    result[np.random.default_rng(seed).permutation(n)[:n_test]] = True
    return result
