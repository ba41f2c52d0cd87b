"""Selections from a table of scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, Literal

import numpy as np
import pyarrow as pa

from curation.frames.candidates import candidates_of, scores_of
from curation.frames.thresholds import ThresholdTable, judge
from curation.intervals.error_rates import NO_ERRORS, ErrorRates
from curation.intervals.judgements import precision_of
from curation.intervals.precision import Interval
from curation.selection.choose import choose
from curation.selection.closure import flag_implied
from curation.selection.composition import PARTS, compare, partitions_of
from curation.selection.selection import Request
from labeling.arguments import ErrorRate, Natural, Positive, Probability, Share, checks_arguments
from labeling.errors import InputError
from labeling.frames.frames import Frame, like
from labeling.frames.notebook import html_table
from labeling.taxonomy.taxonomy import Taxonomy

By = Literal["level", "label", "source-pattern"]


@dataclass(frozen=True, eq=False, repr=False)
class Kept(Generic[Frame]):
    """A selection, with a view for notebooks.

    Attributes
    ----------
    table
        `labeling.schemas.SELECTED`: all scored candidates in the given order, with ``kept`` and the
        ``reason``.
    n_kept
        Number of candidates kept.
    threshold
        The smallest probability kept; None if nothing was kept or each group has its own.
    interval
        The precision of the kept candidates, estimated from the audits.
    threshold_table
        The precision at other thresholds, without floors and groups.
    errors
        How often auditors err, as far as precision and interval allow for it.
    n_other_audits
        Number of judged pairs that are not among the scores: they are not used.
    composition
        Labels, and with `candidates` and `taxonomy` sources and levels, of which the audits are too
        many or too few to represent the scores: see `curation.selection.composition.compare`.
    groups
        With `by`, a row for each group: see `curation.selection.per_group.describe_groups`.
    """

    table: Frame
    n_kept: int
    threshold: float | None
    interval: Interval
    threshold_table: ThresholdTable
    errors: ErrorRates = NO_ERRORS
    n_other_audits: int = 0
    composition: dict[str, Any] = field(default_factory=dict)
    groups: list[dict[str, Any]] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """Estimated share of right ones among the kept, in [0, 1]; NaN if none was audited."""
        return self.interval.estimate

    def __repr__(self) -> str:
        interval, n_other = self.interval, self.n_other_audits
        others = f"; {n_other:,} audits are of other pairs" if n_other else ""
        others += "; the audits do not represent the scores" if self.composition else ""
        return (
            f"<Kept {self.n_kept:,} of {self.threshold_table.n_candidates:,} candidates: precision "
            f"{interval.estimate:.3f} ({interval.low:.3f} to {interval.high:.3f}){others}>"
        )

    def _repr_html_(self) -> str:
        interval = self.interval
        rows: list[tuple[str, object]] = [
            ("kept", self.n_kept),
            ("candidates", self.threshold_table.n_candidates),
            ("threshold", self.threshold),
            ("precision", interval.estimate),
            (
                f"{100 * interval.confidence:.4g}% interval",
                f"{interval.low:.3f} to {interval.high:.3f}",
            ),
            ("audits among the kept", interval.n_audits),
            ("audits of other pairs", self.n_other_audits),
            ("parts that audits do not represent", len(self.composition.get(PARTS, ()))),
            ("wrong pairs called right, at most", f"{self.errors.of_wrong:.3f}"),
            ("right pairs called wrong, at most", f"{self.errors.of_right:.3f}"),
        ]
        return html_table("selection", ("", "value"), rows)


@checks_arguments
def select(
    scores: Frame,
    audits: object,
    *,
    keep: Share = 1 / 3,
    precision: Probability | None = None,
    confidence: Probability = 0.95,
    error_rate: ErrorRate | None = None,
    by: By | None = None,
    floor: Natural = 20,
    per_image: Positive | None = None,
    per_label: Positive | None = None,
    candidates: object | None = None,
    taxonomy: Taxonomy | None = None,
) -> Kept[Frame]:
    """Keep the most probable candidates: a share of them, or as many as hold a precision.

    A precision is proved by Learn-then-Test (Angelopoulos et al. 2021) on nested sets, see
    `curation.intervals.learn_then_test`: with probability `confidence` over the draw of the audits,
    the kept candidates have at least the requested precision. `winnow select` keeps the same
    candidates.

    Parameters
    ----------
    scores
        Table of `labeling.schemas.SCORED`, as `score` returns it, or by a model of your own that
        was not fitted on these audits.
    audits
        Table of `labeling.schemas.AUDITS`.
    keep
        Share of the candidates to keep, in (0, 1].
    precision
        Precision to hold, in (0, 1), in place of a share.
    confidence
        Confidence of the precision, in (0, 1).
    error_rate
        Share of wrong pairs that auditors call right, and of right ones that they call wrong, at
        most; by default estimated from pairs judged twice, if there are enough.
    by
        Kind of groups, each with its own threshold: ``level`` or ``label`` (with `taxonomy`), or
        ``source-pattern`` (with `candidates`). Groups with few audits are pooled.
    floor
        Best candidates of each label to keep, as many as the share or the precision allows; 0 for
        none.
    per_image
        Most labels of an image to keep.
    per_label
        Images of a label to keep, about: drawn at random if there are more, but the floor stays.
    candidates
        The table that was scored: with `taxonomy` it gives the strata of `draw_audits`. Without it
        tenths of the score are the strata.
    taxonomy
        The labels; they give the reason ``implied`` of a candidate above a kept one.

    Returns
    -------
    Kept
        The selection; its ``table`` is in pandas if `scores` is, else in Arrow.

    Raises
    ------
    InputError
        If a table lacks a column or holds a refused value or a pair twice, another argument is out
        of range, or a table that the groups need is missing.
    QualityError
        If the precision cannot be proved; it names the best that can be, and the audits needed. If
        most of the kept are of labels, levels or sources that no audit is of.

    Examples
    --------
    >>> import pandas as pd
    >>> from curation.frames.audits import draw_audits
    >>> pairs = {"image_id": [f"{i:032x}" for i in range(1000)], "label_id": "cat"}
    >>> scores = pd.DataFrame({**pairs, "p_correct": np.arange(1000) / 1000})
    >>> audits = draw_audits(scores, 200).assign(auditor="me", verdict="yes")
    >>> audits.loc[audits["image_id"] < f"{400:032x}", "verdict"] = "no"
    >>> select(scores, audits, precision=0.8)
    <Kept 730 of 1,000 candidates: precision 0.822 (0.797 to 0.845)>
    """
    rows = scores_of(scores, "scores")
    given = None if candidates is None else candidates_of(candidates)
    judged = judge(rows, audits, given, taxonomy, confidence, error_rate)

    def given_taxonomy() -> Taxonomy:
        if taxonomy is None:
            raise InputError(f"groups by {by} need the taxonomy", help="give it to `select`")
        return taxonomy

    def given_evidence() -> list[pa.ChunkedArray]:
        if given is None:
            raise InputError(f"groups by {by} need the candidates", help="give them to `select`")
        return [given["evidence"]]

    request = Request(
        rows,
        judged,
        keep=keep,
        precision=precision,
        confidence=confidence,
        by=by,
        floor=floor,
        per_image=per_image,
        per_label=per_label,
        taxonomy=given_taxonomy,
        evidence=given_evidence,
    )
    evidence = None if given is None else [given["evidence"]]
    chosen = choose(request)
    if taxonomy is not None:
        chosen = flag_implied(chosen, taxonomy)
    kept = np.asarray(chosen.table["kept"], bool)
    return Kept(
        like(chosen.table, scores),
        chosen.n_kept,
        chosen.threshold,
        precision_of(judged, kept, confidence),
        ThresholdTable(request.cuts, len(rows), confidence),
        judged.errors,
        judged.n_other,
        compare(partitions_of(rows, taxonomy, evidence), judged, kept),
        chosen.groups,
    )
