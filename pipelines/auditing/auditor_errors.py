"""Error rates of the auditors of a run, as facts of a selection."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curation.audits.auditor_errors import error_rates
from curation.audits.audits import BY_TRUTH
from curation.intervals.error_rates import ErrorRates
from curation.report.facts import rounded
from curation.runs.stage import Stage
from labeling.schemas import AUDITS
from pipelines.auditing.known_answers import rates_of_page, read_known_answers
from pipelines.auditing.sheets import read_known
from pipelines.run.config import Config
from pipelines.run.saved_config import find_input


def rates_of(config: Config, audits: Stage, confidence: float) -> ErrorRates:
    """Return the error rates of the auditors of a run, as the settings ask for them.

    Verdicts of the audit page on pairs with known answers come before all other estimates. While
    they are few, pairs judged twice take their place: most known pairs are not among the audits.

    Raises
    ------
    InputError
        If the file of known pairs is missing or cannot be read, or few of them were judged.
    """
    of_page = rates_of_page(audits, confidence) if config.audit.error_rate is None else None
    if of_page is not None:
        return of_page
    path = config.audit.known
    known = (
        None if path is None or read_known_answers(audits) else read_known(find_input(config, path))
    )
    return error_rates(audits.table(AUDITS), confidence, config.audit.error_rate, known)


def facts_of_errors(rates: ErrorRates, audits: pa.Table) -> dict[str, Any]:
    """Return the facts that `curation.report.facts.auditor_errors` puts into words.

    Parameters
    ----------
    rates
        The rates that the precision of the selection allows for.
    audits
        Table of `labeling.schemas.AUDITS`. If a known truth gave all verdicts, there are no facts.
    """
    by_truth = pc.all(pc.equal(audits["auditor"], BY_TRUTH), min_count=0).as_py()
    if by_truth and not rates.is_any:
        return {}
    facts: dict[str, Any] = {"error_rates_by": rates.basis, "n_error_pairs": rates.n_pairs}
    if rates.is_any:
        bounds = {"error_rate_of_wrong": rates.of_wrong, "error_rate_of_right": rates.of_right}
        facts |= rounded(bounds)
    return facts
