"""The expected calibration error, that benchmarks and tests measure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Verdicts = npt.NDArray[np.bool_ | np.floating]


def expected_calibration_error(
    p: Floats, correct: Verdicts, weight: Floats | None = None, n_bins: int = 15
) -> float:
    """Return the mean difference of predicted and true share over bins of equal width.

    Guo et al. 2017, "On calibration of modern neural networks", eq. 3, with weights.

    Parameters
    ----------
    p
        ``float64[m]`` in [0, 1].
    correct
        ``float64[m]`` or ``bool[m]``.
    weight
        ``float64[m]``, not negative; by default all equal.
    n_bins
        Number of bins that [0, 1] is cut into.

    Examples
    --------
    >>> expected_calibration_error(np.array([0.75, 0.75, 0.75, 0.75]), np.array([1, 1, 1, 0]))
    0.0
    """
    if len(p) == 0:
        return 0.0
    w = np.ones(len(p)) if weight is None else weight
    number = np.minimum((np.asarray(p) * n_bins).astype(np.int64), n_bins - 1)
    gap = np.bincount(number, w * (np.asarray(p, np.float64) - correct), n_bins)
    return float(np.abs(gap).sum() / np.sum(w))
