"""The images that a network trains on: nested subsets of the images of a label set."""

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

    With the same seed a larger subset contains the smaller ones, and the subsets of two label sets
    agree on the images that both have.

    Examples
    --------
    >>> ids = [f"{number:032x}" for number in range(6)]
    >>> nested_rows(ids, 2, seed=0).tolist(), nested_rows(ids, 4, seed=0).tolist()
    ([1, 5], [1, 2, 4, 5])
    """
    order = np.argsort(image_hash(pa.array(image_ids, pa.string()), seed), kind="stable")
    return np.sort(order[:n_images])


def sizes_of(study: StudySettings, available: Mapping[str, int]) -> list[int]:
    """Return the numbers of images to train on, ascending; from a smallest on in equal ratios.

    Parameters
    ----------
    study
        The settings: ``sizes``, or ``smallest`` and ``n_sizes``.
    available
        Training images of each label set.

    Raises
    ------
    ConfigError
        If a label set has fewer images than a size.
    """
    fewest = min(available, key=lambda name: available[name])
    size = study.smallest if study.smallest is not None else max(study.sizes)
    # The smallest size needs a larger one above it.
    if size + (study.smallest is not None) > available[fewest]:
        raise ConfigError(
            f"a size is larger than the label set {fewest}",
            facts={"size": f"{size:,} images", fewest: f"{available[fewest]:,} images"},
            help="set smaller sizes, or leave this label set out",
        )
    if study.smallest is None:
        return sorted(study.sizes)
    spaced = np.geomspace(study.smallest, available[fewest], study.n_sizes).tolist()
    return sorted(set(map(round, spaced)))
