"""Reliability of sources by label: rates shrunk over labels, families and sources."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from curation.intervals.judgements import Verdicts
from curation.pairs.label_hierarchy import Real
from curation.scoring.features import FeatureTable
from labeling.keys.arrays import Floats, Ints, Mask
from labeling.taxonomy.taxonomy import Taxonomy

WEAKEST, STRONGEST = 1.0, 500.0
"""Bounds of the strength of a prior, in judgements."""

MAX_LOGIT = 4.6
"""Bound of the logit of a rate: rates stay between .01 and .99."""


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Entries in groups, groups in families, families in pools.

    Attributes
    ----------
    row
        ``int64[e]``: row of the candidate of each entry.
    group
        ``int64[e]``: group of each entry.
    family
        ``int64[g]``: family of each group.
    pool
        ``int64[f]``: pool of each family.
    """

    row: Ints
    group: Ints
    family: Ints
    pool: Ints

    def count(self, weight: Verdicts) -> Floats:
        """Return the weight (``float[n]``, of each candidate) of each group, ``float64[g]``."""
        return _sum(self.group, weight[self.row], len(self.family))

    @cached_property
    def size(self) -> Floats:
        """Number of entries of each group, ``float64[g]``."""
        return np.bincount(self.group, minlength=len(self.family)).astype(np.float64)


def by_label(table: FeatureTable) -> Hierarchy:
    """Group the candidates by label, labels by parent, and all in one pool."""
    n_labels = len(table.taxonomy)
    return Hierarchy(
        np.arange(len(table), dtype=np.int64),
        table.label.astype(np.int64),
        _parent_or_self(table.taxonomy),
        np.zeros(n_labels, np.int64),
    )


def by_source(table: FeatureTable, voted: Mask) -> Hierarchy:
    """Group the votes by (source, label), those by (source, parent), those by source.

    Parameters
    ----------
    table
        The candidates.
    voted
        ``bool[n, n_sources]``: `voted` or `silent` of the table.
    """
    n_labels, n_sources = len(table.taxonomy), len(table.sources)
    row, source = np.nonzero(voted)
    shift = np.repeat(np.arange(n_sources, dtype=np.int64), n_labels) * n_labels
    return Hierarchy(
        row,
        source * n_labels + table.label[row],
        shift + np.tile(_parent_or_self(table.taxonomy), n_sources),
        shift // max(n_labels, 1),
    )


@dataclass(frozen=True, eq=False)
class Rates:
    """The share of right candidates in each group, with the sums that shrink it.

    Attributes
    ----------
    n, n_right
        ``float64[g]``: judgements of each group, and the number of "right" among them.
    n_family, n_right_family
        ``float64[g]``: the same of the group's whole family.
    pooled
        ``float64[g]``: rate of the pool of the group's family.
    k_group, k_family
        Strength of the prior of a group's and of a family's rate, in judgements.
    """

    n: Floats
    n_right: Floats
    n_family: Floats
    n_right_family: Floats
    pooled: Floats
    k_group: float
    k_family: float

    def logits(self) -> Floats:
        """Return the logit of each group's shrunken rate, ``float64[g]`` in [-4.6, 4.6]."""
        return logit(self._line(slice(None), 0.0)[0])

    def logits_without(
        self,
        group: Ints,
        weight: npt.NDArray[np.floating] | float,
        right: npt.NDArray[np.floating],
    ) -> npt.NDArray[np.floating]:
        """Return the logit of the rate of each entry's group without the entry's own judgement.

        Parameters
        ----------
        group
            ``int64[e]``.
        weight
            ``float[e]``, or one for all: number of judgements that the entry counts for.
        right
            ``float[e]``: number of "right" among them. The result has its precision.
        """
        if isinstance(weight, float):
            level, slope = (x.astype(right.dtype)[group] for x in self._line(slice(None), weight))
        else:
            level, slope = self._line(group, weight)
        slope *= right
        level -= slope
        return logit(level)

    def _line(
        self, group: Ints | slice, weight: npt.NDArray[np.floating] | float
    ) -> tuple[Floats, Floats]:
        """Return level and slope: without y right of `weight`, the rate is level - slope * y."""
        n, n_family = self.n[group], self.n_family[group]
        by_family = 1 / (np.maximum(n_family - weight, 0) + self.k_family)
        by_group = 1 / (np.maximum(n - weight, 0) + self.k_group)
        prior = (self.n_right_family[group] + self.k_family * self.pooled[group]) * by_family
        level: Floats = (self.n_right[group] + self.k_group * prior) * by_group
        return level, (1 + self.k_group * by_family) * by_group


def fit_rates(
    hierarchy: Hierarchy,
    correct: Verdicts,
    weight: Floats | None = None,
) -> Rates:
    """Count the judgements of each group and fit the strength of the priors of its rate.

    A group's rate is shrunk to its family's, a family's to its pool's, as the mean of a
    beta-binomial; the strength is fitted by the method of moments (Kleinman 1973).

    Parameters
    ----------
    hierarchy
        The entries.
    correct
        ``float[n]`` in [0, 1]: verdict or probability of each candidate.
    weight
        ``float64[n]``: judgements that each candidate counts for; 0 leaves it out. By default each
        counts for one.
    """
    h = hierarchy
    n = h.size if weight is None else h.count(weight)
    y = h.count(correct if weight is None else weight * correct)
    n_family, y_family = (_sum(h.family, v, len(h.pool)) for v in (n, y))
    n_pool, y_pool = (_sum(h.pool, v, 0) for v in (n_family, y_family))
    overall = (y_pool.sum() + 1) / (n_pool.sum() + 2)
    pooled = ((y_pool + 2 * overall) / (n_pool + 2))[h.pool]
    k_family = _strength(n_family, y_family, pooled)
    of_family = (y_family + k_family * pooled) / (n_family + k_family)
    return Rates(
        n=n,
        n_right=y,
        n_family=n_family[h.family],
        n_right_family=y_family[h.family],
        pooled=pooled[h.family],
        k_group=_strength(n, y, of_family[h.family]),
        k_family=k_family,
    )


def logit(rate: npt.NDArray[Real]) -> npt.NDArray[Real]:
    """Return ``log(rate / (1 - rate))``, bounded by `MAX_LOGIT`."""
    most = float(expit(MAX_LOGIT))
    inside = np.clip(rate, 1 - most, most)
    inside /= 1 - inside
    return np.log(inside, out=inside)


def _sum(to: Ints, values: Verdicts, n: int) -> Floats:
    return np.bincount(to, values, n).astype(np.float64)


def _strength(n: npt.NDArray[np.number], y: npt.NDArray[np.number], prior: Floats) -> float:
    """Return the strength of the prior of these rates, in judgements.

    In a beta-binomial of intra-class correlation r, ``n (y/n - p)^2 / (p (1-p))`` is expected to
    be ``1 + (n-1) r``, and the prior's strength is ``1/r - 1``.
    """
    seen = n > 0
    n, y, prior = n[seen], y[seen], np.clip(prior[seen], 0.01, 0.99)
    excess = float(np.sum((y - n * prior) ** 2 / (n * prior * (1 - prior)) - 1))
    room = float(np.sum(np.maximum(n - 1, 0)))
    correlation = excess / room if room > 0 else 0.0
    return 1 / min(max(correlation, 1 / (STRONGEST + 1)), 1 / (WEAKEST + 1)) - 1


def _parent_or_self(taxonomy: Taxonomy) -> Ints:
    return np.array([p[0] if p else code for code, p in enumerate(taxonomy.parents)], np.int64)
