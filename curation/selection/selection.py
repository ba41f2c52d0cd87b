"""Which candidates to keep: the most probable share, or a random one to compare with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.pairs.pair_keys import codes_of, pair_hash
from labeling.errors import InputError
from labeling.keys.arrays import Ints
from labeling.keys.runs import rank_in_run
from labeling.schemas import SCORED, SELECT_REASONS, SELECTED, check

Beyond = npt.NDArray[np.int8]
"""``int8[n]``: why a candidate may not be kept, as `beyond_limits` says it."""


@dataclass(frozen=True, eq=False)
class Selection:
    """What was kept.

    Attributes
    ----------
    table
        Table of `labeling.schemas.SELECTED`: every scored candidate, in the order it came.
    n_kept
        Number of candidates kept.
    threshold
        The smallest probability kept; None where nothing was kept, where chance chose, and where
        groups have thresholds of their own.
    """

    table: pa.Table
    n_kept: int
    threshold: float | None


def beyond_limits(
    scored: pa.Table, per_image: int | None = None, per_label: int | None = None
) -> Beyond:
    """Return which candidates no selection may keep, and why.

    Of each image the `per_image` most probable candidates stay, then of each label the `per_label`
    most probable of those; of equally probable ones those with the smallest hash of the pair.

    Returns
    -------
    int8[n]
        Places in `labeling.schemas.SELECT_REASONS`: 0 for those that may be kept.
    """
    beyond = np.zeros(scored.num_rows, np.int8)
    if per_image is None and per_label is None:
        return beyond
    for limit, column, reason in (
        (per_image, "image_id", "over_per_image"),
        (per_label, "label_id", "over_per_label"),
    ):
        if limit is None:
            continue
        beyond[rank_within(scored, column, beyond) >= limit] = SELECT_REASONS.index(reason)
    return beyond


def rank_within(scored: pa.Table, column: str, beyond: Beyond) -> Ints:
    """Rank candidates within those that share the text of a column, the most probable first.

    Equally probable ones are ranked by the hash of the pair.

    Returns
    -------
    int64[n]
        From 0; -1 for a candidate beyond a limit, which takes no rank from another.
    """
    p, draw = np.asarray(scored["p_correct"]), pair_hash(scored)
    group = codes_of(scored[column])
    rows = np.flatnonzero(beyond == 0)
    order = rows[np.lexsort((draw[rows], -p[rows], group[rows]))]
    rank = np.full(len(p), -1, np.int64)
    rank[order] = rank_in_run(group[order])
    return rank


def select_share(scored: pa.Table, share: float = 1 / 3, beyond: Beyond | None = None) -> Selection:
    """Keep the most probable candidates: exactly ``round(share * n)``, halves to even.

    Fewer are kept only where `beyond_limits` leaves fewer.

    Of equally probable candidates at the threshold those with the smallest hash of the pair are
    kept, so that the order of the rows does not matter.

    Parameters
    ----------
    scored
        Table of `labeling.schemas.SCORED`.
    share
        In (0, 1].

    Raises
    ------
    InputError
        For a share out of range, or a table of another schema (a probability that is NaN, too).
    """
    n_kept = n_to_keep(scored, share)
    p = np.asarray(scored["p_correct"])
    order = np.lexsort((pair_hash(scored), -p))
    if beyond is not None:
        order = order[beyond[order] == 0]
        n_kept = min(n_kept, len(order))
    threshold = float(p[order[n_kept - 1]]) if n_kept else None
    return keep_rows(scored, order[:n_kept], beyond, threshold)


def select_above(scored: pa.Table, threshold: float, beyond: Beyond | None = None) -> Selection:
    """Keep the candidates that are at least as probable as the threshold, ties together."""
    check(scored, SCORED, where="scored")
    above = np.asarray(scored["p_correct"]) >= threshold
    rows = np.flatnonzero(above if beyond is None else above & (beyond == 0))
    return keep_rows(scored, rows, beyond, threshold if len(rows) else None)


def random_share(scored: pa.Table, share: float, seed: int) -> Selection:
    """Keep as many candidates as `select_share`, chosen by a hash of the pair and the seed."""
    n_kept = n_to_keep(scored, share)
    order = np.argsort(pair_hash(scored, seed), kind="stable")
    return keep_rows(scored, order[:n_kept])


def n_to_keep(scored: pa.Table, share: float) -> int:
    """Return ``round(share * n)``; raises as `select_share` does."""
    check(scored, SCORED, where="scored")
    if not 0 < share <= 1:
        raise InputError(
            "the share to keep is not above 0 and at most 1",
            facts={"share": share},
            help="a third is 0.333",
        )
    return round(share * len(scored["p_correct"]))


def keep_rows(
    scored: pa.Table,
    rows: Ints,
    beyond: Beyond | None = None,
    threshold: float | None = None,
) -> Selection:
    """Keep some rows; the reason of the others is what `beyond` says, else that they are below."""
    mask = np.zeros(scored.num_rows, bool)
    mask[rows] = True
    below = np.int8(SELECT_REASONS.index("below_threshold"))
    why = np.full(scored.num_rows, below) if beyond is None else np.where(beyond, beyond, below)
    reason = pa.array(SELECT_REASONS).take(pa.array(np.where(mask, np.int8(0), why)))
    marked = scored.append_column("kept", pa.array(mask)).append_column("reason", reason)
    return Selection(marked.cast(SELECTED.arrow), len(rows), threshold)
