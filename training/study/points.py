"""Performance at several numbers of images, and the bootstrap over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr
from scipy.stats import t as student

from labeling.errors import InputError

Floats = npt.NDArray[np.float64]

CONFIDENCE = 0.95
N_RESAMPLES = 2000


@dataclass(frozen=True)
class Band:
    """An estimate and its interval; without one, `low` and `high` are NaN."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Points:
    """Performance at S sizes, by several seeds at each.

    Parameters
    ----------
    sizes
        ``float64[S]``: numbers of images, increasing, S >= 2.
    values
        For each size the performance of each seed, ascending, so that their order has no effect.
    """

    sizes: Floats
    values: tuple[Floats, ...]

    @property
    def n_seeds(self) -> int:
        """Smallest number of seeds at a size."""
        return min(map(len, self.values))

    @property
    def counts(self) -> Floats:
        """Seeds at each size, ``float64[S]``."""
        return np.array([len(values) for values in self.values], np.float64)

    @property
    def freedom(self) -> int:
        """Degrees of freedom of a variance that all sizes share."""
        return int(self.counts.sum()) - len(self.sizes)

    @property
    def means(self) -> Floats:
        """Mean over the seeds at each size, ``float64[S]``."""
        return np.array([values.mean() for values in self.values])

    @property
    def scatter(self) -> float:
        """Sum of the squared deviations of the seeds from the mean at their size."""
        return float(sum(((values - values.mean()) ** 2).sum() for values in self.values))


def points(values: Mapping[int, Sequence[float]]) -> Points:
    """Return checked measurements.

    Parameters
    ----------
    values
        For each number of images the performance of each seed.

    Raises
    ------
    InputError
        For fewer than two sizes, a size without values, or a value that is not finite.

    Examples
    --------
    >>> points({200: [0.5, 0.4], 100: [0.25]}).means.tolist()
    [0.25, 0.45]
    """
    sizes = sorted(values)
    arrays = tuple(np.sort(np.asarray(values[size], np.float64)) for size in sizes)
    if len(sizes) < 2 or sizes[0] < 1 or not all(len(a) and np.isfinite(a).all() for a in arrays):
        raise InputError(
            "a trend needs finite values at two numbers of images or more",
            facts={"values at": ", ".join(f"{n}: {len(values[n])}" for n in sizes) or "none"},
        )
    return Points(np.array(sizes, np.float64), arrays)


def resampled(measured: Points) -> tuple[Floats, Floats]:
    """Draw as many seeds again at each size, `N_RESAMPLES` times.

    The value of a seed is the mean at its size plus a residual. Residuals are drawn from those of
    all sizes, scaled to the variance that they estimate (Davison & Hinkley 1997, chapter 6),
    because the three seeds of one size are too few to draw from.

    Returns
    -------
    means
        ``float64[r, S]``: mean over the drawn seeds at each size.
    scatter
        ``float64[r]``: see `Points.scatter`, of the drawn seeds.
    """
    generator = np.random.default_rng(0)
    residuals = np.concatenate([values - values.mean() for values in measured.values])
    residuals *= np.sqrt(len(residuals) / max(measured.freedom, 1))
    means = np.empty((N_RESAMPLES, len(measured.sizes)))
    scatter = np.zeros(N_RESAMPLES)
    for column, values in enumerate(measured.values):
        drawn = residuals[generator.integers(len(residuals), size=(N_RESAMPLES, len(values)))]
        means[:, column] = values.mean() + drawn.mean(axis=1)
        scatter += drawn.var(axis=1) * len(values)
    return means, scatter


def percentiles(resamples: Floats, measured: Points) -> tuple[Floats, Floats]:
    """Return the ends of the bootstrap interval of each column of ``float64[r, m]``.

    The quantiles are those of the expanded percentile interval (Hesterberg 2015, "What teachers
    should know about the bootstrap"): as wide as Student's t, because few seeds estimate their
    variance badly. All NaN with one seed at a size.
    """
    if measured.n_seeds < 2:
        unknown = np.full(resamples.shape[1:], np.nan)
        return unknown, unknown
    tail = float(ndtr(-student.ppf((1 + CONFIDENCE) / 2, measured.freedom)))
    low, high = np.quantile(resamples, (tail, 1 - tail), axis=0)
    return low, high


def seed_bands(measured: Points) -> list[Band]:
    """Return the mean at each size with its interval over the seeds.

    Student's t with one variance for all sizes, because three seeds estimate their own badly.
    """
    freedom = measured.freedom
    if measured.n_seeds < 2:
        return [Band(float(mean), np.nan, np.nan) for mean in measured.means]
    halves = student.ppf((1 + CONFIDENCE) / 2, freedom) * np.sqrt(
        measured.scatter / freedom / measured.counts
    )
    return [
        Band(mean, mean - half, mean + half)
        for mean, half in zip(measured.means.tolist(), halves.tolist(), strict=True)
    ]
