"""Comparison of the audits with the candidates that they are meant to represent.

Audits that were drawn from other candidates, such as those of last month, or picked by hand, are
of other labels and sources than the candidates. Weighted by ``1 / p_inclusion``, audits of a random
draw have the composition of the candidates, except for chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import betainc

from curation.intervals.judgements import Judgements
from curation.selection.groups import Partition, by_sources
from labeling.errors import QualityError
from labeling.keys.arrays import Floats, Ints, Mask
from labeling.taxonomy.taxonomy import Taxonomy

PARTS = "parts_that_differ"
"""Name of the fact with the parts that differ."""

ALARM = 0.001
"""Probability with which the audits of a random draw are reported to differ in some part."""

N_DEVIATIONS = 4.0
"""Standard deviations by which the number of candidates that audits represent may be off."""

N_AT_ONCE = 1 << 20
"""Candidates that are counted together: bounds the memory."""

MOST_UNSEEN = 0.5
"""Share of the kept candidates in parts without audits above which no precision is stated."""


def compare(partitions: Mapping[str, Partition], judged: Judgements, kept: Mask) -> dict[str, Any]:
    """Return the parts of the candidates that audits represent too much, too little or not at all.

    Parameters
    ----------
    partitions
        Partitions of the candidates by a name, such as ``label``.
    judged
        The pairs that were asked about.
    kept
        ``bool[n]``: the candidates that are kept.

    Returns
    -------
    dict
        ``parts_that_differ``: rows of ``by``, ``part``, ``of_candidates`` and ``of_audits`` (its
        shares), ``n_audits``, the largest difference first; ``kept_unseen``: the share of the kept
        candidates that are in one of these parts that has no audit; and ``n_represented``, the
        number of candidates by ``p_inclusion``, if it is another. Empty if nothing differs.

    Raises
    ------
    QualityError
        If that is more than half of the kept.
    """
    alarm = ALARM / max(len(partitions), 1)
    unseen = np.zeros(len(kept), bool)
    rows: list[dict[str, Any]] = []
    for by, partition in partitions.items():
        of_pool, of_audits, p_value = shares(partition, judged)
        n_audits = np.bincount(partition.code[judged.row], minlength=len(of_pool))
        differing = np.flatnonzero(p_value * max(int(np.count_nonzero(of_pool)), 1) <= alarm)
        unseen |= np.isin(partition.code, differing[n_audits[differing] == 0])
        rows += [
            {
                "by": by,
                "part": partition.names[i],
                "of_candidates": float(of_pool[i]),
                "of_audits": float(of_audits[i]),
                "n_audits": int(n_audits[i]),
            }
            for i in differing
        ]
    facts = _represented(judged, len(kept))
    if not rows:
        return facts
    rows.sort(key=lambda row: -abs(row["of_candidates"] - row["of_audits"]))
    kept_unseen = float(unseen[kept].mean()) if kept.any() else 0.0
    if kept_unseen > MOST_UNSEEN:
        raise _not_represented(rows, kept_unseen)
    return {**facts, PARTS: rows, "kept_unseen": kept_unseen}


def partitions_of(
    scored: pa.Table,
    taxonomy: Taxonomy | None,
    evidence: Iterable[pa.ChunkedArray] | None,
) -> dict[str, Partition]:
    """Return the partitions of candidates to compare: labels, and levels and sources if known.

    Parameters
    ----------
    scored
        Table with ``label_id``.
    taxonomy
        The labels.
    evidence
        The column ``evidence`` of `labeling.schemas.CANDIDATES`, in parts.
    """
    encoded = scored["label_id"].combine_chunks().dictionary_encode()
    ids, code = encoded.dictionary, np.asarray(encoded.indices)
    if taxonomy is None:
        partitions = {"label": Partition(code, tuple(ids.to_pylist()))}
    else:
        label = taxonomy.codes(ids)
        names = tuple(taxonomy.display_name(int(each)) for each in label)
        partitions = {
            "label": Partition(code, names),
            "level": numbered(taxonomy.level[label][code]),
        }
    if evidence is not None:
        partitions["sources"] = by_sources(evidence)[0]
    return partitions


def numbered(number: npt.NDArray[np.signedinteger]) -> Partition:
    """Return the partition of candidates by a number from 0, which is the name of the part."""
    names = tuple(str(i) for i in range(int(number.max(initial=0)) + 1))
    return Partition(number, names)


def _represented(judged: Judgements, n: int) -> dict[str, float]:
    """Return the number of candidates by ``p_inclusion`` if it is not that of the candidates."""
    p = judged.p_inclusion
    n_represented = float(np.sum(1 / p))
    deviation = N_DEVIATIONS * float(np.sqrt(np.sum((1 - p) / p**2)))
    # Sums of ten thousand inverses are not exact.
    is_like = not len(p) or abs(n_represented - n) <= deviation + 1e-6 * n
    return {} if is_like else {"n_represented": n_represented}


def _not_represented(rows: list[dict[str, Any]], share: float) -> QualityError:
    unseen = next(row for row in rows if not row["n_audits"])
    return QualityError(
        "no audit is of the parts of the candidates that most of the kept are in",
        facts={
            "kept in such parts": f"{share:.1%}",
            f"such as the {unseen['by']}": unseen["part"],
            "share of the candidates": f"{unseen['of_candidates']:.1%}",
        },
        help="audit pairs that are drawn from these candidates: winnow audit sample",
    )


def shares(partition: Partition, judged: Judgements) -> tuple[Floats, Floats, Floats]:
    """Return the share of each part in the candidates and in the audits, and a p-value.

    Audits are weighted by ``1 / p_inclusion``. The test is binomial, on an effective number of
    audits (Korn & Graubard 1998, as for a precision), two-sided.

    Examples
    --------
    >>> labels = Partition(np.repeat([0, 1], [900, 100]), ("cat", "dog"))
    >>> cats = Judgements(np.arange(50), np.ones(50, bool), np.full(50, 0.05))
    >>> of_pool, of_audits, p_value = shares(labels, cats)
    >>> of_pool.tolist(), of_audits.tolist(), p_value.round(3).tolist()
    ([0.9, 0.1], [1.0, 0.0], [0.01, 0.01])
    """
    n_parts, code = len(partition.names), partition.code[judged.row]
    of_pool = np.zeros(n_parts)
    # In parts, because `bincount` copies small integers as large ones.
    for start in range(0, len(partition.code), N_AT_ONCE):
        of_pool += _count(partition.code[start : start + N_AT_ONCE], n_parts)
    of_pool /= max(len(partition.code), 1)
    weight = judged.weight
    total, square = weight.sum() or 1.0, weight @ weight
    of_audits = _count(code, n_parts, weight) / total
    of_part = _count(code, n_parts, weight**2)
    linear = of_part * (1 - 2 * of_audits) + square * of_audits**2
    binomial = of_pool * (1 - of_pool)
    variance = np.maximum(linear, binomial * square) / total**2
    n = np.where(variance > 0, binomial / np.where(variance > 0, variance, 1), 0)
    k = of_audits * n
    at_most = np.where(k < n, betainc(np.maximum(n - k, 1e-9), k + 1, 1 - of_pool), 1.0)
    at_least = np.where(k > 0, betainc(np.maximum(k, 1e-9), n - k + 1, of_pool), 1.0)
    p_value: Floats = np.minimum(2 * np.minimum(at_most, at_least), 1.0)
    return of_pool, of_audits, np.where(of_pool > 0, p_value, 1.0)


def _count(code: Ints, n: int, weight: Floats | None = None) -> Floats:
    counts: Floats = np.bincount(code, weight, minlength=n).astype(np.float64)
    return counts
