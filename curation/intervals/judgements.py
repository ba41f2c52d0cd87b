"""Judged candidates, and the precision that they show of any set of candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.audits.audits import tenths
from curation.audits.verdicts import final_audits, is_answer
from curation.intervals.error_rates import NO_ERRORS, ErrorRates
from curation.intervals.precision import (
    UNKNOWN_SIZE,
    Interval,
    Intervals,
    precision_interval,
    precision_intervals,
)
from curation.pairs.pair_keys import find_pairs
from labeling.keys.arrays import Floats, Ints, Mask

Verdicts = npt.NDArray[np.bool_ | np.floating]
"""``[m]``: right or wrong, or how probably right."""


@dataclass(frozen=True, eq=False)
class Judgements:
    """Candidates that were asked about.

    Attributes
    ----------
    row
        ``int64[m]``: their rows among the candidates.
    correct
        ``bool[m]``: whether each is right; false where it is not known.
    p_inclusion
        ``float64[m]`` in (0, 1]: probability of each to be drawn.
    stratum
        ``int8[n]``: stratum of every candidate, judged or not; None if unknown.
    mean_weight
        Mean of ``1 / p_inclusion`` over all judgements that these were taken from.
    unknown
        ``bool[m]``: whether the verdict is unsure or skipped; None if all are known.
    errors
        How often auditors err.
    n_other
        Number of judged pairs that are not candidates.
    """

    row: Ints
    correct: Mask
    p_inclusion: Floats
    stratum: npt.NDArray[np.int8] | None = None
    mean_weight: float = 1.0
    unknown: Mask | None = None
    errors: ErrorRates = NO_ERRORS
    n_other: int = 0

    @property
    def known(self) -> Judgements:
        """The judgements whose verdict is known."""
        return self if self.unknown is None else replace(self.take(~self.unknown), unknown=None)

    @property
    def weight(self) -> Floats:
        """Inverse of the inclusion probabilities in multiples of their mean, ``float64[m]``."""
        return 1 / self.p_inclusion / self.mean_weight

    @property
    def tempered(self) -> Judgements:
        """The judgements with the square roots of their weights, to learn an order from.

        Weights make up for an uneven draw, which is right for a rate and costs an order more by
        their variance than it gains (Shimodaira 2000, "Improving predictive inference under
        covariate shift by weighting the log-likelihood function", with an exponent of 1/2).
        """
        p = np.sqrt(self.p_inclusion)
        return replace(self, p_inclusion=p, mean_weight=float(np.mean(1 / p)) if len(p) else 1.0)

    def take(self, chosen: Mask) -> Judgements:
        """Return the judgements where `chosen` (``bool[m]``) is true."""
        return replace(
            self,
            row=self.row[chosen],
            correct=self.correct[chosen],
            p_inclusion=self.p_inclusion[chosen],
            unknown=None if self.unknown is None else self.unknown[chosen],
        )

    def within(self, inside: Mask) -> Judgements:
        """Return the judgements of some candidates, ``bool[n]``, with rows among these alone."""
        chosen = self.take(inside[self.row])
        stratum = None if self.stratum is None else self.stratum[inside]
        return replace(chosen, row=np.cumsum(inside)[chosen.row] - 1, stratum=stratum)

    def at(self, row: Ints) -> Judgements:
        """Return the judgements with rows as positions in `row`, ``int64[n]``, sorted."""
        return replace(self, row=np.searchsorted(row, self.row))


Strata = Callable[[pa.Table, Ints], npt.NDArray[np.int8] | None]
"""Audits and the row of each among the candidates, to the stratum of every candidate."""


def judgements(audits: pa.Table, pairs: pa.Table, strata: Strata | None = None) -> Judgements:
    """Return the candidates that were asked about; audits of other pairs are counted.

    If `strata` does not know the strata that the pairs were drawn by, tenths of the score replace
    them: a pair's score does not depend on its own verdict.

    Parameters
    ----------
    audits
        Table of `labeling.schemas.AUDITS`.
    pairs
        The candidates: a table with ``image_id`` and ``label_id``, with `strata` of
        `labeling.schemas.SCORED`.
    strata
        Returns ``int8[n]``, or None if it does not know. By default there are no strata.

    Raises
    ------
    InputError
        For audits of another schema, or an inclusion probability of 0.
    """
    final = final_audits(audits)
    row = find_pairs(final, pairs)
    n_other = int(np.sum(row < 0))
    asked, row = final.filter(pa.array(row >= 0)), row[row >= 0]
    p_inclusion = asked["p_inclusion"].to_numpy()
    unknown = ~is_answer(asked)
    stratum = None
    if strata is not None:
        stratum = strata(asked, row)
        stratum = tenths(np.asarray(pairs["p_correct"])) if stratum is None else stratum
    return Judgements(
        row,
        correct=np.asarray(pc.equal(asked["verdict"], "yes"), bool),
        p_inclusion=p_inclusion,
        stratum=stratum,
        mean_weight=float(np.mean(1 / p_inclusion)) if len(row) else 1.0,
        unknown=unknown if unknown.any() else None,
        n_other=n_other,
    )


def precision_of(judged: Judgements, kept: Mask, confidence: float) -> Interval:
    """Return the precision of a set of candidates, ``bool[n]``, with its interval.

    Verdicts that are not known widen it: see `curation.intervals.precision.precision_interval`.
    """
    inside, stratum = judged.take(kept[judged.row]), judged.stratum
    strata: dict[str, Ints] = {}
    if stratum is not None:
        n_kept = np.bincount(stratum[kept], minlength=int(stratum.max(initial=0)) + 1)
        strata = {"stratum": stratum[inside.row].astype(np.int64), "n_kept": n_kept}
    return precision_interval(
        inside.correct,
        inside.p_inclusion,
        unknown=inside.unknown,
        errors=judged.errors,
        confidence=confidence,
        **strata,
    )


def intervals_of(judged: Judgements, audited: Mask, n_kept: Ints, confidence: float) -> Intervals:
    """Return `precision_of` of many sets.

    Parameters
    ----------
    audited
        ``bool[t, m]``: judgements of each set.
    n_kept
        ``int[t, n_strata]``: candidates of each set in each stratum; not used without strata.
    """
    stratum = np.zeros(len(judged.row), np.int64)
    if judged.stratum is None:
        n_kept = np.full((len(n_kept), 1), UNKNOWN_SIZE)
    else:
        stratum = judged.stratum[judged.row].astype(np.int64)
    return precision_intervals(
        judged.correct,
        judged.p_inclusion,
        audited,
        stratum=stratum,
        n_kept=n_kept,
        unknown=judged.unknown,
        errors=judged.errors,
        confidence=confidence,
    )
