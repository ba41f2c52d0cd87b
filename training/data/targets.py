"""Labels of each image as sparse targets: few of many labels have an entry.

A kept label is a positive with its posterior as target, and so are the labels implied by it. A
label that is listed as unknown is neither positive nor negative: its weight is 0. All other labels
are negatives, and need no entry.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.errors import InputError
from training.data.shard_index import Shards


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets of n images.

    Parameters
    ----------
    n_labels
        Number of labels.
    offsets
        ``int64[n + 1]``: image i has the entries ``offsets[i]`` to ``offsets[i + 1]`` of the next.
    codes, target, weight
        ``int64``, ``float32``, ``float32``: label, target in [0, 1] and weight of each entry.
        Labels without an entry have target 0 and weight 1.
    """

    n_labels: int
    offsets: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int64]
    target: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32]

    @property
    def n_images(self) -> int:
        """Number of images."""
        return len(self.offsets) - 1

    def entries(
        self, rows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the entries of some images, and for each the position of its image in `rows`.

        Examples
        --------
        >>> none = np.zeros(3, np.float32)
        >>> targets = Targets(9, np.array([0, 2, 3]), np.array([5, 7, 6]), none, none)
        >>> entry, image = targets.entries(np.array([1, 0]))
        >>> targets.codes[entry].tolist(), image.tolist()
        ([6, 5, 7], [0, 1, 1])
        """
        counts = self.offsets[rows + 1] - self.offsets[rows]
        image = np.repeat(np.arange(len(rows)), counts)
        before = np.cumsum(counts) - counts
        return np.arange(len(image)) + (self.offsets[rows] - before)[image], image

    def n_shown(self) -> npt.NDArray[np.float64]:
        """Return the expected number of images of each label: ``float64[n_labels]``."""
        counts = np.bincount(self.codes, self.target, minlength=self.n_labels)
        return counts.astype(np.float64)


def read_targets(shards: Shards, label_ids: Sequence[str]) -> Targets:
    """Read the targets of all samples for some labels; other labels are left out.

    Raises
    ------
    InputError
        If the JSON of a sample does not have the form of the export. The message names shard and
        key.
    """
    code_of = {label_id: code for code, label_id in enumerate(label_ids)}
    counts, codes = array("q", [0]), array("q")
    target, weight = array("f"), array("f")
    for row, key in enumerate(shards.keys):
        try:
            target_of = _targets_of(key, shards.facts(row), code_of)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise unusable_sample(shards, row, error) from error
        counts.append(len(target_of))
        codes.extend(target_of)
        target.extend(p for p, _ in target_of.values())
        weight.extend(w for _, w in target_of.values())
    offsets = np.cumsum(counts)
    return Targets(len(label_ids), offsets, np.array(codes), np.array(target), np.array(weight))


def unusable_sample(shards: Shards, row: int, error: Exception) -> InputError:
    """Return the error for a sample whose image or JSON is not as the export writes it."""
    return InputError(
        "a sample of a shard cannot be used",
        facts={"shard": shards.path(row), "key": shards.keys[row], "cause": repr(error)},
        help="export the shards again, or take this image out",
    )


def _targets_of(
    key: str, facts: Mapping[str, Any], code_of: Mapping[str, int]
) -> dict[int, tuple[float, float]]:
    """Return target and weight of each label of one image that is kept or unknown."""
    if facts["image_id"] != key:
        raise ValueError(f"its json is of image {facts['image_id']}")
    p_correct = {label["label_id"]: float(label["p_correct"]) for label in facts["labels"]}
    if not all(0 <= p <= 1 for p in p_correct.values()):
        raise ValueError("a p_correct is not in [0, 1]")
    unknown = {code_of[i]: (0.0, 0.0) for i in facts["unknown"] if i in code_of}
    # A label that is kept and unknown counts as kept.
    return unknown | {code_of[i]: (p, 1.0) for i, p in p_correct.items() if i in code_of}
