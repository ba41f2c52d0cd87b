"""How likely the result at each position is looked at, fitted together with how much it is wanted.

The position-based model (Richardson, Dominowska and Ragno 2007; Craswell et al. 2008; Chuklin,
Markov and de Rijke 2015, "Click Models for Web Search", section 3.3): a result is clicked where it
is looked at and wanted, ``P(click) = wanted[pair] * looked_at[position]``. Click rates of positions
alone take the skill of a ranking for the laziness of its readers; a pair that was shown in several
places tells the two apart.

Expectation maximisation with a Bernoulli likelihood needs thousands of rounds where clicks are
rare, because nearly nothing tells a result not seen from one not wanted. Here the clicks are taken
as Poisson: the two steps then have closed forms, tens of rounds suffice, and since the positions
are estimated given each pair's number of clicks, pairs shown only a few times do not bias them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from labeling.keys.arrays import Floats, Ints

MAX_POSITION = 50
"""Positions beyond this one are taken to be this one; 0 stands for an unknown one."""

LOOKED_PRIOR = 20.0
"""Expected clicks at its plain click rate that each position is taken to have already."""

MAX_ROUNDS = 100
TOLERANCE = 1e-6


class Examination(NamedTuple):
    """What `fit` returns.

    Attributes
    ----------
    looked_at
        ``float64[MAX_POSITION + 1]`` in (0, 1]: 1 where results are looked at most; at 0 the mean
        over all impressions.
    usual
        Clicks for each time that a result was looked at, over all impressions.
    """

    looked_at: Floats
    usual: float

    @property
    def rates(self) -> Floats:
        """Clicks that an impression of a usual pair has, by position."""
        return self.looked_at * self.usual


def fit(pair: Ints, position: Ints, shown: Floats, clicked: Floats) -> Examination:
    """Fit the model to the sums over a log.

    Parameters
    ----------
    pair
        ``int64[n]``: number of what was shown, from 0.
    position
        ``int64[n]`` in [0, `MAX_POSITION`]; those at 0 are not counted.
    shown, clicked
        ``float64[n]``, not negative: impressions and clicks. More clicks than impressions are taken
        to come from impressions that were not logged.

    Examples
    --------
    The better result stands first, and both are clicked half as often in the second place:

    >>> pair, position = np.array([0, 0, 1, 1]), np.array([1, 2, 1, 2])
    >>> found = fit(pair, position, np.array([9e4, 1e4, 1e4, 9e4]), np.array([9e3, 5e2, 2e2, 9e2]))
    >>> np.round(found.looked_at[1:3], 2).tolist()
    [1.0, 0.5]
    """
    known = position > 0
    pair, position, clicked = pair[known], position[known], clicked[known]
    shown = np.maximum(shown[known], clicked)
    n_shown = np.bincount(position, shown, MAX_POSITION + 1)
    n_clicks = np.bincount(position, clicked, MAX_POSITION + 1)
    usual = (clicked.sum() + 1) / (shown.sum() + 20)
    plain = (n_clicks + LOOKED_PRIOR * usual) / (n_shown + LOOKED_PRIOR)
    plain /= plain.max()
    clicks_of = np.bincount(pair, clicked)
    looked = plain
    for _ in range(MAX_ROUNDS):
        exposed = np.bincount(pair, shown * looked[position], len(clicks_of))
        wanted = clicks_of / np.maximum(exposed, 1e-12)
        expected = np.bincount(position, shown * wanted[pair], MAX_POSITION + 1)
        before, looked = looked, (n_clicks + LOOKED_PRIOR * plain) / (expected + LOOKED_PRIOR)
        looked = looked / looked.max()
        if np.abs(looked - before).max() < TOLERANCE:
            break
    looked[0] = np.average(looked, weights=n_shown) if n_shown.any() else 1.0
    exposure = float(n_shown @ looked)
    return Examination(looked, float((clicked.sum() + 1) / (exposure + 20 * looked[0])))
