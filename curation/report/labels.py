"""Labels of a report: their counts and precision, and those that hold most errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.intervals.judgements import Judgements
from curation.report.rates import rates
from labeling.keys.arrays import Mask
from labeling.taxonomy.taxonomy import Taxonomy

N_NOISY = 5
"""Labels with most errors, by number and by share."""


def senses(taxonomy: Taxonomy) -> list[str]:
    """Return for each label the words that separate it from others of its name; "" if none has it.

    They are its definition, or a label above it, or its id.
    """
    shared = Counter(name.casefold() for names in taxonomy.names for name, _ in names)
    texts = []
    for code, label_id in enumerate(taxonomy.label_ids):
        above = [taxonomy.display_name(parent) for parent in taxonomy.parents[code]]
        sense = taxonomy.glosses[code] or ", ".join(above) or label_id
        is_shared = shared[taxonomy.display_name(code).casefold()] > 1
        texts.append(sense if is_shared else "")
    return texts


def describe_labels(
    selected: pa.Table,
    judged: Judgements,
    taxonomy: Taxonomy,
    confidence: float,
    right: Mask | None = None,
) -> list[dict[str, Any]]:
    """Return the numbers of each label that has a candidate, by the order of the taxonomy.

    Parameters
    ----------
    selected
        Table of `labeling.schemas.SELECTED`.
    judged
        The judgements of its rows; those with an unknown verdict are not used.
    confidence
        Of the interval of each label by itself.
    right
        ``bool[n]``: whether each candidate is right, if the truth is known.

    Returns
    -------
    list
        Of ``label_id``, ``name`` and ``sense``; ``n_candidates``, ``n_kept`` and
        ``n_before_limit``, as many as are kept without a limit of each label; ``p_kept``, the mean
        probability of the kept; ``n_audits``, ``precision``, ``low`` and ``high`` of the kept by
        the audits; and ``true_precision`` of the kept, with `right`.
    """
    n_labels, code = len(taxonomy), taxonomy.codes(selected["label_id"]).astype(np.int64)
    kept = np.asarray(selected["kept"], bool)
    over = np.asarray(pc.equal(selected["reason"], "over_per_label"), bool)
    known = judged.known.take(kept[judged.known.row])
    audited = rates(code[known.row], known.correct, known.weight, n_labels, confidence)
    n_all, n_kept, n_over = (
        np.bincount(code[rows], minlength=n_labels) for rows in (slice(None), kept, over)
    )
    p_sum = np.bincount(code[kept], selected["p_correct"].to_numpy()[kept], n_labels)
    n_right = None if right is None else np.bincount(code[kept & right], minlength=n_labels)
    sense = senses(taxonomy)
    rows = []
    for i in np.flatnonzero(n_all):
        row = {
            "label_id": taxonomy.label_ids[i],
            "name": taxonomy.display_name(int(i)),
            "sense": sense[i],
            "n_candidates": n_all[i],
            "n_kept": n_kept[i],
            "n_before_limit": n_kept[i] + n_over[i],
            "p_kept": p_sum[i] / n_kept[i] if n_kept[i] else None,
            "n_audits": audited.n[i],
            "precision": audited.share[i],
            "low": audited.low[i],
            "high": audited.high[i],
        }
        if n_right is not None:
            row["true_precision"] = n_right[i] / n_kept[i] if n_kept[i] else None
        rows.append(row)
    return rows


def noisiest(labels: Sequence[dict[str, Any]], n: int = N_NOISY) -> list[dict[str, Any]]:
    """Return the rows of labels that hold most errors, as the scores expect.

    Returns
    -------
    list
        With ``n_wrong``, the expected number of wrong kept images, and ``by``: first the `n` labels
        with most of them (``number``), then the `n` others with the largest share (``share``).

    Examples
    --------
    >>> rows = [
    ...     {"label_id": "a", "n_kept": 90, "p_kept": 0.9},
    ...     {"label_id": "b", "n_kept": 4, "p_kept": 0.5},
    ...     {"label_id": "c", "n_kept": 0},
    ... ]
    >>> [(row["label_id"], row["by"], round(row["n_wrong"])) for row in noisiest(rows, 1)]
    [('a', 'number', 9), ('b', 'share', 2)]
    """
    rows = [
        {**row, "n_wrong": row["n_kept"] * (1 - row["p_kept"])} for row in labels if row["n_kept"]
    ]
    by_number = sorted(rows, key=lambda row: (-row["n_wrong"], row["label_id"]))
    by_share = sorted(by_number[n:], key=lambda row: row["p_kept"])
    return [{**row, "by": "number"} for row in by_number[:n]] + [
        {**row, "by": "share"} for row in by_share[:n]
    ]
