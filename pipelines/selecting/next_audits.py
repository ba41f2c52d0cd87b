"""The worth of a hundred further audits, and where they would help most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.audits.forecast import expected_share
from curation.audits.two_phase import share_above
from curation.pairs.packed import spell
from curation.runs.stage import Stage
from curation.selection.selection import Request, Selection
from labeling.keys.arrays import Mask
from labeling.taxonomy.taxonomy import Taxonomy

N_MORE = 100
N_LABELS = 3
"""Labels that are named."""

SHARE_INSIDE = 0.8
"""About the share of further pairs that fall among the kept, by
`curation.audits.two_phase.FOR_SHARE`."""


def measure_next(request: Request, selection: Selection, facts: dict[str, Any]) -> dict[str, Any]:
    """Return what `N_MORE` audits would change, if the scores are right about the rest.

    Parameters
    ----------
    facts
        ``precision_low``, ``precision_high`` and ``n_audits_kept`` of the selection.

    Returns
    -------
    dict
        ``next_n``, the number of audits then. If a precision is held without groups, ``next_kept``,
        about how many more candidates could be kept, and ``next_p_low`` and ``next_p_high``, the
        probabilities at which they are; if a share is kept, ``next_width``, the width of the
        interval. ``next_labels``: the labels that have most of these candidates, or of the wrong
        ones that the scores expect among the kept.
    """
    n_judged = len(np.unique(request.judged.row))
    known: dict[str, Any] = {"next_n": n_judged + N_MORE}
    label, p = request.scored["label_id"], request.p
    kept = np.asarray(selection.table["kept"], bool)
    if request.precision is None:
        n, width = facts["n_audits_kept"], facts["precision_high"] - facts["precision_low"]
        known["next_width"] = width * float(np.sqrt(n / (n + SHARE_INSIDE * N_MORE)))
        return known | {"next_labels": _most(label, kept, np.where(kept, 1 - p, 0))}
    if request.by is not None:
        return {}
    target = request.judged.errors.called_right(request.precision)
    now, then = (
        expected_share(p, target, n, request.confidence) for n in (n_judged, n_judged + N_MORE)
    )
    known["next_kept"] = round((then - now) * len(p))
    order = np.argsort(-p, kind="stable")[: round(share_above(p, target) * len(p))]
    open_rows = np.zeros(len(p), bool)
    open_rows[order] = True
    open_rows &= ~kept & (request.excluded == 0)
    if not known["next_kept"] or not open_rows.any():
        return known | {"next_kept": 0, "next_labels": []}
    known |= {"next_p_low": float(p[open_rows].min()), "next_p_high": float(p[open_rows].max())}
    return known | {"next_labels": _most(label, open_rows, open_rows)}


def _most(label: pa.ChunkedArray, rows: Mask, weight: npt.NDArray[Any]) -> list[str]:
    """Return the labels of some rows with the largest sums of a weight."""
    table = pa.table({"label": label.filter(pa.array(rows)), "weight": weight[rows].astype(float)})
    sums = spell(table.group_by("label").aggregate([("weight", "sum")]))
    order = [("weight_sum", "descending"), ("label", "ascending")]
    labels: list[str] = sums.sort_by(order)["label"].to_pylist()[:N_LABELS]
    return labels


def next_lines(selected: Stage, taxonomy: Taxonomy) -> Iterator[str]:
    """Yield a line about what further audits would change."""
    facts = selected.facts
    if not facts.get("next_labels"):
        return
    names = ", ".join(
        taxonomy.display_name(taxonomy.code(label_id)) for label_id in facts["next_labels"]
    )
    start = f"  {N_MORE} more audits (audit.n={facts['next_n']})"
    if "next_width" in facts:
        width = facts["precision_high"] - facts["precision_low"]
        yield (
            f"{start}: an interval about {facts['next_width']:.3f} wide in place of {width:.3f};"
            f" most errors are expected in {names}"
        )
    else:
        yield (
            f"{start}: about {facts['next_kept']:,} more kept, of probabilities"
            f" {facts['next_p_low']:.2f} to {facts['next_p_high']:.2f}, most in {names}"
        )
