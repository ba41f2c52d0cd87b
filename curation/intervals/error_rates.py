"""Error rates of auditors, and the bounds of a precision that they leave.

With p the share of right pairs, a share ``p (1 - b) + (1 - p) a`` is called right, if the share a
of the wrong pairs is called right and the share b of the right ones wrong (Rogan & Gladen 1978,
"Estimating prevalence from the results of a screening test"). Of a and b only bounds are known, so
every statement is made for the worst case: no right pair is called wrong where a precision is
proved, and no wrong one right for an upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from labeling.keys.arrays import Floats

SPENT = 0.1
"""Share of the error probability that each of the two bounds may use where they are estimated."""

Basis = Literal["none", "given", "repeats", "known"]
"""Origin of the rates: verdicts are taken as the truth, a setting, pairs that were judged twice,
or pairs whose truth is known."""


@dataclass(frozen=True)
class ErrorRates:
    """Bounds of how often auditors err, the same in all parts of the candidates.

    Attributes
    ----------
    of_wrong
        In [0, 1]: at most this share of the wrong pairs is called right.
    of_right
        In [0, 1]: at most this share of the right pairs is called wrong.
    basis
        Origin of the rates.
    n_pairs
        Number of pairs that they were estimated from.
    spent
        Share of the error probability that each of the bounds has used.
    """

    of_wrong: float = 0.0
    of_right: float = 0.0
    basis: Basis = "none"
    n_pairs: int = 0
    spent: float = 0.0

    @property
    def is_any(self) -> bool:
        """True if a verdict may be wrong."""
        return max(self.of_wrong, self.of_right) > 0

    def called_right(self, precision: float) -> float:
        """Return the highest share that may be called right of pairs with a precision."""
        return precision + (1 - precision) * self.of_wrong

    def widened(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Return bounds of the precision from those of the share that is called right.

        Examples
        --------
        >>> low, high = ErrorRates(0.1, 0.2).widened(np.array([0.91, 0.05]), np.array([0.95, 0.4]))
        >>> low.round(2).tolist(), high.round(2).tolist()
        ([0.9, 0.0], [1.0, 0.5])
        """
        seldom, often = (max(1 - rate, 1e-9) for rate in (self.of_wrong, self.of_right))
        return np.clip((low - self.of_wrong) / seldom, 0, 1), np.clip(high / often, 0, 1)


NO_ERRORS = ErrorRates()
"""Verdicts are taken as the truth."""
