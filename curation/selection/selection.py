"""A selection: what is asked for, the limits, and the table of what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.intervals.judgements import Judgements
from curation.intervals.thresholds import Thresholds, thresholds
from curation.pairs.packed import is_packed
from curation.pairs.pair_keys import codes_of, dictionary_of, image_codes, pair_hash
from labeling.checks import check
from labeling.errors import InputError
from labeling.keys.arrays import Ints, Ints32
from labeling.keys.hashing import Hashes
from labeling.keys.runs import run_sizes, run_starts
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
        Table of `labeling.schemas.SELECTED`: every scored candidate, in the order it came;
        packed if the scores are (`curation.pairs.packed`), its reasons too.
    n_kept
        Number of candidates kept.
    threshold
        The smallest probability down to which nothing is dropped but what the limits exclude: what
        is kept below it owes that to the floor. None if nothing is kept, if the choice was random,
        and if groups have thresholds of their own.
    facts
        Facts for the manifest: see `curation.selection.choose.choose`.
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
        Table of `labeling.schemas.SCORED`, perhaps packed (`curation.pairs.packed`).
    judged
        The judgements of its rows.
    keep
        Share of the candidates to keep, in (0, 1].
    precision
        Precision to hold, in (0, 1); if set, `keep` is not used.
    confidence
        Confidence of the precision, in (0, 1).
    by
        ``level``, ``label`` or ``source-pattern``: groups that keep by themselves
        (`curation.selection.groups.find_groups`); None for one group of all.
    floor
        Number of the best of each label to keep if possible; see `curation.selection.floors`.
    per_image
        Labels of an image to keep, at most; before the floor.
    per_label
        Images of a label to keep, about: see `curation.selection.thinning`.
    taxonomy
        Returns the labels; called only for groups that need them.
    evidence
        Returns the column ``evidence`` of `labeling.schemas.CANDIDATES` in parts; called likewise.
    """

    scored: pa.Table
    judged: Judgements
    keep: float
    precision: float | None
    confidence: float
    by: str | None
    floor: int
    per_image: int | None
    per_label: int | None
    taxonomy: Callable[[], Taxonomy]
    evidence: Callable[[], Iterable[pa.ChunkedArray]]

    @cached_property
    def p(self) -> npt.NDArray[np.float32]:
        """Probability of each candidate, ``float32[n]``."""
        return np.asarray(self.scored["p_correct"])

    @cached_property
    def draw(self) -> Hashes:
        """Random number of each candidate, by which ties are ordered, ``uint64[n]``."""
        return pair_hash(self.scored)

    @cached_property
    def label(self) -> Ints32:
        """Number of each candidate's label, ``int32[n]``, from 0."""
        return codes_of(self.scored["label_id"])

    @cached_property
    def label_ids(self) -> pa.Array:
        """Label of each number of `label`; labels without candidates may be among them."""
        return dictionary_of(self.scored["label_id"])

    @cached_property
    def excluded(self) -> Excluded:
        """Candidates that the limit of an image excludes, and why."""
        excluded = np.zeros(len(self.p), np.int8)
        if self.per_image is not None:
            image = image_codes(self.scored["image_id"])
            over = rank_within(image, self.p, self.draw) >= self.per_image
            excluded[over] = SELECT_REASONS.index("over_per_image")
        return excluded

    @cached_property
    def order(self) -> Ints32:
        """Rows that no limit excludes, the most probable first; ties by `draw`, ``int32[m]``."""
        if not self.excluded.any():
            return np.lexsort((self.draw, -self.p)).astype(np.int32)
        rows = np.flatnonzero(self.excluded == 0)
        return rows[np.lexsort((self.draw[rows], -self.p[rows]))].astype(np.int32)

    @cached_property
    def rank_in_label(self) -> Ints32:
        """Rank of each candidate in its label: see `rank_within`."""
        return rank_within(self.label, self.p, self.draw, self.order)

    @cached_property
    def cuts(self) -> Thresholds:
        """The sets of candidates above each threshold, without floor and limit of a label."""
        return thresholds(self.judged, self.p, self.excluded == 0)


def rank_within(
    group: Ints32, p: npt.NDArray[np.float32], draw: Hashes, order: Ints32 | None = None
) -> Ints32:
    """Rank candidates among those of the same group, the most probable first.

    Parameters
    ----------
    group, p, draw
        ``[n]``: group, probability and random number of each candidate; ties go to the smaller.
    order
        ``int32[m]``: the candidates to rank, the most probable first; by default all.

    Returns
    -------
    int32[n]
        From 0; -1 for a candidate that is not ranked, which takes no rank from another.
    """
    order = np.lexsort((draw, -p)).astype(np.int32) if order is None else order
    order = order[np.argsort(group[order], kind="stable")]
    rank = np.full(len(p), -1, np.int32)
    starts = run_starts(group[order])
    rank[order] = np.arange(len(order), dtype=np.int32)
    rank[order] -= np.repeat(starts.astype(np.int32), run_sizes(starts, len(order)))
    return rank


def random_share(scored: pa.Table, share: float, seed: int) -> Selection:
    """Keep exactly ``round(share * n)`` candidates, chosen by a hash of the pair and the seed."""
    n_kept = n_to_keep(scored, share)
    order = np.argsort(pair_hash(scored, seed), kind="stable")
    return keep_rows(scored, order[:n_kept])


def n_to_keep(scored: pa.Table, share: float) -> int:
    """Return ``round(share * n)``, halves to even.

    Raises
    ------
    InputError
        For a share out of range, or a table of another schema (also for a probability of NaN).
    """
    check_scored(scored)
    if not 0 < share <= 1:
        raise InputError(
            "the share to keep is not above 0 and at most 1",
            facts={"share": share},
            help="a third is 0.333",
        )
    n: int = scored.num_rows
    return round(share * n)


def check_scored(scored: pa.Table) -> None:
    """Raise `InputError` for a table that is not of `SCORED`; packed ones have been checked."""
    if not is_packed(scored):
        check(scored, SCORED, where="scored")


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
    coded = pa.array(np.where(kept, np.int8(0), code))
    reason = pa.DictionaryArray.from_arrays(coded, pa.array(SELECT_REASONS))
    marked = scored.append_column("kept", pa.array(kept)).append_column("reason", reason)
    table = marked if is_packed(scored) else marked.cast(SELECTED.arrow)
    return Selection(table, len(rows), threshold)
