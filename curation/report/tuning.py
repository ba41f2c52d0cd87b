"""Results of keeping other shares, and the module that shows them with a slider.

`tuning` makes the table of a request, `pipelines.selecting.trade.measure_shares` that of a run.
``static/tuning.js`` is an ES module without imports: its function *showTuning(root, table)* fills
an element with the curve, a slider, a field, the numbers and the command; ``static/tuning.css`` is
its style, with the variables ``--paper``, ``--panel``, ``--ink``, ``--muted``, ``--line`` and
``--accent`` of the page. The report holds all three; a page that is served has them from `STATIC`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.intervals.judgements import Judgements, intervals_of
from curation.report.facts import rounded
from curation.selection.choose import choose_shares
from curation.selection.floors import FEW
from curation.selection.selection import Request
from labeling.keys.arrays import Ints, Mask

STATIC = Path(__file__).parent / "static"
"""Folder of the module and its style."""

MAX_LABELS = 300
"""Labels of the table that have names."""

STEPS = 200
"""Shares of the table: it has at most three rows more."""

THIRD = 1 / 3
"""A share that is marked: a network trained on the best third was as good as on all."""


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
        and ``labels_lost``, those of them with none. Shares that keep nothing are left out. And
        ``labels``, rows of ``label_id`` and ``n_rows``, in how many of the first rows the label has
        fewer than ``few`` kept images: `MAX_LABELS` labels, those with most candidates first.

    Examples
    --------
    In the browser::

        import { showTuning } from "/tuning/tuning.js";
        showTuning(document.getElementById("tuning"), table);
    """
    judged = request.judged
    judged = judged if inside is None else judged.take(inside[judged.row])
    shares, size = shares_of(request.keep), np.bincount(_inside(request.label, inside))
    labels = np.flatnonzero(size)
    stratum = np.broadcast_to(np.int8(0), len(request.p))
    stratum = stratum if judged.stratum is None else judged.stratum
    images = np.zeros((len(shares), len(labels)), np.int64)
    n_kept = np.zeros((len(shares), int(stratum.max(initial=0)) + 1), np.int64)
    of_label, of_stratum = np.zeros(len(size), np.int64), np.zeros(n_kept.shape[1], np.int64)
    audited, thresholds = np.zeros((len(shares), len(judged.row)), bool), []
    for i, (best, threshold) in enumerate(choose_shares(request, shares)):
        entered, beside = (
            rows if inside is None else rows[inside[rows]] for rows in (best.entered, best.beside)
        )
        of_label += np.bincount(request.label[entered], minlength=len(size))
        of_stratum += np.bincount(stratum[entered], minlength=len(of_stratum))
        images[i] = (of_label + np.bincount(request.label[beside], minlength=len(size)))[labels]
        n_kept[i] = of_stratum + np.bincount(stratum[beside], minlength=len(of_stratum))
        audited[i] = best.kept[judged.row]
        thresholds.append(threshold)
    sets = Sets(int(size.sum()), request.keep, shares, thresholds, images.T, n_kept, audited)
    label_ids = request.label_ids.take(pa.array(labels)).to_pylist()
    named = _labels_with_few(label_ids, size[labels], images.T[:, n_kept.any(axis=1)])
    return tuning_of(sets, judged, request.confidence) | {"labels": named}


def _inside(values: npt.NDArray[Any], inside: Mask | None) -> npt.NDArray[Any]:
    return values if inside is None else values[inside]


def _labels_with_few(label_ids: Sequence[str], size: Ints, images: Ints) -> list[dict[str, Any]]:
    """Return the first `MAX_LABELS` labels by size that some row keeps few images of."""
    n_rows = np.sum(images < FEW, axis=1)
    order = sorted(range(len(label_ids)), key=lambda i: (-size[i], label_ids[i]))
    rows = [{"label_id": label_ids[i], "n_rows": int(n_rows[i])} for i in order if n_rows[i]]
    return rows[:MAX_LABELS]


@dataclass(frozen=True, eq=False)
class Sets:
    """Candidates that some shares keep, counted.

    Attributes
    ----------
    n_candidates, keep
        Number of the candidates that are counted, and a share that is marked.
    shares, thresholds
        Of all candidates, and the threshold of each; None with groups.
    images
        ``int64[n_labels, t]``: kept candidates of each label.
    n_kept
        ``int64[t, n_strata]``: kept candidates of each stratum.
    audited
        ``bool[t, m]``: which of the judgements each share keeps.
    """

    n_candidates: int
    keep: float
    shares: Sequence[float]
    thresholds: Sequence[float | None]
    images: Ints
    n_kept: Ints
    audited: Mask


def tuning_of(sets: Sets, judged: Judgements, confidence: float) -> dict[str, Any]:
    """Return the table of `tuning` for sets that are given, without names of labels.

    Parameters
    ----------
    sets
        The sets.
    judged
        The judgements.
    confidence
        Of each interval by itself, in (0, 1).
    """
    images = sets.images
    precision = intervals_of(judged, sets.audited, sets.n_kept, confidence)
    columns = {
        "share": np.array(sets.shares),
        "n_kept": images.sum(axis=0),
        "threshold": np.array([np.nan if t is None else t for t in sets.thresholds]),
        "precision": precision.estimate,
        "low": precision.low,
        "high": precision.high,
        "n_audits": precision.n_audits,
        "labels_few": np.sum(images < FEW, axis=0),
        "labels_lost": np.sum(images == 0, axis=0),
    }
    some = np.flatnonzero(columns["n_kept"])
    table: dict[str, Any] = rounded(
        {"n_candidates": sets.n_candidates, "n_labels": len(images), "few": FEW}
        | {"keep": sets.keep, "third": THIRD}
        | {name: column[some] for name, column in columns.items()}
        | {"labels": []}
    )
    return table


def shares_of(keep: float) -> list[float]:
    """Return the shares of the rows; a command that keeps one can be typed."""
    steps = (i / STEPS for i in range(1, STEPS + 1))
    return sorted({round(share, 6) for share in (*steps, THIRD, keep)})
