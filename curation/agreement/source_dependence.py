"""Groups of sources that vote together more than others: a dendrogram of odds ratios."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.cluster.hierarchy import linkage

from labeling.keys.arrays import Floats, Mask

Group = tuple[int, ...]


def partitions(
    voted: Mask, silent: Mask, count: Floats, n_at_least: int
) -> Iterator[tuple[Group, ...]]:
    """Yield partitions of the sources, first each alone, then joining the most dependent groups.

    Groups are joined by average linkage (UPGMA, Sokal & Michener 1958) on `log_odds_ratios`.

    Parameters
    ----------
    voted, silent, count
        Patterns of votes, as in `curation.agreement.label_model.Patterns`.
    n_at_least
        Groups of the last partition, 1 or more; fewer sources are yielded as they are.
    """
    n_sources = voted.shape[1]
    groups: dict[int, Group] = {source: (source,) for source in range(n_sources)}
    yield tuple(groups.values())
    if n_sources <= n_at_least:
        return
    ratios = log_odds_ratios(voted, silent, count)
    tree = linkage(-ratios[np.triu_indices(n_sources, 1)], "average")[: n_sources - n_at_least]
    for number, (i, j) in enumerate(tree[:, :2].astype(np.int64).tolist(), n_sources):
        groups[number] = tuple(sorted(groups.pop(i) + groups.pop(j)))
        yield tuple(sorted(groups.values()))


def log_odds_ratios(voted: Mask, silent: Mask, count: Floats) -> Floats:
    """Return the log-odds ratio of the votes of each two sources: 0 if they are independent.

    Only pairs count that both sources cover and that a third source names. Whether these are seen
    does not depend on the two, so the pairs without any vote do not distort the ratio.

    Returns
    -------
    float64[n_sources, n_sources]
        Symmetric, 0 on the diagonal; counts are raised by 1/2 (Haldane 1956).
    """
    n_sources, n_votes = voted.shape[1], voted.sum(axis=1)
    ratios = np.zeros((n_sources, n_sources))
    for i in range(n_sources):
        for j in range(i):
            a, b = voted[:, i], voted[:, j]
            used = (a | silent[:, i]) & (b | silent[:, j])
            used &= n_votes > a.astype(np.int64) + b
            table = np.bincount(2 * a[used] + b[used], count[used], 4) + 0.5
            ratios[i, j] = ratios[j, i] = np.log(table[0] * table[3] / (table[1] * table[2]))
    return ratios
