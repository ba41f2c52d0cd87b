"""Folds of the images that networks judge: images of one host, or of one page, are in one fold."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curation.pairs.pair_keys import image_hash
from labeling.keys.arrays import Ints

N_FOLDS = 5

LARGEST = 1 / N_FOLDS
"""Largest share of the images that a group may have: a fold is as large."""


class Folds(NamedTuple):
    """Folds of images: ``int8[n]`` in 0…4, and the groups that are whole in one.

    ``by`` is ``host``, ``page``, ``content`` or ``image``.
    """

    fold: npt.NDArray[np.int8]
    by: str


def make_folds(
    image_ids: pa.Array, shared: pa.Table, columns: tuple[str, ...] = ("host", "page_id")
) -> Folds:
    """Cut images into folds of about one size.

    Images that are on one host are in one fold, as they share authors and templates; if such a
    group has more than `LARGEST` of the images, those of one page are, or else each image is by
    itself. An image with the same bytes has one id, and so one fold; of images with ids of another
    kind those with the same bytes are in one fold.

    Parameters
    ----------
    image_ids
        The n images, each once.
    shared
        `labeling.schemas.PLACEMENTS`, which may lack images, or ``IMPORTED_IMAGES``.
    columns
        What images of a group share, the first that gives no group of more than `LARGEST`.
    """
    hashes = image_hash(image_ids)
    for by in columns:
        group = _groups(image_ids, shared, by)
        if np.bincount(group, minlength=1).max() <= max(LARGEST * len(image_ids), 1):
            return Folds(_spread(group, hashes), by.removesuffix("_id"))
    return Folds(_spread(np.arange(len(image_ids)), hashes), "image")


def _groups(image_ids: pa.Array, shared: pa.Table, by: str) -> Ints:
    """Return the group of each image: those that share a host or page, also over others."""
    image = np.asarray(pc.fill_null(pc.index_in(shared["image_id"], image_ids), -1), np.int64)
    other = np.asarray(shared[by].combine_chunks().dictionary_encode().indices, np.int64)
    known = image >= 0
    n = len(image_ids)
    size = n + int(other.max(initial=-1)) + 1
    edges = (np.ones(known.sum(), bool), (image[known], n + other[known]))
    _, group = connected_components(coo_array(edges, shape=(size, size)), directed=False)
    return np.unique(group[:n], return_inverse=True)[1].astype(np.int64)


def _spread(group: Ints, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int8]:
    """Return a fold for each image: the largest groups first, each into the smallest fold."""
    n_of = np.bincount(group)
    key = np.full(len(n_of), np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(key, group, hashes)
    fold_of, sizes = np.zeros(len(n_of), np.int8), np.zeros(N_FOLDS, np.int64)
    for number in np.lexsort((key, -n_of)).tolist():
        fold_of[number] = np.argmin(sizes)
        sizes[fold_of[number]] += n_of[number]
    return fold_of[group]
