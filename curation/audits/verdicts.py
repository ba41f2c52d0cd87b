"""Verdicts on pairs: those that count, those that are missing, and how far auditors agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.pairs.pair_keys import find_pairs
from labeling.checks import check
from labeling.errors import InputError
from labeling.keys.arrays import Ints, Mask
from labeling.schemas import AUDITS, Batch


def usable_audits(audits: pa.Table) -> pa.Table:
    """Return the last verdict of each pair by ``seq``, if it is yes or no; sorted by ``seq``.

    Raises
    ------
    InputError
        For a table of another schema, or an inclusion probability of 0.
    """
    final = final_audits(audits)
    return final.filter(pa.array(is_answer(final)))


def is_answer(audits: pa.Table) -> Mask:
    """Return whether each verdict is yes or no, ``bool[n]``: neither unsure nor skipped."""
    return np.asarray(pc.is_in(audits["verdict"], value_set=pa.array(["yes", "no"])), bool)


def final_audits(audits: pa.Table) -> pa.Table:
    """Return the last verdict of each pair by ``seq``, sorted by ``seq``.

    Raises
    ------
    InputError
        For a table of another schema, or an inclusion probability of 0.
    """
    check(audits, AUDITS, where="audits")
    if pc.any(pc.less_equal(audits["p_inclusion"], 0)).as_py():
        raise InputError(
            "an audit has an inclusion probability of 0: it cannot have been drawn",
            help="give the probability with which the pair was drawn; 1 if all pairs were judged",
        )
    ordered, last, _ = _last_verdicts(audits)
    return ordered.take(pa.array(last))


def find_skipped(drawn: Batch, answered: Batch) -> Ints:
    """Return the rows of a draw before the last answered pair that have no answer, sorted.

    A person who stops before the end has judged a smaller draw. Pairs left out on the way were
    chosen by the person, not by the draw: their verdicts may differ from those of the others.

    Parameters
    ----------
    drawn
        Pairs in the order in which they were asked; of a pair that was asked twice the first row
        counts.
    answered
        Pairs with an answer, in any order.

    Examples
    --------
    >>> drawn = pa.table({"image_id": list("abcd"), "label_id": ["cat"] * 4})
    >>> find_skipped(drawn, drawn.take([2, 0])).tolist()
    [1]
    """
    _, first = np.unique(find_pairs(drawn, drawn), return_index=True)
    first = np.sort(first)
    is_answered = (find_pairs(drawn, answered) >= 0)[first]
    last = int(np.flatnonzero(is_answered).max(initial=-1))
    return first[np.flatnonzero(~is_answered[: last + 1])]


def count_doubtful(audits: pa.Table) -> tuple[int, int]:
    """Count the pairs whose last verdict is unsure, and those judged both right and wrong."""
    ordered, last, pair = _last_verdicts(audits)
    verdict = np.asarray(ordered["verdict"])
    contradictory = np.intersect1d(pair[verdict == "yes"], pair[verdict == "no"])
    return int(np.sum(verdict[last] == "unsure")), len(contradictory)


def _last_verdicts(audits: pa.Table) -> tuple[pa.Table, Ints, Ints]:
    """Return audits by ``seq``, the rows that are the last of their pair, and the pair of each."""
    ordered = audits.sort_by("seq")
    pair = find_pairs(ordered, ordered)
    return ordered, _last_of_each(pair), pair


def _last_of_each(key: Ints) -> Ints:
    """Return the last row of each key, sorted."""
    _, from_end = np.unique(key[::-1], return_index=True)
    return np.sort(len(key) - 1 - from_end)


@dataclass(frozen=True)
class Agreement:
    """Agreement of auditors who judged the same pairs.

    Attributes
    ----------
    n_pairs
        Pairs that two auditors or more were sure about.
    share
        Share of equal verdicts among all twos of auditors of a pair; NaN without such pairs.
    kappa
        Agreement beyond chance (Fleiss 1971): 1 if all agree, 0 if as often as by chance; NaN if
        all verdicts are equal.
    """

    n_pairs: int
    share: float
    kappa: float


def agreement(audits: pa.Table) -> Agreement:
    """Compare the last sure verdict of each auditor on each pair.

    Examples
    --------
    >>> from labeling.keys.ids import digest
    >>> verdicts = [("a", "yes"), ("b", "yes"), ("a", "no"), ("b", "no"), ("a", "yes"), ("b", "no")]
    >>> rows = [
    ...     {"image_id": digest(str(i // 2)), "label_id": "cat", "verdict": verdict,
    ...      "auditor": auditor, "seq": i, "stratum": "all", "p_inclusion": 1.0}
    ...     for i, (auditor, verdict) in enumerate(verdicts)
    ... ]
    >>> both = agreement(pa.Table.from_pylist(rows, schema=AUDITS.arrow))
    >>> both.n_pairs, round(both.share, 3), round(both.kappa, 3)
    (3, 0.667, 0.333)
    """
    ordered = audits.sort_by("seq")
    pair = find_pairs(ordered, ordered)
    auditor = ordered["auditor"].combine_chunks().dictionary_encode()
    last = _last_of_each(pair * len(auditor.dictionary) + np.asarray(auditor.indices, np.int64))
    verdict = np.asarray(ordered["verdict"])[last]
    sure = (verdict == "yes") | (verdict == "no")
    pair, right = pair[last[sure]], verdict[sure] == "yes"
    n = np.bincount(pair)
    n_right = np.bincount(pair, right)
    n_right, n = n_right[n > 1], n[n > 1].astype(np.float64)
    if not len(n):
        return Agreement(0, float("nan"), float("nan"))
    agreeing = n_right * (n_right - 1) + (n - n_right) * (n - n_right - 1)
    share = float(agreeing.sum() / (n * (n - 1)).sum())
    rate = float(n_right.sum() / n.sum())
    chance = rate**2 + (1 - rate) ** 2
    kappa = (share - chance) / (1 - chance) if chance < 1 else float("nan")
    return Agreement(len(n), share, kappa)
