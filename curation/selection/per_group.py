"""Select with a threshold for each group: the same share of each, or each as precise as asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa

from curation.intervals.judgements import Judgements, cut, precision_of
from curation.intervals.learn_then_test import (
    audits_needed,
    best_provable,
    check_promise,
    largest_proved,
)
from curation.intervals.thresholds import Thresholds
from curation.pairs.pair_keys import pair_hash
from curation.selection.groups import Partition
from curation.selection.selection import Beyond, Selection, keep_rows, n_to_keep
from labeling.errors import QualityError
from labeling.keys.arrays import Ints
from labeling.keys.runs import rank_in_run
from labeling.schemas import SCORED, SELECT_REASONS, check


def share_of_groups(
    scored: pa.Table, groups: Partition, beyond: Beyond, share: float = 1 / 3
) -> Selection:
    """Keep the most probable candidates of each group, and as many in all as `select_share`.

    Each group keeps the same share of the candidates that the limits leave it, rounded so that the
    sum comes out (largest remainders).

    Parameters
    ----------
    scored
        Table of `labeling.schemas.SCORED`.
    groups
        The group of each candidate.
    beyond
        See `curation.selection.selection.beyond_limits`.
    share
        In (0, 1], of all candidates.

    Raises
    ------
    InputError
        As `select_share`.
    """
    n_kept = n_to_keep(scored, share)
    p = np.asarray(scored["p_correct"])
    order = np.lexsort((pair_hash(scored), -p, groups.code))
    order = order[beyond[order] == 0]
    size = np.bincount(groups.code[order], minlength=len(groups.names))
    wanted = _apportion(size, min(n_kept, len(order)))
    rank = rank_in_run(groups.code[order])
    return keep_rows(scored, order[rank < wanted[groups.code[order]]], beyond)


def _apportion(size: Ints, n: int) -> Ints:
    """Share out `n`, at most the sum of the sizes, in proportion to them (largest remainders).

    Examples
    --------
    >>> _apportion(np.array([10, 10, 1]), 7).tolist()
    [4, 3, 0]
    """
    whole, left = np.divmod(size * n, max(int(size.sum()), 1))
    first = np.argsort(-left, kind="stable")[: n - int(whole.sum())]
    whole[first] += 1
    shared: Ints = whole
    return shared


def prove_groups(
    cuts: Sequence[Thresholds], target: float, confidence: float = 0.95
) -> list[int | None]:
    """Return for each group the row of its largest set whose precision is proved, or None.

    With probability `confidence` over the draw of the audits, the precision of *all* the sets is
    at least `target`: the error that may be made is split evenly over the groups (Bonferroni).

    Raises
    ------
    ConfigError
        For a target or confidence that is not in (0, 1).
    """
    check_promise(target, confidence)
    error = (1 - confidence) / max(len(cuts), 1)
    return [largest_proved(each, target, error) for each in cuts]


def proved_of_groups(
    scored: pa.Table,
    groups: Partition,
    beyond: Beyond,
    judged: Judgements,
    target: float,
    confidence: float = 0.95,
) -> Selection:
    """Keep of each group as many as can be proved to be precise, in all groups at once.

    A group of which nothing can be proved keeps nothing.

    Raises
    ------
    ConfigError
        For a target or confidence that is not in (0, 1).
    InputError
        For a table of another schema (a probability that is NaN, too).
    QualityError
        If nothing can be proved of any group.
    """
    check(scored, SCORED, where="scored")
    p = np.asarray(scored["p_correct"])
    may_be_kept = beyond == 0
    cuts = [cut(judged, p, may_be_kept & (groups.code == i)) for i in range(len(groups.names))]
    rows = prove_groups(cuts, target, confidence)
    if all(row is None for row in rows):
        _refuse(cuts, groups, len(judged.row), target, confidence)
    threshold = np.array(
        [np.inf if i is None else each.threshold[i] for each, i in zip(cuts, rows, strict=True)]
    )
    kept = np.flatnonzero(may_be_kept & (p >= threshold[groups.code]))
    abstains = may_be_kept & np.isinf(threshold)[groups.code]
    why = np.where(abstains, np.int8(SELECT_REASONS.index("unproved_group")), beyond)
    return keep_rows(scored, kept, why)


def _refuse(
    cuts: Sequence[Thresholds], groups: Partition, n_audits: int, target: float, confidence: float
) -> NoReturn:
    each = 1 - (1 - confidence) / len(cuts)
    best = [best_provable(one, each) for one in cuts]
    first = int(np.argmax(best))
    needed = _audits_needed(cuts, n_audits, target, each)
    raise QualityError(
        "the precision asked for cannot be proved in any group",
        facts={
            "asked": target,
            "best that can be proved": f"{best[first]:.3f} ({groups.names[first]})"
            if best[first]
            else "none",
            "confidence": f"{confidence} in all {len(cuts)} groups at once",
            "audits": n_audits,
            "audits needed": f"about {needed:,}" if needed else "more than there are candidates",
        },
        help="audit more pairs, ask for less, or select without groups",
    )


def _audits_needed(
    cuts: Sequence[Thresholds], n_audits: int, target: float, confidence: float
) -> int | None:
    """Return about how many audits in all would prove the target in the nearest group."""
    needed = []
    for one in cuts:
        n, n_asked = audits_needed(one, target, confidence), one.estimates.n_audits.max(initial=0)
        if n is not None:
            needed.append(int(float(f"{n * n_audits / n_asked:.2g}")))
    return min(needed, default=None)


def describe_groups(
    chosen: Selection, groups: Partition, judged: Judgements, confidence: float
) -> list[dict[str, Any]]:
    """Return for each group what was kept of it, and how precise that is.

    Returns
    -------
    list
        Of ``group``, ``n_candidates``, ``n_audits``, ``n_kept``, ``precision``, ``low``, ``high``
        and ``threshold``, the smallest probability kept. Precision and threshold are None where
        there is none. Each interval holds by itself.
    """
    kept = np.asarray(chosen.table["kept"], bool)
    p = np.asarray(chosen.table["p_correct"])
    rows = []
    for i, name in enumerate(groups.names):
        inside = groups.code == i
        mine = kept & inside
        found = precision_of(judged, mine, confidence)
        rows.append(
            {
                "group": name,
                "n_candidates": int(inside.sum()),
                "n_audits": int(inside[judged.row].sum()),
                "n_kept": int(mine.sum()),
                "precision": found.estimate if found.n_audits else None,
                "low": found.low,
                "high": found.high,
                "threshold": float(p[mine].min()) if mine.any() else None,
            }
        )
    return rows
