"""Candidates of one image whose labels are related: ancestors, descendants and siblings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from labeling.keys.arrays import Floats, Ints
from labeling.keys.runs import ranges
from labeling.taxonomy.taxonomy import Codes, Taxonomy

Real = TypeVar("Real", np.float32, np.float64)


@dataclass(frozen=True, eq=False)
class Relatives:
    """The candidates of an image that have related labels.

    Attributes
    ----------
    n
        Number of candidates.
    below, above
        ``int64[e]``: rows of a candidate and of one whose label is an ancestor of its label.
    member, family
        ``int64[m]``: a row, and the code of a family that it belongs to. A family is the
        candidates of one image whose labels share a parent; labels without parents are one family.
    """

    n: int
    below: Ints
    above: Ints
    member: Ints
    family: Ints

    def mean_above(self, values: Floats, missing: Floats | float) -> Floats:
        """Return the mean over the ancestors of each candidate, `missing` without ancestors."""
        return _mean(_total(self.below, values[self.above], self.n), self._of_above, missing)

    def mean_below(self, values: Floats, missing: Floats | float) -> Floats:
        """Return the mean over the descendants of each candidate, `missing` without any."""
        return _mean(_total(self.above, values[self.below], self.n), self._of_below, missing)

    def max_above(self, values: Floats) -> Floats:
        """Return the largest of the (non-negative) values of the ancestors, 0 without any."""
        return _max(self.below, values[self.above], self.n)

    def max_below(self, values: npt.NDArray[Real]) -> npt.NDArray[Real]:
        """Return the largest of the (non-negative) values of the descendants, 0 without any."""
        return _max(self.above, values[self.below], self.n)

    def closed(self, values: npt.NDArray[Real]) -> npt.NDArray[Real]:
        """Return the largest of the (non-negative) values of each candidate and its descendants.

        An image that shows a label shows its ancestors, so an ancestor is at least as probable.
        """
        return np.maximum(values, self.max_below(values))

    def mean_siblings(self, values: Floats, missing: Floats | float) -> Floats:
        """Return the mean over the siblings of each candidate, `missing` without siblings."""
        of_member = values[self.member]
        others = np.bincount(self.family, of_member)[self.family] - of_member
        return _mean(_total(self.member, others, self.n), self._of_siblings, missing)

    def max_siblings(self, values: Floats) -> Floats:
        """Return the largest of the (non-negative) values of the siblings, 0 without any."""
        of_member, n_families = values[self.member], len(np.bincount(self.family))
        first = _max(self.family, of_member, n_families)[self.family]
        leads = of_member == first
        alone = np.bincount(self.family, leads)[self.family] == 1
        second = _max(self.family, np.where(leads, 0, of_member), n_families)[self.family]
        return _max(self.member, np.where(leads & alone, second, first), self.n)

    @cached_property
    def _of_above(self) -> tuple[Floats, Floats]:
        return _inverse(np.bincount(self.below, minlength=self.n))

    @cached_property
    def _of_below(self) -> tuple[Floats, Floats]:
        return _inverse(np.bincount(self.above, minlength=self.n))

    @cached_property
    def _of_siblings(self) -> tuple[Floats, Floats]:
        others = np.bincount(self.family)[self.family] - 1
        return _inverse(np.bincount(self.member, others, self.n))


def find_relatives(image: Ints, label: Codes, taxonomy: Taxonomy) -> Relatives:
    """Find the related candidates of each image.

    Parameters
    ----------
    image
        ``int64[n]``: code of the image of each candidate.
    label
        ``int32[n]``: code of its label; an image has a label once.
    taxonomy
        Gives ancestors and parents.
    """
    below, ancestor = _expand(label, taxonomy.ancestors)
    key = image * len(taxonomy) + label
    order = np.argsort(key, kind="stable")
    wanted = image[below] * len(taxonomy) + ancestor
    at = np.minimum(np.searchsorted(key[order], wanted), max(len(key) - 1, 0))
    present = key[order][at] == wanted if len(key) else np.zeros(0, bool)
    member, parent = _expand(label, tuple(p or (-1,) for p in taxonomy.parents))
    _, family = np.unique(image[member] * (len(taxonomy) + 1) + parent + 1, return_inverse=True)
    return Relatives(len(label), below[present], order[at[present]], member, family)


def _expand(label: Codes, related: tuple[tuple[int, ...], ...]) -> tuple[Ints, Ints]:
    """Return, for each row and each relative of its label, the row and the relative's code."""
    count = np.array([len(r) for r in related], np.int64)
    flat = np.array([code for codes in related for code in codes], np.int64)
    start = np.cumsum(count) - count
    row, index = ranges(start[label], (start + count)[label])
    return row, flat[index]


def _inverse(count: npt.NDArray[np.number]) -> tuple[Floats, Floats]:
    """Return the inverse of each count, or 0 for a count of 0; and 1 for a count of 0, else 0."""
    none = (count == 0).astype(np.float64)
    return (1 - none) / np.maximum(count, 1), none


def _mean(total: Floats, of: tuple[Floats, Floats], missing: Floats | float) -> Floats:
    inverse, none = of
    result: Floats = total * inverse
    result += none * missing
    return result


def _total(to: Ints, values: Floats, n: int) -> Floats:
    return np.bincount(to, values, n).astype(np.float64, copy=False)


def _max(to: Ints, values: npt.NDArray[Real], n: int) -> npt.NDArray[Real]:
    largest = np.zeros(n, values.dtype)
    np.maximum.at(largest, to, values)
    return largest
