"""The threshold table: the number kept, and its precision, at a thousand thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.intervals.precision import Estimates, audit_sums, estimate
from labeling.errors import InputError
from labeling.keys.arrays import Floats, Ints, Mask

N_CUTS = 1000
"""Steps of the threshold table, which has one row more."""

THRESHOLDS = pa.schema(
    [
        pa.field("threshold", pa.float64(), nullable=False),
        pa.field("n_kept", pa.int64(), nullable=False),
        pa.field("share", pa.float64(), nullable=False),
        pa.field("precision", pa.float64()),
        pa.field("low", pa.float64(), nullable=False),
        pa.field("high", pa.float64(), nullable=False),
        pa.field("n_audits", pa.int64(), nullable=False),
    ]
)
"""Columns of the threshold table."""


@dataclass(frozen=True, eq=False)
class Thresholds:
    """Nested sets of candidates, from none to all, and the precision of each.

    Attributes
    ----------
    threshold
        ``float64[t]``, falling: a set holds the candidates that are at least as probable, ties
        together.
    n_kept
        ``int64[t]``: number of candidates in each.
    estimates
        The precision of each.
    """

    threshold: Floats
    n_kept: Ints
    estimates: Estimates

    def table(self, n_candidates: int, confidence: float = 0.95) -> pa.Table:
        """Return the sets as rows of `THRESHOLDS`; each interval holds by itself, not all at once.

        Shares are of `n_candidates`, which is more than the largest set if limits exclude some.
        The precision of a set without audits is null.
        """
        low, high = self.estimates.interval(confidence)
        precision = self.estimates.precision
        return pa.table(
            [
                self.threshold,
                self.n_kept,
                self.n_kept / max(n_candidates, 1),
                pa.array(precision, mask=np.isnan(precision)),
                low,
                high,
                self.estimates.n_audits,
            ],
            schema=THRESHOLDS,
        )


def thresholds(
    p_correct: npt.NDArray[np.floating],
    audited: Ints,
    correct: Mask,
    p_inclusion: Floats,
    *,
    stratum: npt.NDArray[np.integer] | None = None,
) -> Thresholds:
    """Estimate the precision at 1,001 thresholds at once.

    Row 0 keeps nothing; row ``i`` has the highest threshold that keeps at least ``i`` thousandths
    of the candidates. The time is about that of a sort. Without candidates there are no rows.

    Parameters
    ----------
    p_correct
        ``float[n]``: probability of each candidate, or any other finite score.
    audited
        ``int64[m]``: rows of the audited candidates.
    correct, p_inclusion
        ``bool[m]``, ``float64[m]``: their verdicts and inclusion probabilities.
    stratum
        ``int[n]``: stratum of each candidate, for post-stratification; by default there is one.

    Raises
    ------
    InputError
        For a probability that is NaN.
    """
    n = len(p_correct)
    ranked = np.sort(p_correct)
    if n and np.isnan(ranked[-1]):
        raise InputError("a probability is NaN", facts={"rows": int(np.isnan(p_correct).sum())})
    n_least = np.ceil(np.arange(1, N_CUTS + 1) * n / N_CUTS).astype(np.int64)
    cut = ranked[n - n_least[n_least > 0]].astype(np.float64)
    cut = np.concatenate([np.nextafter(cut[:1], np.inf), cut])
    parts = [ranked]
    stratum_of_audit = np.zeros(len(audited), np.int64)
    if stratum is not None:
        parts = [np.sort(p_correct[stratum == i]) for i in range(int(stratum.max(initial=0)) + 1)]
        stratum_of_audit = stratum[audited].astype(np.int64)
    n_kept = np.stack([len(part) - np.searchsorted(part, cut) for part in parts], axis=1)
    first_set = np.searchsorted(-cut, -np.asarray(p_correct, np.float64)[audited])
    sums = audit_sums(correct, p_inclusion, first_set, stratum_of_audit, n_kept.shape)
    return Thresholds(cut, n_kept.sum(axis=1), estimate(sums, n_kept))
