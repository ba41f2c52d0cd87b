"""Error rates of auditors, from pairs that were judged twice or whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.audits.verdicts import is_answer
from curation.intervals.error_rates import NO_ERRORS, SPENT, ErrorRates
from curation.intervals.precision import clopper_pearson
from curation.pairs.pair_keys import find_pairs
from labeling.errors import InputError
from labeling.keys.arrays import Ints, Mask
from labeling.keys.runs import rank_in_run

MIN_REPEATS = 30
"""Pairs of each verdict that an estimate needs. Without a single error among 30 the bound is .18; a
smaller number would leave little to prove."""

MAX_RATE = 0.999
"""Largest bound of an error rate: at 1 verdicts would carry no information."""

Calls = npt.NDArray[np.bool_]


def error_rates(
    audits: pa.Table,
    confidence: float,
    given: float | None = None,
    known: pa.Table | None = None,
) -> ErrorRates:
    """Return how often auditors err: as given, by known pairs, or by pairs judged twice.

    Of a pair judged twice the first two sure verdicts are compared; a third may settle a
    contradiction. Where such pairs are few, verdicts are taken as the truth; their number is
    returned all the same.

    Parameters
    ----------
    audits
        Table of `labeling.schemas.AUDITS`.
    confidence
        Of the statement that the rates are for, in (0, 1).
    given
        In [0, 0.5): the largest share of wrong pairs that are called right, and of right pairs that
        are called wrong; None to estimate them.
    known
        Table with ``image_id``, ``label_id`` and the true ``verdict``, yes or no, of some pairs.

    Raises
    ------
    InputError
        If few of the known pairs were judged.
    """
    if given is not None:
        return ErrorRates(given, given, "given")
    if known is not None:
        return rates_by_known(*known_calls(audits, known), confidence)
    called = repeated_calls(audits)
    return rates_by_repeats(called, confidence) or replace(NO_ERRORS, n_pairs=len(called))


def repeated_calls(audits: pa.Table) -> Calls:
    """Return whether pairs with two sure verdicts were called right in each, ``bool[m, 2]``.

    Examples
    --------
    >>> verdicts = {"verdict": ["yes", "no", "unsure", "no"], "seq": [3, 1, 2, 4]}
    >>> repeated_calls(pa.table({"image_id": ["0" * 32] * 4, "label_id": ["cat"] * 4, **verdicts}))
    array([[False,  True]])
    """
    sure, rank = _by_pair(audits)
    called, second = _is_yes(sure), np.flatnonzero(rank == 1)
    calls: Calls = np.stack([called[second - 1], called[second]], axis=1)
    return calls


def known_calls(audits: pa.Table, known: pa.Table) -> tuple[Mask, Mask]:
    """Return whether known pairs were called right at first, and whether they are, ``bool[m]``."""
    sure, rank = _by_pair(audits)
    first = sure.filter(pa.array(rank == 0))
    row = find_pairs(first, known)
    return _is_yes(first)[row >= 0], _is_yes(known)[row[row >= 0]]


def _by_pair(audits: pa.Table) -> tuple[pa.Table, Ints]:
    """Return the sure verdicts by pair and time, and the number of each within its pair."""
    sure = audits.filter(pa.array(is_answer(audits))).sort_by("seq")
    pair = find_pairs(sure, sure)
    order = np.argsort(pair, kind="stable")
    return sure.take(pa.array(order)), rank_in_run(pair[order])


def _is_yes(verdicts: pa.Table) -> Mask:
    return np.asarray(pc.equal(verdicts["verdict"], "yes"), bool)


def rates_by_repeats(called: Calls, confidence: float) -> ErrorRates | None:
    """Estimate how often auditors err from pairs that were judged twice; None if these are few.

    If errors are independent, and right pairs are called right at least as often as wrong ones,
    then of the pairs called wrong at one time, at least the share a is called right at the other;
    likewise for b. These shares are bounded by Clopper and Pearson (1934), for both times. The
    share of pairs with both verdicts, 2 a (1 - a) if a = b, bounds neither: auditors who only
    accept too much seldom disagree if few pairs are wrong. A mistake that is made both times is not
    seen.

    Parameters
    ----------
    called
        ``bool[m, 2]``: whether each pair was called right, at both times.
    confidence
        Of the statement that the rates are for, in (0, 1).

    Examples
    --------
    >>> called = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [120, 4, 4, 72], axis=0) > 0
    >>> rates = rates_by_repeats(called, 0.95)
    >>> round(rates.of_wrong, 3), round(rates.of_right, 3), rates.n_pairs
    (0.167, 0.105, 200)
    """
    error = (1 - confidence) * SPENT / 2
    # Calls at one time of the pairs that were called wrong, and right, at the other.
    of_wrong = [called[~called[:, 1 - time], time] for time in (0, 1)]
    of_right = [~called[called[:, 1 - time], time] for time in (0, 1)]
    if min(map(len, of_wrong + of_right)) < MIN_REPEATS:
        return None

    def highest(times: list[Mask]) -> float:
        return max(_at_most(erred, error) for erred in times)

    return ErrorRates(highest(of_wrong), highest(of_right), "repeats", len(called), SPENT)


def rates_by_known(called: Mask, is_right: Mask, confidence: float) -> ErrorRates:
    """Estimate how often auditors err from pairs whose truth is known.

    Mistakes that all auditors make are seen too.

    Parameters
    ----------
    called, is_right
        ``bool[m]``: whether each pair was called right, and whether it is.
    confidence
        Of the statement that the rates are for, in (0, 1).

    Raises
    ------
    InputError
        If few of the pairs are right, or wrong.
    """
    of_wrong, of_right = called[~is_right], ~called[is_right]
    if min(len(of_wrong), len(of_right)) < MIN_REPEATS:
        raise InputError(
            "too few of the pairs whose truth is known were judged",
            facts={"right": len(of_right), "wrong": len(of_wrong)},
            help=f"give {MIN_REPEATS} or more judged pairs of each verdict, or leave them out",
        )
    error = (1 - confidence) * SPENT
    return ErrorRates(
        _at_most(of_wrong, error), _at_most(of_right, error), "known", len(called), SPENT
    )


def _at_most(erred: Mask, error: float) -> float:
    """Return a bound that a share exceeds with probability `error`."""
    _, high = clopper_pearson(erred.sum(), len(erred), 1 - 2 * error)
    return min(float(high), MAX_RATE)
