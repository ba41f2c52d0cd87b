"""Two laws of performance over the number of images, and the choice between them.

The logarithmic law ``y = a + b log10(n)`` is that of Sun et al. 2017 ("Revisiting unreasonable
effectiveness of data in deep learning era", figure 4) from 10 to 300 million images. The power law
``y = c - a n^-b`` is that of Hestness et al. 2017 ("Deep learning scaling is predictable,
empirically"), with a ceiling. Both are linear except for the exponent, which is searched on a grid,
so that thousands of resamples are fitted at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import f as fisher

from training.study.points import Band, Floats, Points, percentiles, resampled

LAWS = ("log", "power")
MIN_SIZES = 4
"""Least number of sizes that the power law is fitted to: it has three parameters."""

SURE = 0.95
"""Share of the resamples that must prefer a law for it to be the preferred one."""

EXPONENTS = np.geomspace(0.01, 4, 200)
"""Exponents of the power law that are tried: 3 % apart."""

_ROUNDING = 1e-12 / 12
"""Variance of measures from their rounding to six places."""


@dataclass(frozen=True, eq=False)
class Fits:
    """A law, fitted to R rows of values at the same sizes.

    Parameters
    ----------
    intercept, slope, exponent
        ``float64[R]``: the law is ``intercept + slope * basis``, of a basis that is ``log10(n)``,
        where the exponent is 0, or ``-n^-exponent``.
    aicc
        ``float64[R]``: Akaike's criterion, corrected for few values (Hurvich & Tsai 1989); smaller
        is better, infinite if there are too few.
    """

    intercept: Floats
    slope: Floats
    exponent: Floats
    aicc: Floats

    def at(self, sizes: Floats) -> Floats:
        """Return the values of the law at m sizes, ``float64[R, m]``."""
        return self.intercept[:, None] + self.slope[:, None] * _basis(self.exponent, sizes)


@dataclass(frozen=True, eq=False)
class Trend:
    """Growth of performance with the images, between the smallest and the largest size.

    Parameters
    ----------
    doubling
        Mean gain of a doubling of the images, by the logarithmic law.
    fits
        Each law that was fitted, to all values: `Fits` of one row.
    shares
        Share of the resamples that prefer each law; empty with one law or one seed.
    preferred
        The law that the data prefer, or None if the resamples disagree.
    p_values
        For each law the p-value of the test for lack of fit; empty with one seed.
    """

    doubling: Band
    fits: dict[str, Fits]
    shares: dict[str, float]
    preferred: str | None
    p_values: dict[str, float]


def find_trend(measured: Points) -> Trend:
    """Fit the laws to the measurements and to resamples of their seeds.

    A law is preferred if its criterion is the smaller in `SURE` of the resamples.
    """
    means, scatter = resampled(measured)
    fits, refits = {}, {}
    for law in LAWS if len(measured.sizes) >= MIN_SIZES else LAWS[:1]:
        fits[law] = fit(law, measured, measured.means[None], np.array([measured.scatter]))
        refits[law] = fit(law, measured, means, scatter)
    low, high = percentiles(refits["log"].slope[:, None], measured)
    per_doubling = np.log10(2) * np.array([fits["log"].slope[0], low[0], high[0]])
    shares: dict[str, float] = {}
    if "power" in fits and measured.n_seeds > 1:
        power = float((refits["power"].aicc < refits["log"].aicc).mean())
        shares = {"log": 1 - power, "power": power}
    sure = [law for law, share in shares.items() if share >= SURE]
    p_values = {law: _p_value(measured, of_law) for law, of_law in fits.items()}
    return Trend(
        Band(*per_doubling.tolist()),
        fits,
        shares,
        preferred=sure[0] if sure else None,
        p_values=p_values if measured.n_seeds > 1 else {},
    )


def law_bands(law: str, measured: Points, sizes: Floats) -> list[Band]:
    """Return a law at m sizes, with the bootstrap's interval at each.

    Parameters
    ----------
    law
        One of `LAWS`.
    measured
        Measurements that the law is fitted to.
    sizes
        ``float64[m]``, between the smallest and the largest size measured.

    Raises
    ------
    ValueError
        If a size is outside of that range.
    """
    if sizes.min() < measured.sizes[0] or sizes.max() > measured.sizes[-1]:
        raise ValueError("a law is not valid beyond the sizes that it was fitted to")
    means, scatter = resampled(measured)
    middle = fit(law, measured, measured.means[None], np.array([measured.scatter])).at(sizes)[0]
    low, high = percentiles(fit(law, measured, means, scatter).at(sizes), measured)
    return [Band(*three) for three in zip(*(x.tolist() for x in (middle, low, high)), strict=True)]


def fit(law: str, measured: Points, means: Floats, scatter: Floats) -> Fits:
    """Fit a law by least squares to R rows of means at the sizes measured.

    Parameters
    ----------
    law
        One of `LAWS`.
    measured
        Sizes and numbers of seeds.
    means, scatter
        ``float64[R, S]`` and ``float64[R]``, as `points.resampled` returns them.
    """
    exponents = np.zeros(1) if law == "log" else EXPONENTS
    # Sizes around 1 keep the basis of large exponents within the precision of floats.
    middle = np.exp(np.log(measured.sizes).mean())
    basis = _basis(exponents, measured.sizes / middle)
    weight = measured.counts / measured.counts.sum()
    centred = basis - (basis @ weight)[:, None]
    spread = centred**2 @ weight
    level = means @ weight
    deviation = means - level[:, None]
    covariance = (deviation * weight) @ centred.T
    # The exponent that explains the most variance has the least squared error.
    best = np.argmax(covariance**2 / spread, axis=1)
    slope = covariance[np.arange(len(means)), best] / spread[best]
    misfit = (deviation - slope[:, None] * centred[best]) ** 2 @ measured.counts
    intercept = level - slope * (basis @ weight)[best]
    exponent = exponents[best]
    if law == "log":
        intercept = intercept - slope * np.log10(middle)
    else:
        slope = slope * middle**exponent
    n_parameters = 3 if law == "log" else 4
    aicc = _aicc(misfit + scatter, measured.counts.sum(), n_parameters)
    return Fits(intercept, slope, exponent, aicc)


def _basis(exponents: Floats, sizes: Floats) -> Floats:
    """Return the basis of the law of each exponent at each size; that of 0 is the logarithm."""
    flat = exponents[:, None] == 0
    basis: Floats = np.where(flat, np.log10(sizes), -(sizes ** -exponents[:, None]))
    return basis


def _p_value(measured: Points, fits: Fits) -> float:
    """Return the p-value of the test for lack of fit (Fisher's F: misfit against scatter)."""
    deviation = measured.means - fits.at(measured.sizes)[0]
    n_parameters = 2 if fits.exponent[0] == 0 else 3
    between, within = len(measured.sizes) - n_parameters, measured.freedom
    if between < 1 or within < 1:
        return 1.0
    misfit = (measured.counts * deviation**2).sum() / between
    scatter = max(measured.scatter / within, _ROUNDING)
    return float(fisher.sf(misfit / scatter, between, within))


def _aicc(squares: Floats, n: float, k: int) -> Floats:
    """Return the criterion for n values and k parameters, one of them the variance."""
    if n <= k + 1:
        return np.full(len(squares), np.inf)
    variance = np.maximum(squares / n, _ROUNDING)
    criterion: Floats = n * np.log(variance) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
    return criterion
