"""Which labels are alternatives: of the same kind, and neither a kind of the other.

The kinds are what stands at the top of a taxonomy: the labels without parents, or, where one of
these is above nearly all labels ("entity"), those right below it. "Red" and "brown" are
alternatives, "jeans" and "sunglasses" as well; "red" and "jeans" are not, where colours and clothes
have nothing above them in common, nor are "terrier" and "dog".
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
"""Levels of the taxonomy beyond which a label is not known to be above another."""

NEARLY_ALL = 0.9
"""Share of the labels above which what stands above them says nothing of their kind."""


@dataclass(frozen=True, eq=False)
class Kinds:
    """The labels above each label, to be asked for many pairs at once.

    ``above`` holds label * n + other for each label and what is above it, itself with it. The kinds
    of label l are ``kinds[first[l]:first[l + 1]]``, and ``only`` int32 is its kind if it has just
    one, else -1 - l.
    """

    n: int
    above: KeyTable
    first: Ints
    kinds: Codes
    only: Codes

    def alternatives(self, a: Codes, b: Codes) -> Mask:
        """Return ``bool[n]``: which pairs are of one kind, and neither is above the other."""
        of_a, of_b = self.only.take(a), self.only.take(b)
        apart: Mask = of_a == of_b
        several = np.flatnonzero((of_a < 0) | (of_b < 0))
        apart[several] = self._share(a[several], b[several])
        alike = np.flatnonzero(apart)
        apart[alike] = ~self.related(a.take(alike), b.take(alike))
        return apart

    def related(self, a: Codes, b: Codes) -> Mask:
        """Return ``bool[n]``: which pairs are equal, or one is above the other."""
        related: Mask = self._is_above(a, b) | self._is_above(b, a)
        return related

    def below(self, values: Floats) -> Floats:
        """Return ``float64[n]``: the sum over each label and those below it."""
        label, upper = self._pairs()
        return np.bincount(upper, values[label], self.n).astype(np.float64)

    def alternatives_sum(self, values: Floats) -> Floats:
        """Return ``float64[n]``: the sum over the alternatives of each label.

        An alternative that shares several kinds with it counts as often.
        """
        label, upper = self._pairs()
        above = np.bincount(label, values[upper], self.n)
        related = self.below(values) + above - values
        of_entry = np.repeat(np.arange(self.n), np.diff(self.first))
        of_kind = np.bincount(self.kinds, values[of_entry], self.n)
        alike = np.bincount(of_entry, of_kind[self.kinds], self.n)
        return np.maximum(alike - related, 0)

    def _pairs(self) -> tuple[Ints, Ints]:
        """Return each label with each that is above it."""
        label, upper = np.divmod(self.above.key[:-1].view(np.int64), self.n)
        return label, upper

    def _share(self, a: Codes, b: Codes) -> Mask:
        """Return which pairs have a kind in common, looking at all kinds of each."""
        pair, place = ranges(self.first[a], self.first[a + 1])
        shared = self._is_above(self.kinds[place], b[pair])
        result: Mask = np.bincount(pair[shared], minlength=len(a)) > 0
        return result

    def _is_above(self, upper: Codes, lower: Codes) -> Mask:
        key = lower.astype(np.int64) * self.n + upper
        is_above: Mask = self.above.find(key.view(np.uint64)) >= 0
        return is_above


def find_kinds(taxonomy: Taxonomy) -> Kinds:
    """Return the kinds of a taxonomy's labels.

    Examples
    --------
    >>> from labeling.taxonomy.taxonomy import Label, build_taxonomy
    >>> parents = {"blue": ("colour",), "colour": (), "navy": ("blue",), "red": ("colour",)}
    >>> labels = [Label(name, (), above, None, 1) for name, above in parents.items()]
    >>> kinds = find_kinds(build_taxonomy([*labels, Label("shirt", (), (), None, 1)], "doctest"))
    >>> blue, colour, navy, red, shirt = range(5)
    >>> kinds.alternatives(np.array([red] * 3), np.array([blue, navy, shirt])).tolist()
    [True, True, False]
    >>> kinds.alternatives(np.array([navy]), np.array([blue])).tolist()
    [False]
    """
    n = len(taxonomy)
    tops = {code for code, parents in enumerate(taxonomy.parents) if not parents}
    kinds = _kinds(taxonomy, tops)
    n_below = Counter(kind for of_label in kinds for kind in of_label)
    wide = {top for top in tops if n_below[top] > NEARLY_ALL * n}
    if wide:
        kinds = _kinds(taxonomy, (tops - wide).union(*(taxonomy.children[top] for top in wide)))
    first = np.cumsum([0, *map(len, kinds)])
    flat = np.array([kind for of_label in kinds for kind in sorted(of_label)], np.int32)
    only = np.where(np.diff(first) == 1, np.append(flat, 0)[first[:-1]], -1 - np.arange(n))
    above = build_key_table(_above(taxonomy).view(np.uint64))
    return Kinds(n, above, first, flat, only.astype(np.int32))


def _kinds(taxonomy: Taxonomy, tops: Set[int]) -> list[frozenset[int]]:
    """Return which of the tops each label is, or is below."""
    kinds: list[frozenset[int]] = [frozenset()] * len(taxonomy)
    for code in taxonomy.order:
        own = frozenset((code,)) if code in tops else frozenset()
        kinds[code] = own.union(*(kinds[parent] for parent in taxonomy.parents[code]))
    return kinds


def _above(taxonomy: Taxonomy) -> Ints:
    """Return label * n + other, sorted, for the labels up to `MAX_LEVELS` above each."""
    n = len(taxonomy)
    n_parents = np.array([len(parents) for parents in taxonomy.parents])
    parents = np.array([p for of_label in taxonomy.parents for p in of_label], np.int64)
    first = np.append(0, np.cumsum(n_parents))
    label = upper = np.arange(n)
    keys = [label * n + upper]
    for _ in range(MAX_LEVELS):
        pair, place = ranges(first[upper], first[upper + 1])
        key = label[pair] * n + parents[place]
        keys.append(np.unique(key))
        label, upper = np.divmod(keys[-1], n)
    return np.unique(np.concatenate(keys))
