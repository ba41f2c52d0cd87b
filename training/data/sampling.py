"""The images of each step, in random order.

Training uses one random order of the images after the other. With square-root sampling an order
holds images of rare labels several times and leaves out some of the others: a label of f images is
sampled in proportion to the square root of f (Mahajan et al. 2018, 2.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from training.data.targets import Targets

_ORDER = 0

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Order:
    """The order of n images in each round.

    Parameters
    ----------
    n_images
        At least 1.
    seed
        Seed of all rounds.
    draws
        ``float64[n]``, which sum to n: mean number of times that an image occurs in a round; each
        once by default.
    """

    n_images: int
    seed: int
    draws: npt.NDArray[np.float64] | None = None

    def of_round(self, number: int) -> Rows:
        """Return the images of a round, ``int64[n]``.

        Examples
        --------
        >>> Order(4, seed=0).of_round(0)
        array([2, 0, 1, 3])
        >>> sorted(Order(4, 0, np.array([2.0, 1.0, 0.5, 0.5])).of_round(0).tolist())
        [0, 0, 1, 2]
        """
        return _of_round(self, number)


def rows_of(step: int, order: Order, batch_size: int) -> Rows:
    """Return the images of a step (from 0): the orders, one after the other, cut into batches.

    Examples
    --------
    >>> [rows_of(step, Order(4, seed=0), batch_size=3).tolist() for step in range(3)]
    [[2, 0, 1], [3, 3, 1], [2, 0, 1]]
    """
    position = np.arange(step * batch_size, (step + 1) * batch_size)
    rounds = position // order.n_images
    parts = [
        order.of_round(number)[position[rounds == number] % order.n_images]
        for number in range(rounds[0], rounds[-1] + 1)
    ]
    return np.concatenate(parts)


def square_root_draws(targets: Targets) -> npt.NDArray[np.float64]:
    """Return the mean number of times that each image occurs in a round, ``float64[n]``.

    It is proportional to the frequency of the image's rarest label to the power of -1/2, and sums
    to n. Images without labels count as those of the most frequent label.
    """
    n_shown = np.maximum(targets.n_shown(), 1.0)
    shown = targets.target > 0
    image = np.repeat(np.arange(targets.n_images), np.diff(targets.offsets))[shown]
    rarest = np.full(targets.n_images, n_shown.max())
    np.minimum.at(rarest, image, n_shown[targets.codes[shown]])
    draws = rarest**-0.5
    result: npt.NDArray[np.float64] = draws * (len(draws) / draws.sum())
    return result


@lru_cache(maxsize=2)
def _of_round(order: Order, number: int) -> Rows:
    rng = np.random.default_rng((order.seed, _ORDER, number))
    if order.draws is None:
        return rng.permutation(order.n_images)
    # Systematic sampling: one random offset for all, so that n images are drawn in every round.
    ends = np.cumsum(order.draws)
    ends[-1] = order.n_images  # the sum is rounded
    times = np.diff(np.floor(ends + rng.random()), prepend=0).astype(np.int64)
    return rng.permutation(np.repeat(np.arange(order.n_images), times))
