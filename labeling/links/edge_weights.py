"""Weights of kinds of edges, by how well the two ends of an edge predict each other.

Among edges whose ends both have a drawn label, the agreement above chance, as in Cohen's kappa
(1960, "A Coefficient of Agreement for Nominal Scales"), measures how well one end predicts the
other. Kinds with few such edges are shrunk towards all kinds together, and these towards `PRIOR`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from labeling.keys.arrays import Floats, Ints

PRIOR = 0.25
"""Prior agreement above chance."""

PRIOR_PAIRS = 200
"""Number of pairs of drawn labels that a prior is worth."""


class Agreement(NamedTuple):
    """Edges by kind, and those with ends of one label; labels may be drawn several times."""

    n_pairs: Ints
    """``int64[n_kinds]``."""
    n_agree: Ints
    """``int64[n_kinds]``."""
    n_ends: Ints
    """``int64[n_draws, n_labels]``: ends of edges with each label."""


def count_agreement(kind: Ints, one: Ints, other: Ints, n_kinds: int, n_labels: int) -> Agreement:
    """Count some edges.

    Parameters
    ----------
    kind
        ``int64[m]`` in [0, n_kinds).
    one, other
        ``int64[m, n_draws]``: labels of each end in [0, n_labels), negative if it has none.
    n_kinds, n_labels
        Number of kinds and of labels.
    """
    known = (one >= 0) & (other >= 0)
    agree = known & (one == other)
    kinds = np.broadcast_to(kind[:, None], one.shape)
    ends = [
        np.bincount(np.concatenate([a[k], b[k]]), minlength=n_labels)
        for a, b, k in zip(one.T, other.T, known.T, strict=True)
    ]
    return Agreement(
        np.bincount(kinds[known], minlength=n_kinds),
        np.bincount(kinds[agree], minlength=n_kinds),
        np.array(ends),
    )


def kind_weights(counted: Agreement) -> Floats:
    """Return the weight of each kind of edge, in [0, 1], the largest 1.

    With ``c`` the chance that two ends drawn at random agree, the agreement above chance of kinds
    taken together is ``(n_agree / n_pairs - c) / (1 - c)``, mixed with `PRIOR` as if that were
    `PRIOR_PAIRS` pairs more; that of each kind is mixed with this in the same way. Kinds below
    chance have weight 0.

    Examples
    --------
    >>> counted = Agreement(np.array([1000, 1000, 0]), np.array([900, 500, 0]), np.array([[9, 9]]))
    >>> kind_weights(counted).round(2).tolist()
    [1.0, 0.09, 0.53]
    """
    n_ends = np.maximum(counted.n_ends.sum(axis=1, keepdims=True), 1)
    chance = float(((counted.n_ends / n_ends) ** 2).sum(axis=1).mean())
    room = max(1 - chance, 1 / float(n_ends.max()))
    above = counted.n_agree - counted.n_pairs * chance
    together = (above.sum() / room + PRIOR * PRIOR_PAIRS) / (counted.n_pairs.sum() + PRIOR_PAIRS)
    each = (above / room + max(together, 0) * PRIOR_PAIRS) / (counted.n_pairs + PRIOR_PAIRS)
    each = np.maximum(each, 0)
    weights: Floats = each / max(float(each.max(initial=0)), 1e-300)
    return weights
