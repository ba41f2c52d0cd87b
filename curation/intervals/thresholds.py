"""The threshold table: the number kept, and its precision, at a thousand thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.intervals.judgements import Judgements
from curation.intervals.precision import Estimates, audit_sums, estimate
from labeling.errors import InputError
from labeling.keys.arrays import Floats, Ints, Mask

N_CUTS = 1000
"""Steps of the threshold table, which has one row more."""


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
        The precision of each, with verdicts that are not known counted as wrong.
    known
        The precision of each by the known verdicts.
    best
        The precision of each, with verdicts that are not known counted as right.
    """

    threshold: Floats
    n_kept: Ints
    estimates: Estimates
    known: Estimates
    best: Estimates

    def table(self, n_candidates: int, confidence: float = 0.95) -> pa.Table:
        """Return the sets as rows of a table; each interval holds by itself, not all at once.

        Its columns are ``threshold``, ``n_kept``, ``share``, ``precision``, ``low``, ``high`` and
        ``n_audits``. Shares are of `n_candidates`, which is more than the largest set if limits
        exclude some. The precision of a set without audits is null; it is that of the known
        verdicts; ``low`` counts the others as wrong and ``high`` as right.
        """
        low, _ = self.estimates.interval(confidence)
        _, high = self.best.interval(confidence)
        precision = self.known.precision
        return pa.table(
            {
                "threshold": self.threshold,
                "n_kept": self.n_kept,
                "share": self.n_kept / max(n_candidates, 1),
                "precision": pa.array(precision, mask=np.isnan(precision)),
                "low": low,
                "high": high,
                "n_audits": self.known.n_audits,
            }
        )


def thresholds(
    judged: Judgements, score: npt.NDArray[np.floating], inside: Mask | None = None
) -> Thresholds:
    """Estimate the precision at 1,001 thresholds at once.

    Row 0 keeps nothing; row ``i`` has the highest threshold that keeps at least ``i`` thousandths
    of the candidates. The time is about that of a sort. Without candidates there are no rows.

    Parameters
    ----------
    judged
        The judged candidates.
    score
        ``float[n]``: probability of each candidate, or any other finite score. One that is above
        all probabilities is in every set but the empty one.
    inside
        ``bool[n]``: candidates that the sets may hold; by default all.

    Raises
    ------
    InputError
        For a score that is NaN.
    """
    inside = np.ones(len(score), bool) if inside is None else inside
    audited, ranked = judged.take(inside[judged.row]), np.sort(score[inside])
    n = len(ranked)
    if n and np.isnan(ranked[-1]):
        raise InputError(
            "a probability is NaN",
            facts={"rows": int(np.isnan(ranked).sum())},
            help="give each candidate a probability, or leave it out",
        )
    n_least = np.ceil(np.arange(1, N_CUTS + 1) * n / N_CUTS).astype(np.int64)
    cut = ranked[n - n_least[n_least > 0]].astype(np.float64)
    # The first set is empty: its threshold is just above the largest score.
    cut = np.concatenate([np.nextafter(cut[:1], np.inf), cut])
    parts, stratum = [ranked], np.zeros(len(audited.row), np.int64)
    if judged.stratum is not None:
        n_strata = int(judged.stratum[inside].max(initial=0)) + 1
        parts = [np.sort(score[inside & (judged.stratum == i)]) for i in range(n_strata)]
        stratum = judged.stratum[audited.row].astype(np.int64)
    n_kept = np.stack([len(part) - np.searchsorted(part, cut) for part in parts], axis=1)
    first_set = np.searchsorted(-cut, -score[audited.row].astype(np.float64))

    def estimated(correct: Mask, of: slice | Mask = slice(None)) -> Estimates:
        columns = (correct[of], audited.p_inclusion[of], first_set[of], stratum[of])
        return estimate(audit_sums(*columns, n_kept.shape), n_kept, judged.errors)

    worst = known = best = estimated(audited.correct)
    if audited.unknown is not None:
        known = estimated(audited.correct, ~audited.unknown)
        best = estimated(audited.correct | audited.unknown)
    return Thresholds(cut, n_kept.sum(axis=1), worst, known, best)
