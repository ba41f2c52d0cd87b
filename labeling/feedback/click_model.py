"""Probability that a user examines the result at each position, fitted with its attractiveness.

The position-based model (Richardson, Dominowska and Ragno 2007; Craswell et al. 2008; Chuklin,
Markov and de Rijke 2015, "Click Models for Web Search", section 3.3): a result is clicked if it is
examined and attractive, ``P(click) = attraction[pair] * examination[position]``. Click rates by
position alone mistake the skill of a ranking for the laziness of its readers; a pair that was shown
at several positions separates the two.

Expectation maximisation with a Bernoulli likelihood needs thousands of rounds if clicks are rare,
because hardly anything separates a result not seen from one not wanted. Here clicks are modelled as
Poisson: the two steps then have closed forms, tens of rounds suffice, and since the positions are
estimated given each pair's number of clicks, pairs shown only a few times do not bias them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from labeling.keys.arrays import Floats, Ints

MAX_POSITION = 50
"""Larger positions are treated as this one; 0 is an unknown position."""

EXAMINATION_PRIOR = 20.0
"""Expected clicks, at its plain click rate, that are added to each position."""

MAX_ROUNDS = 100
TOLERANCE = 1e-6


class ClickModel(NamedTuple):
    """A fitted position-based model.

    Attributes
    ----------
    examination
        ``float64[MAX_POSITION + 1]`` in (0, 1]: 1 at the position that is examined most; at 0 the
        mean over all impressions.
    attraction
        Clicks per examined impression, over all impressions.
    """

    examination: Floats
    attraction: float

    @property
    def rates(self) -> Floats:
        """Clicks per impression of a pair of mean attraction, by position."""
        return self.examination * self.attraction


def fit(pair: Ints, position: Ints, shown: Floats, clicked: Floats) -> ClickModel:
    """Fit the model to the sums over a log.

    Parameters
    ----------
    pair
        ``int64[n]``: number of each (image, label), from 0.
    position
        ``int64[n]`` in [0, `MAX_POSITION`]; those at 0 are not counted.
    shown, clicked
        ``float64[n]``, not negative: impressions and clicks. Clicks in excess of impressions are
        attributed to impressions that were not logged.

    Examples
    --------
    The better result is ranked first, and both are clicked half as often at the second position:

    >>> pair, position = np.array([0, 0, 1, 1]), np.array([1, 2, 1, 2])
    >>> model = fit(pair, position, np.array([9e4, 1e4, 1e4, 9e4]), np.array([9e3, 5e2, 2e2, 9e2]))
    >>> np.round(model.examination[1:3], 2).tolist()
    [1.0, 0.5]
    """
    known = position > 0
    pair, position, clicked = pair[known], position[known], clicked[known]
    shown = np.maximum(shown[known], clicked)
    n_shown = np.bincount(position, shown, MAX_POSITION + 1)
    n_clicks = np.bincount(position, clicked, MAX_POSITION + 1)
    rate = (clicked.sum() + 1) / (shown.sum() + 20)
    plain = (n_clicks + EXAMINATION_PRIOR * rate) / (n_shown + EXAMINATION_PRIOR)
    plain /= plain.max()
    clicks_of = np.bincount(pair, clicked)
    examined = plain
    for _ in range(MAX_ROUNDS):
        exposed = np.bincount(pair, shown * examined[position], len(clicks_of))
        attraction = clicks_of / np.maximum(exposed, 1e-12)
        expected = np.bincount(position, shown * attraction[pair], MAX_POSITION + 1)
        before = examined
        examined = (n_clicks + EXAMINATION_PRIOR * plain) / (expected + EXAMINATION_PRIOR)
        examined /= examined.max()  # only the product with attraction is identified
        if np.abs(examined - before).max() < TOLERANCE:
            break
    examined[0] = np.average(examined, weights=n_shown) if n_shown.any() else 1.0
    exposure = float(n_shown @ examined)
    return ClickModel(examined, float((clicked.sum() + 1) / (exposure + 20 * examined[0])))
