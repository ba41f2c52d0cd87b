"""The trade between the number kept, their precision and the labels: what else could be chosen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from curation.report.labels import senses
from curation.report.tuning import tuning
from curation.runs.stage import Stage
from curation.selection.selection import Request, Selection

PRECISION, SHARE = 0.9, 1 / 3
"""The precision that a share is compared with, and the share that a precision is."""


def measure_trade(request: Request, selection: Selection) -> dict[str, Any]:
    """Return what another choice would give, from the table of thresholds: no proof.

    It is empty if a limit of each label leaves candidates out, which the table does not know.

    Returns
    -------
    dict
        ``trade_share``, the largest share whose precision is estimated at `PRECISION` or more, if a
        share is kept; ``trade_precision``, that of the best `SHARE`, if a precision is held. If a
        floor keeps candidates below the threshold of all: ``trade_precision_without_floor``, with
        as many kept, and ``trade_labels``, the number of labels that only the floor keeps.
    """
    cuts, n = request.cuts, len(request.p)
    precision = cuts.known.precision
    if not cuts.known.n_audits.any() or request.per_label is not None:
        return {}
    facts: dict[str, Any] = {}
    if request.precision is None:
        n_kept = cuts.n_kept[precision >= PRECISION].max(initial=0)
        facts["trade_share"] = float(n_kept) / n
    else:
        row = int(np.searchsorted(cuts.n_kept[:-1], round(SHARE * n)))
        facts["trade_precision"] = float(precision[row])
    if selection.facts.get("n_by_floor") and request.by is None:
        row = int(np.searchsorted(cuts.n_kept, selection.n_kept))
        facts["trade_precision_without_floor"] = float(precision[row])
        above = (request.p >= cuts.threshold[row]) & (request.excluded == 0)
        kept = np.asarray(selection.table["kept"], bool)
        facts["trade_labels"] = len(np.setdiff1d(request.label[kept], request.label[above]))
    return facts


def measure_shares(request: Request, confidence: float) -> dict[str, Any]:
    """Return what other shares would give, as `curation.report.tuning.tuning`.

    Parameters
    ----------
    request
        With the confidence of each interval by itself.
    confidence
        The confidence that is stated: all looks at the audits of a run have it together.

    Returns
    -------
    dict
        With ``target``, the precision to hold or `PRECISION`, and ``confidence``; and the ``name``
        of each of the labels, with its sense if others have it too.
    """
    table, taxonomy = tuning(request), request.taxonomy()
    sense = senses(taxonomy)
    for row in table["labels"]:
        code = taxonomy.code(row["label_id"])
        of_name = f" ({sense[code]})" if sense[code] else ""
        row["name"] = f"{taxonomy.display_name(code)}{of_name}"
    return table | {"target": request.precision or PRECISION, "confidence": confidence}


def trade_lines(selected: Stage) -> Iterator[str]:
    """Yield a line about what else could be chosen."""
    facts, parts = selected.facts, []
    if facts.get("trade_share") is not None:
        parts.append(f"precision {PRECISION} at {facts['trade_share']:.0%} kept")
    if facts.get("trade_precision") is not None:
        parts.append(f"precision {facts['trade_precision']:.3f} at {SHARE:.0%} kept")
    if facts.get("trade_precision_without_floor") is not None:
        n_labels = facts["trade_labels"]
        parts.append(
            f"without the floor {facts['trade_precision_without_floor']:.3f} of as many,"
            f" and {n_labels:,} label{'s' * (n_labels != 1)} fewer"
        )
    if parts:
        yield f"  instead: {'; '.join(parts)}"
