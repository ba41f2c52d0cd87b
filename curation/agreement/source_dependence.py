"""Which sources vote together more than others do: groups along a dendrogram of odds ratios."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from labeling.keys.arrays import Floats, Mask


def partitions(
    spoke: Mask, silent: Mask, count: Floats, n_at_least: int
) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Yield groupings of the sources, from each alone on, joining the most dependent groups.

    Parameters
    ----------
    spoke, silent, count
        Patterns of votes, as in `curation.agreement.label_model.Patterns`.
    n_at_least
        Groups at which it ends; fewer sources are yielded as they are.
    """
    ratios = log_odds_ratios(spoke, silent, count)
    groups: list[tuple[int, ...]] = [(source,) for source in range(len(ratios))]
    yield tuple(groups)
    while len(groups) > n_at_least:
        nearness = np.array(
            [[ratios[np.ix_(a, b)].mean() if a < b else -np.inf for b in groups] for a in groups]
        )
        i, j = np.unravel_index(np.argmax(nearness), nearness.shape)
        joined = tuple(sorted(groups[i] + groups[j]))
        groups = sorted([g for k, g in enumerate(groups) if k not in (i, j)] + [joined])
        yield tuple(groups)


def log_odds_ratios(spoke: Mask, silent: Mask, count: Floats) -> Floats:
    """Return how much likelier two sources speak together than by chance, as log-odds ratios.

    Only pairs count that both sources cover and that a third source names: whether these are seen
    does not depend on the two, so the pairs that nobody names do not distort the ratio.

    Returns
    -------
    float64[n_sources, n_sources]
        Symmetric, 0 on the diagonal; counts are raised by 1/2 (Haldane 1956).
    """
    n_sources = spoke.shape[1]
    n_speaking = spoke.sum(axis=1)
    ratios = np.zeros((n_sources, n_sources))
    for i in range(n_sources):
        for j in range(i):
            a, b = spoke[:, i], spoke[:, j]
            used = (a | silent[:, i]) & (b | silent[:, j])
            used &= n_speaking > a.astype(np.int64) + b
            table = np.bincount(2 * a[used] + b[used], count[used], 4) + 0.5
            ratios[i, j] = ratios[j, i] = np.log(table[0] * table[3] / (table[1] * table[2]))
    return ratios
