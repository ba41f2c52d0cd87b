"""The candidates to keep: the most probable share, or a random share to compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.intervals.judgements import Judgements
from curation.intervals.learn_then_test import prove
from curation.intervals.thresholds import Thresholds, thresholds
from curation.pairs.pair_keys import codes_of, pair_hash
from labeling.checks import check
from labeling.errors import InputError
from labeling.keys.arrays import Ints
from labeling.keys.runs import rank_in_run
from labeling.schemas import SCORED, SELECT_REASONS, SELECTED
from labeling.taxonomy.taxonomy import Taxonomy

Excluded = npt.NDArray[np.int8]
"""``int8[n]``: position in `labeling.schemas.SELECT_REASONS`; 0 if a candidate may be kept."""


@dataclass(frozen=True, eq=False)
class Selection:
    """The candidates that are kept.

    Attributes
    ----------
    table
        Table of `labeling.schemas.SELECTED`: every scored candidate, in the order it came.
    n_kept
        Number of candidates kept.
    threshold
        The smallest probability kept; None if nothing is kept, if the choice was random, and if
        groups have thresholds of their own.
    facts
        Facts for the manifest, by the mode of selection.
    groups
        See `curation.selection.per_group.describe_groups`; empty without groups.
    """

    table: pa.Table
    n_kept: int
    threshold: float | None
    facts: dict[str, Any] = field(default_factory=dict)
    groups: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Request:
    """A selection to make; settings as `pipelines.run.config.SelectSettings` documents them.

    Attributes
    ----------
    scored
        Table of `labeling.schemas.SCORED`.
    judged
        The judgements of its rows.
    keep
        Share of the candidates to keep, in (0, 1].
    precision
        Precision to hold, in (0, 1); if set, `keep` is not used.
    confidence
        Confidence of the precision, in (0, 1).
    per_image, per_label
        Labels of an image and images of a label to keep, at most.
    taxonomy
        Returns the labels; called only by a mode that needs them.
    evidence
        Returns the column ``evidence`` of `labeling.schemas.CANDIDATES` in parts; called likewise.
    """

    scored: pa.Table
    judged: Judgements
    keep: float
    precision: float | None
    confidence: float
    per_image: int | None
    per_label: int | None
    taxonomy: Callable[[], Taxonomy]
    evidence: Callable[[], Iterable[pa.ChunkedArray]]

    @cached_property
    def p(self) -> npt.NDArray[np.float32]:
        """Probability of each candidate, ``float32[n]``."""
        return np.asarray(self.scored["p_correct"])

    @cached_property
    def excluded(self) -> Excluded:
        """Candidates that the limits exclude: see `over_limits`."""
        return over_limits(self.scored, self.per_image, self.per_label)

    @cached_property
    def cuts(self) -> Thresholds:
        """The sets of candidates above each threshold, within the limits."""
        return thresholds(self.judged, self.p, self.excluded == 0)


def select_above_one_threshold(request: Request) -> Selection:
    """Keep the most probable candidates: the share, or as many as hold the precision.

    Raises
    ------
    ConfigError, QualityError
        As `curation.intervals.learn_then_test.prove`.
    InputError
        As `select_share`.
    """
    if request.precision is None:
        return select_share(request.scored, request.keep, request.excluded)
    row = prove(request.cuts, request.precision, request.confidence)
    return select_above(request.scored, float(request.cuts.threshold[row]), request.excluded)


def over_limits(
    scored: pa.Table, per_image: int | None = None, per_label: int | None = None
) -> Excluded:
    """Return which candidates the limits exclude, and why.

    The `per_image` most probable candidates of each image may be kept, and of these the
    `per_label` most probable of each label; ties go to the smaller hash of the pair.
    """
    excluded = np.zeros(scored.num_rows, np.int8)
    for limit, column, reason in (
        (per_image, "image_id", "over_per_image"),
        (per_label, "label_id", "over_per_label"),
    ):
        if limit is not None:
            over = rank_within(scored, column, excluded) >= limit
            excluded[over] = SELECT_REASONS.index(reason)
    return excluded


def rank_within(scored: pa.Table, column: str, excluded: Excluded) -> Ints:
    """Rank candidates among those with the same text in a column, the most probable first.

    Ties are ranked by the hash of the pair.

    Returns
    -------
    int64[n]
        From 0; -1 for an excluded candidate, which takes no rank from another.
    """
    p, draw = np.asarray(scored["p_correct"]), pair_hash(scored)
    group = codes_of(scored[column])
    rows = np.flatnonzero(excluded == 0)
    order = rows[np.lexsort((draw[rows], -p[rows], group[rows]))]
    rank = np.full(len(p), -1, np.int64)
    rank[order] = rank_in_run(group[order])
    return rank


def select_share(
    scored: pa.Table, share: float = 1 / 3, excluded: Excluded | None = None
) -> Selection:
    """Keep the most probable candidates: exactly ``round(share * n)``, halves to even.

    Fewer are kept only if `excluded` leaves fewer. Ties at the threshold go to the smaller hash of
    the pair, so the order of the rows does not matter.

    Parameters
    ----------
    scored
        Table of `labeling.schemas.SCORED`.
    share
        In (0, 1].
    excluded
        Candidates that may not be kept.

    Raises
    ------
    InputError
        For a share out of range, or a table of another schema (also for a probability of NaN).
    """
    n_kept = n_to_keep(scored, share)
    p = np.asarray(scored["p_correct"])
    order = np.lexsort((pair_hash(scored), -p))
    if excluded is not None:
        order = order[excluded[order] == 0]
        n_kept = min(n_kept, len(order))
    threshold = float(p[order[n_kept - 1]]) if n_kept else None
    return keep_rows(scored, order[:n_kept], excluded, threshold)


def select_above(scored: pa.Table, threshold: float, excluded: Excluded | None = None) -> Selection:
    """Keep the candidates that are at least as probable as the threshold, ties together."""
    check(scored, SCORED, where="scored")
    above = np.asarray(scored["p_correct"]) >= threshold
    rows = np.flatnonzero(above if excluded is None else above & (excluded == 0))
    return keep_rows(scored, rows, excluded, threshold if len(rows) else None)


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
    excluded: Excluded | None = None,
    threshold: float | None = None,
) -> Selection:
    """Return the selection of some rows.

    Parameters
    ----------
    scored
        Table of `labeling.schemas.SCORED`.
    rows
        Rows to keep.
    excluded
        Reasons of the other rows; by default, and where it is 0, ``below_threshold``.
    threshold
        The smallest probability kept.
    """
    kept = np.zeros(scored.num_rows, bool)
    kept[rows] = True
    below = np.int8(SELECT_REASONS.index("below_threshold"))
    code = np.full(len(kept), below) if excluded is None else np.where(excluded, excluded, below)
    reason = pa.array(SELECT_REASONS).take(pa.array(np.where(kept, np.int8(0), code)))
    marked = scored.append_column("kept", pa.array(kept)).append_column("reason", reason)
    return Selection(marked.cast(SELECTED.arrow), len(rows), threshold)
