"""Verdicts of the audit page on pairs with known answers, counted in the stage of the audits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from curation.audits.auditor_errors import MIN_REPEATS, rates_by_known
from curation.intervals.error_rates import ErrorRates
from curation.runs.stage import Stage

FILE = "known-answers.json"


@dataclass(frozen=True)
class KnownAnswers:
    """Sure verdicts of one auditor, in one mode of the page, on pairs with known answers.

    Attributes
    ----------
    auditor, mode
        The auditor, and how the pairs were shown.
    n_wrong, n_wrong_called_right
        Wrong pairs, and those of them that were called right.
    n_right, n_right_called_wrong
        Right pairs, and those of them that were called wrong.
    """

    auditor: str
    mode: str
    n_wrong: int = 0
    n_wrong_called_right: int = 0
    n_right: int = 0
    n_right_called_wrong: int = 0


def known_answers_text(rows: Sequence[KnownAnswers]) -> str:
    """Return the content of the file `FILE`."""
    return json.dumps([asdict(row) for row in rows], indent=1) + "\n"


def read_known_answers(audits: Stage) -> list[KnownAnswers]:
    """Return the counts of a stage; none where no such pair was judged on the page."""
    path = audits.dir / FILE
    rows = json.loads(path.read_text("utf-8")) if path.exists() else []
    return [KnownAnswers(**row) for row in rows]


def rates_of_page(audits: Stage, confidence: float) -> ErrorRates | None:
    """Return the error rates of all auditors by known answers; None if these are few."""
    rows = read_known_answers(audits)
    n_wrong, n_right = sum(row.n_wrong for row in rows), sum(row.n_right for row in rows)
    if min(n_wrong, n_right) < MIN_REPEATS:
        return None
    n_called_right = sum(row.n_wrong_called_right for row in rows)
    n_called_wrong = sum(row.n_right_called_wrong for row in rows)
    is_right = np.arange(n_wrong + n_right) >= n_wrong
    is_mistake = np.concatenate(
        [np.arange(n_wrong) < n_called_right, np.arange(n_right) < n_called_wrong]
    )
    return rates_by_known(is_right != is_mistake, is_right, confidence)
