"""A threshold for each group: the same share of each, or each with the precision asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from curation.intervals.judgements import Judgements, precision_of
from curation.intervals.learn_then_test import (
    NOT_BY_AUDITS,
    audits_needed,
    best_provable,
    check_target,
    largest_proved,
    unproved_facts,
)
from curation.intervals.thresholds import Thresholds, thresholds
from curation.pairs.pair_keys import pair_hash
from curation.selection.groups import Partition, by_label, by_level, by_sources, find_groups
from curation.selection.selection import Request, Selection, keep_rows, n_to_keep
from labeling.checks import check
from labeling.errors import QualityError
from labeling.keys.arrays import Ints
from labeling.keys.runs import rank_in_run
from labeling.schemas import SCORED, SELECT_REASONS


def select_by_group(request: Request, by: str) -> Selection:
    """Keep a share of each group, or hold the precision in all groups at once.

    Parameters
    ----------
    request
        The candidates, and the share or precision.
    by
        ``level``, ``label`` or ``source-pattern``; groups with few audits are pooled
        (`curation.selection.groups.find_groups`).

    Raises
    ------
    ConfigError, InputError, QualityError
        As `share_of_groups` and `proved_of_groups`.
    """
    groups = find_groups(_partitions(request, by), request.judged.row)
    if request.precision is None:
        selection = share_of_groups(request, groups)
    else:
        selection = proved_of_groups(request, groups, request.precision)
    rows = describe_groups(selection, groups, request.judged, request.confidence)
    return replace(selection, facts={"by": by}, groups=rows)


def _partitions(request: Request, by: str) -> list[Partition]:
    if by == "source-pattern":
        return by_sources(request.evidence())
    taxonomy = request.taxonomy()
    label = taxonomy.codes(request.scored["label_id"])
    return by_level(label, taxonomy) if by == "level" else by_label(label, taxonomy)


def share_of_groups(request: Request, groups: Partition) -> Selection:
    """Keep the most probable candidates of each group, and as many in all as `select_share`.

    Each group keeps the same share of the candidates that the limits leave it, rounded so that the
    total is exact (largest remainders).

    Raises
    ------
    InputError
        As `curation.selection.selection.select_share`.
    """
    n_kept = n_to_keep(request.scored, request.keep)
    order = np.lexsort((pair_hash(request.scored), -request.p, groups.code))
    order = order[request.excluded[order] == 0]
    size = np.bincount(groups.code[order], minlength=len(groups.names))
    quota = _apportion(size, min(n_kept, len(order)))
    code = groups.code[order]
    return keep_rows(request.scored, order[rank_in_run(code) < quota[code]], request.excluded)


def _apportion(size: Ints, n: int) -> Ints:
    """Apportion `n`, at most the sum of the sizes, in proportion to them (largest remainders).

    Examples
    --------
    >>> _apportion(np.array([10, 10, 1]), 7).tolist()
    [4, 3, 0]
    """
    whole, left = np.divmod(size * n, max(int(size.sum()), 1))
    first = np.argsort(-left, kind="stable")[: n - int(whole.sum())]
    whole[first] += 1
    quota: Ints = whole
    return quota


def prove_groups(
    cuts: Sequence[Thresholds], target: float, confidence: float = 0.95
) -> list[int | None]:
    """Return for each group the row of its largest set whose precision is proved, or None.

    With probability `confidence` over the draw of the audits, the precision of *all* the sets is
    at least `target`: the allowed error is split evenly over the groups (Bonferroni).

    Raises
    ------
    ConfigError
        For a target or confidence that is not in (0, 1).
    """
    check_target(target, confidence)
    error = (1 - confidence) / max(len(cuts), 1)
    return [largest_proved(each, target, error) for each in cuts]


def proved_of_groups(request: Request, groups: Partition, target: float) -> Selection:
    """Keep of each group as many as can be proved to be precise, in all groups at once.

    A group of which nothing can be proved keeps nothing.

    Raises
    ------
    ConfigError
        For a precision or confidence that is not in (0, 1).
    InputError
        For a table of another schema (also for a probability of NaN).
    QualityError
        If nothing can be proved of any group.
    """
    check(request.scored, SCORED, where="scored")
    confidence = request.confidence
    allowed = request.excluded == 0
    members = [allowed & (groups.code == i) for i in range(len(groups.names))]
    cuts = [thresholds(request.judged, request.p, inside) for inside in members]
    rows = prove_groups(cuts, target, confidence)
    if all(row is None for row in rows):
        raise _unproved(cuts, groups, len(request.judged.row), target, confidence)
    threshold = np.array(
        [np.inf if i is None else each.threshold[i] for each, i in zip(cuts, rows, strict=True)]
    )
    kept = np.flatnonzero(allowed & (request.p >= threshold[groups.code]))
    unproved = allowed & np.isinf(threshold)[groups.code]
    reason = np.where(unproved, np.int8(SELECT_REASONS.index("unproved_group")), request.excluded)
    return keep_rows(request.scored, kept, reason)


def _unproved(
    cuts: Sequence[Thresholds], groups: Partition, n_audits: int, target: float, confidence: float
) -> QualityError:
    each = 1 - (1 - confidence) / len(cuts)
    best = [best_provable(of_group, each) for of_group in cuts]
    first = int(np.argmax(best))
    shown = f"{best[first]:.3f} ({groups.names[first]})" if best[first] else "none"
    at_once = f"{confidence} in all {len(cuts)} groups at once"
    n_needed = _audits_needed(cuts, n_audits, target, each)
    return QualityError(
        "the precision asked for cannot be proved in any group",
        facts=unproved_facts(target, shown, at_once, n_audits, n_needed),
        help="audit more pairs, ask for less, or select without groups"
        if n_needed
        else f"{NOT_BY_AUDITS}; or select without groups",
    )


def _audits_needed(
    cuts: Sequence[Thresholds], n_audits: int, target: float, confidence: float
) -> int | None:
    """Return about how many audits in all would prove the target in the nearest group."""
    needed = []
    for of_group in cuts:
        n = audits_needed(of_group, target, confidence)
        if n is not None:
            n_of_group = of_group.estimates.n_audits.max(initial=0)
            needed.append(int(float(f"{n * n_audits / n_of_group:.2g}")))
    return min(needed, default=None)


def describe_groups(
    selection: Selection, groups: Partition, judged: Judgements, confidence: float
) -> list[dict[str, Any]]:
    """Return for each group the number kept, and its precision.

    Parameters
    ----------
    selection, groups
        The selection, and the group of each candidate.
    judged, confidence
        Judgements to estimate from, and the confidence of each interval by itself.

    Returns
    -------
    list
        Of ``group``, ``n_candidates``, ``n_audits``, ``n_kept``, ``precision``, ``low``, ``high``
        and ``threshold``, the smallest probability kept. Precision and threshold may be None.
    """
    kept = np.asarray(selection.table["kept"], bool)
    p = np.asarray(selection.table["p_correct"])
    rows = []
    for i, name in enumerate(groups.names):
        inside = groups.code == i
        kept_inside = kept & inside
        interval = precision_of(judged, kept_inside, confidence)
        rows.append(
            {
                "group": name,
                "n_candidates": int(inside.sum()),
                "n_audits": int(inside[judged.row].sum()),
                "n_kept": int(kept_inside.sum()),
                "precision": interval.estimate if interval.n_audits else None,
                "low": interval.low,
                "high": interval.high,
                "threshold": float(p[kept_inside].min()) if kept_inside.any() else None,
            }
        )
    return rows
