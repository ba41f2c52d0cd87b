"""Which images a network trains on: nested subsets of the images that a label set has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.pairs.pair_keys import image_hash
from labeling.errors import ConfigError
from pipelines.studies.settings import StudySettings


def nested_rows(image_ids: Sequence[str], n_images: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the rows of the images with the smallest hash of seed and id, ascending.

    With the same seed a larger subset holds the smaller ones, and those of two label sets are the
    same images as far as both have them.

    Examples
    --------
    >>> ids = [f"{number:032x}" for number in range(6)]
    >>> nested_rows(ids, 2, seed=0).tolist(), nested_rows(ids, 4, seed=0).tolist()
    ([1, 5], [1, 2, 4, 5])
    """
    order = np.argsort(image_hash(pa.array(image_ids, pa.string()), seed), kind="stable")
    return np.sort(order[:n_images])


def spaced(smallest: int, largest: int, n: int) -> list[int]:
    """Return n numbers in equal ratios, each once.

    Examples
    --------
    >>> spaced(100, 1600, 5)
    [100, 200, 400, 800, 1600]
    """
    return sorted({round(size) for size in np.geomspace(smallest, largest, n).tolist()})


def sizes_of(study: StudySettings, available: Mapping[str, int]) -> list[int]:
    """Return the numbers of images to train on, ascending.

    Parameters
    ----------
    available
        Training images of each label set.

    Raises
    ------
    ConfigError
        If a label set has fewer images than a size.
    """
    fewest = min(available, key=lambda name: available[name])
    asked = study.smallest if study.smallest is not None else max(study.sizes)
    if asked + (study.smallest is not None) > available[fewest]:
        raise ConfigError(
            f"a size is larger than what the label set {fewest} has",
            facts={"size": f"{asked:,} images", fewest: f"{available[fewest]:,} images"},
            help="set smaller sizes, or leave this label set out",
        )
    if study.smallest is None:
        return sorted(study.sizes)
    return spaced(study.smallest, available[fewest], study.n_sizes)
