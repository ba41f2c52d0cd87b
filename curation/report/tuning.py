"""Results of keeping other shares, and the module that shows them with a slider.

`tuning` makes the table of a request, `pipelines.selecting.tuning.measure_tuning` that of a run.
``static/tuning.js`` is an ES module without imports: its function *showTuning(root, table)* fills
an element with the curve, a slider, a field, the numbers and the command; ``static/tuning.css`` is
its style, with the variables ``--paper``, ``--panel``, ``--ink``, ``--muted``, ``--line`` and
``--accent`` of the page. The report holds all three; a page that is served has them from `STATIC`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from curation.intervals.judgements import Judgements, precision_of
from curation.pairs.pair_keys import codes_of
from curation.report.facts import rounded
from curation.selection.choose import choose_shares
from curation.selection.floors import FEW
from curation.selection.selection import Request
from labeling.keys.arrays import Ints, Mask

STATIC = Path(__file__).parent / "static"
"""Folder of the module and its style."""

STEPS = 200
"""Shares of the table: it has at most three rows more."""

THIRD = 1 / 3
"""A share that is marked: a network trained on the best third was as good as on all."""

_COLUMNS = (
    "share",
    "n_kept",
    "threshold",
    "precision",
    "low",
    "high",
    "n_audits",
    "labels_few",
    "labels_lost",
)


def tuning(request: Request, inside: Mask | None = None) -> dict[str, Any]:
    """Return what every two hundredth of the candidates would give, measured as by `choose`.

    Floor, groups and limits of the request are applied to each share, so a row holds what a
    selection of that share would hold. A precision that the request holds is not used: nothing is
    proved of a share. Each interval is for one share chosen in advance, not for the best of many.

    Parameters
    ----------
    request
        A selection, whose share is one of the rows.
    inside
        ``bool[n]``: candidates that are counted, such as those of one label; by default all.

    Returns
    -------
    dict
        ``n_candidates``, ``n_labels`` and ``few`` (20); ``keep`` and ``third``, shares of rows; and
        columns, lists with a value for each share: ``share``, of all candidates, with six digits at
        most; ``n_kept``; ``threshold``, None with groups; ``precision``, ``low`` and ``high``, None
        without an audit; ``n_audits``; ``labels_few``, labels with fewer than ``few`` kept images;
        and ``labels_lost``, those of them with none. Shares that keep nothing are left out.

    Examples
    --------
    In the browser::

        import { showTuning } from "/tuning/tuning.js";
        showTuning(document.getElementById("tuning"), table);
    """
    inside = np.ones(len(request.p), bool) if inside is None else inside
    shares = shares_of(request.keep)
    sets = (
        (share, kept[inside], threshold)
        for share, (kept, threshold) in zip(shares, choose_shares(request, shares), strict=True)
    )
    label = codes_of(request.scored["label_id"].filter(inside))
    judged = request.judged.within(inside)
    return tuning_of(sets, judged, label, request.keep, request.confidence)


def tuning_of(
    sets: Iterable[tuple[float, Mask, float | None]],
    judged: Judgements,
    label: Ints,
    keep: float,
    confidence: float,
) -> dict[str, Any]:
    """Return the table of `tuning` for sets that are given.

    Parameters
    ----------
    sets
        A share of all candidates, ``bool[n]``: which of those that are counted it keeps, and its
        threshold.
    judged
        Judgements of the candidates that are counted.
    label
        ``int64[n]``: their labels, numbers from 0 without gaps.
    keep, confidence
        Share of the request, and confidence of each interval.
    """
    n_labels = int(label.max(initial=-1)) + 1
    rows = []
    for share, kept, threshold in sets:
        if not kept.any():
            continue
        precision = precision_of(judged, kept, confidence)
        images = np.bincount(label[kept], minlength=n_labels)
        rows.append(
            (
                share,
                int(kept.sum()),
                threshold,
                *(precision.estimate, precision.low, precision.high, precision.n_audits),
                int(np.sum(images < FEW)),
                int(np.sum(images == 0)),
            )
        )
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in _COLUMNS]
    counts = {"n_candidates": len(label), "n_labels": n_labels, "few": FEW}
    marked = {"keep": keep, "third": THIRD}
    table: dict[str, Any] = rounded(counts | marked | dict(zip(_COLUMNS, columns, strict=True)))
    return table


def shares_of(keep: float) -> list[float]:
    """Return the shares of the rows; a command that keeps one can be typed."""
    steps = (i / STEPS for i in range(1, STEPS + 1))
    return sorted({round(share, 6) for share in (*steps, THIRD, keep)})
