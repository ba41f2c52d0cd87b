"""What judged candidates say of any set of candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.audits.audits import effective, tenths
from curation.intervals.precision import Floats, Interval, Ints, precision_interval
from curation.intervals.thresholds import Thresholds, thresholds
from curation.pairs.pair_keys import find_pairs

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Judgements:
    """The judged ones of `n` candidates.

    Attributes
    ----------
    row
        ``int64[m]``: their rows.
    correct, p_inclusion
        ``bool[m]``, ``float64[m]``: their verdicts and inclusion probabilities.
    stratum
        ``int8[n]``: the stratum of every candidate that they were drawn by; None if unknown.
    """

    row: Ints
    correct: Mask
    p_inclusion: Floats
    stratum: npt.NDArray[np.int8] | None


Strata = Callable[[pa.Table, Ints], npt.NDArray[np.int8] | None]
"""Audits and the row of each among the candidates, to the stratum of every candidate."""


def judgements(audits: pa.Table, scored: pa.Table, strata: Strata) -> Judgements:
    """Return the judged ones of the scored candidates; audits of other pairs are left out.

    Where `strata` does not know the strata that the pairs were drawn by, tenths by score take
    their place: a pair's score does not depend on its own verdict.

    Parameters
    ----------
    audits, scored
        Tables of `labeling.schemas.AUDITS` and `labeling.schemas.SCORED`.
    strata
        Returns ``int8[n]``, or None where it does not know.

    Raises
    ------
    InputError
        For audits of another schema.
    """
    judged = effective(audits).table
    row = find_pairs(judged, scored)
    judged = judged.filter(pa.array(row >= 0))
    row = row[row >= 0]
    correct = np.asarray(pc.equal(judged["verdict"], "yes"), bool)
    stratum = strata(judged, row)
    if stratum is None:
        stratum = tenths(np.asarray(scored["p_correct"]))
    return Judgements(row, correct, judged["p_inclusion"].to_numpy(), stratum)


def cut(judged: Judgements, score: npt.NDArray[np.floating], inside: Mask) -> Thresholds:
    """Return nested sets of the candidates inside a mask, ``bool[n]``, by a score, ``float[n]``.

    The score may be a probability, or 2 for candidates that are in every set but the empty one.
    """
    asked = inside[judged.row]
    return thresholds(
        score[inside],
        (np.cumsum(inside) - 1)[judged.row[asked]],
        judged.correct[asked],
        judged.p_inclusion[asked],
        stratum=None if judged.stratum is None else judged.stratum[inside],
    )


def precision_of(judged: Judgements, kept: Mask, confidence: float) -> Interval:
    """Return the precision of a set of candidates, ``bool[n]``, with its interval."""
    inside, stratum = kept[judged.row], judged.stratum
    n_kept = None
    if stratum is not None:
        n_kept = np.bincount(stratum[kept], minlength=int(stratum.max(initial=0)) + 1)
    return precision_interval(
        judged.correct[inside],
        judged.p_inclusion[inside],
        stratum=None if stratum is None else stratum[judged.row][inside].astype(np.int64),
        n_kept=n_kept,
        confidence=confidence,
    )
