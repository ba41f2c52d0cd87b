"""Composition of the audits of a run, compared with its candidates."""

from __future__ import annotations

from typing import Any

import numpy as np

from curation.report.facts import rounded
from curation.selection.composition import compare, numbered, partitions_of
from curation.selection.selection import Request, Selection


def measure_composition(request: Request, selection: Selection) -> dict[str, Any]:
    """Return the facts of `curation.selection.composition.compare` for a selection.

    Raises
    ------
    QualityError
        If most of the kept are of parts of the candidates that no audit is of.
    """
    partitions = partitions_of(request.scored, request.taxonomy(), request.evidence())
    if request.judged.stratum is not None:
        partitions["stratum"] = numbered(request.judged.stratum)
    kept = np.asarray(selection.table["kept"], bool)
    facts: dict[str, Any] = rounded(compare(partitions, request.judged, kept))
    return facts
