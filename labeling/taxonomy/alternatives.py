"""Pairs of labels that are alternatives: of the same group, and neither above the other.

Groups are the labels without parents; if one of these is above nearly all labels ("entity"), the
labels directly below it instead. "Red" and "brown" are alternatives, and so are "jeans" and
"sunglasses". "Red" and "jeans" are not, if colours and clothes have no label above them in common;
"terrier" and "dog" are not either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from dataclasses import dataclass

import numpy as np

from labeling.keys.arrays import Floats, Ints, Mask
from labeling.keys.hash_table import KeyTable, build_key_table
from labeling.keys.runs import ranges
from labeling.taxonomy.taxonomy import Codes, Taxonomy

MAX_LEVELS = 32
"""Levels of the taxonomy that are followed upwards."""

NEARLY_ALL = 0.9
"""Share of the labels below a label, above which it is too general to be a group."""


@dataclass(frozen=True, eq=False)
class Alternatives:
    """The relations of all pairs of n labels, looked up for many pairs at once.

    Attributes
    ----------
    above
        Holds ``label * n + other`` for each label and each label above it, also for itself.
    first, groups
        ``int64[n + 1]`` and ``int32``: the groups of label c are ``groups[first[c]:first[c + 1]]``.
    only
        ``int32[n]``: the group of a label that has one group, else -1 - c.
    """

    n: int
    above: KeyTable
    first: Ints
    groups: Codes
    only: Codes

    def are_alternatives(self, a: Codes, b: Codes) -> Mask:
        """Return ``bool[m]``: the pairs of the same group of which neither is above the other."""
        of_a, of_b = self.only.take(a), self.only.take(b)
        result: Mask = of_a == of_b
        several = np.flatnonzero((of_a < 0) | (of_b < 0))
        result[several] = self._share_group(a[several], b[several])
        same = np.flatnonzero(result)
        result[same] = ~self.are_related(a.take(same), b.take(same))
        return result

    def are_related(self, a: Codes, b: Codes) -> Mask:
        """Return ``bool[m]``: the pairs that are equal, or of which one is above the other."""
        related: Mask = self._is_above(a, b) | self._is_above(b, a)
        return related

    def sum_below(self, values: Floats) -> Floats:
        """Return ``float64[n]``: the sum over each label and those below it."""
        label, upper = self._pairs()
        return np.bincount(upper, values[label], self.n).astype(np.float64)

    def sum_alternatives(self, values: Floats) -> Floats:
        """Return ``float64[n]``: the sum over the alternatives of each label.

        An alternative that has k groups in common with the label counts k times.
        """
        label, upper = self._pairs()
        above = np.bincount(label, values[upper], self.n)
        related = self.sum_below(values) + above - values
        of_entry = np.repeat(np.arange(self.n), np.diff(self.first))
        of_group = np.bincount(self.groups, values[of_entry], self.n)
        in_groups = np.bincount(of_entry, of_group[self.groups], self.n)
        return np.maximum(in_groups - related, 0)

    def _pairs(self) -> tuple[Ints, Ints]:
        """Return each label with each label above it."""
        label, upper = np.divmod(self.above.key[:-1].view(np.int64), self.n)
        return label, upper

    def _share_group(self, a: Codes, b: Codes) -> Mask:
        pair, index = ranges(self.first[a], self.first[a + 1])
        shared = self._is_above(self.groups[index], b[pair])
        result: Mask = np.bincount(pair[shared], minlength=len(a)) > 0
        return result

    def _is_above(self, upper: Codes, lower: Codes) -> Mask:
        key = lower.astype(np.int64) * self.n + upper
        is_above: Mask = self.above.find(key.view(np.uint64)) >= 0
        return is_above


def find_alternatives(taxonomy: Taxonomy) -> Alternatives:
    """Return the alternatives among a taxonomy's labels.

    Examples
    --------
    >>> from labeling.taxonomy.taxonomy import Label, build_taxonomy
    >>> parents = {"blue": ("colour",), "colour": (), "navy": ("blue",), "red": ("colour",)}
    >>> labels = [Label(name, (), above) for name, above in parents.items()]
    >>> found = find_alternatives(build_taxonomy([*labels, Label("shirt", ())]))
    >>> blue, colour, navy, red, shirt = range(5)
    >>> found.are_alternatives(np.array([red] * 3), np.array([blue, navy, shirt])).tolist()
    [True, True, False]
    >>> found.are_alternatives(np.array([navy]), np.array([blue])).tolist()
    [False]
    """
    n = len(taxonomy)
    tops = {code for code, parents in enumerate(taxonomy.parents) if not parents}
    groups = _groups(taxonomy, tops)
    n_below = Counter(group for of_label in groups for group in of_label)
    too_general = {top for top in tops if n_below[top] > NEARLY_ALL * n}
    if too_general:
        below = (taxonomy.children[top] for top in too_general)
        groups = _groups(taxonomy, (tops - too_general).union(*below))
    first = np.cumsum([0, *map(len, groups)])
    flat = np.array([group for of_label in groups for group in sorted(of_label)], np.int32)
    only = np.where(np.diff(first) == 1, np.append(flat, 0)[first[:-1]], -1 - np.arange(n))
    above = build_key_table(_above(taxonomy).view(np.uint64))
    return Alternatives(n, above, first, flat, only.astype(np.int32))


def _groups(taxonomy: Taxonomy, tops: Set[int]) -> list[frozenset[int]]:
    """Return for each label those of the tops that it is or is below."""
    groups: list[frozenset[int]] = [frozenset()] * len(taxonomy)
    for code in taxonomy.order:
        itself = frozenset((code,)) if code in tops else frozenset()
        groups[code] = itself.union(*(groups[parent] for parent in taxonomy.parents[code]))
    return groups


def _above(taxonomy: Taxonomy) -> Ints:
    """Return ``label * n + other``, sorted, for the labels up to `MAX_LEVELS` above each."""
    n = len(taxonomy)
    first = np.cumsum([0, *map(len, taxonomy.parents)])
    parents = np.array([p for of_label in taxonomy.parents for p in of_label], np.int64)
    label = upper = np.arange(n)
    keys = [label * n + upper]
    for _ in range(MAX_LEVELS):
        pair, index = ranges(first[upper], first[upper + 1])
        keys.append(np.unique(label[pair] * n + parents[index]))
        label, upper = np.divmod(keys[-1], n)
    return np.unique(np.concatenate(keys))
