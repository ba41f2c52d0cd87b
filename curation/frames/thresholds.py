"""The precision at every threshold, from a table of scores and one of audits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.audits.auditor_errors import error_rates
from curation.audits.audits import BAND, are_strata_of, bands, is_drawn_here
from curation.frames.candidates import candidates_of, scores_of
from curation.intervals.judgements import Judgements, judgements
from curation.intervals.thresholds import Thresholds, thresholds
from curation.pairs.pair_keys import PAIR
from curation.scoring.parts import parts_of_table, pool_of_parts
from labeling.arguments import ErrorRate, Probability, checks_arguments
from labeling.errors import InputError
from labeling.frames.frames import to_table
from labeling.frames.notebook import MAX_ROWS, html_table
from labeling.keys.arrays import Ints
from labeling.schemas import AUDITS
from labeling.taxonomy.taxonomy import Taxonomy

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class ThresholdTable:
    """Number kept and its precision at 1,001 thresholds, with a view for notebooks.

    Attributes
    ----------
    thresholds
        The nested sets.
    n_candidates
        Number of candidates, the base of shares.
    confidence
        Confidence of each interval by itself, not of all at once.
    """

    thresholds: Thresholds
    n_candidates: int
    confidence: float

    def to_arrow(self) -> pa.Table:
        """Return the rows: see `curation.intervals.thresholds.Thresholds.table`."""
        return self.thresholds.table(self.n_candidates, self.confidence)

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a `pandas.DataFrame`, the strictest threshold first."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame

    def __repr__(self) -> str:
        n_audits = int(self.thresholds.known.n_audits.max(initial=0))
        return f"<ThresholdTable of {self.n_candidates:,} candidates and {n_audits:,} audits>"

    def _repr_html_(self) -> str:
        rows = self.to_arrow()
        shown = np.unique(np.linspace(0, max(len(rows) - 1, 0), MAX_ROWS).astype(np.int64))
        title = f"{repr(self)[1:-1]}; {100 * self.confidence:.4g}% intervals"
        some = rows.take(pa.array(shown[: len(rows)])).to_pylist()
        return html_table(title, rows.column_names, [list(row.values()) for row in some])


@checks_arguments
def threshold_table(
    scores: object,
    audits: object,
    *,
    confidence: Probability = 0.95,
    error_rate: ErrorRate | None = None,
    candidates: object | None = None,
    taxonomy: Taxonomy | None = None,
) -> ThresholdTable:
    """Estimate the precision of the candidates above each of 1,001 thresholds.

    Row 0 keeps nothing; row ``i`` has the highest threshold that keeps at least ``i`` thousandths
    of the candidates. Each estimate is post-stratified, see
    `curation.intervals.precision.precision_interval`. To choose a threshold that holds a precision,
    use ``select(..., precision=)``: the best of many rows overstates its precision.

    Parameters
    ----------
    scores
        Table of `labeling.schemas.SCORED`, as `score` returns it.
    audits
        Table of `labeling.schemas.AUDITS`; audits of other pairs are ignored.
    confidence
        Confidence of each two-sided interval, in (0, 1).
    error_rate
        Share of wrong pairs that auditors call right, and of right ones that they call wrong, at
        most; by default estimated from pairs judged twice, if there are enough: see
        `curation.audits.auditor_errors.error_rates`.
    candidates, taxonomy
        The table that was scored and its labels, if `draw_audits` drew from it: they give the
        strata of the draw. Without them tenths of the score are used.

    Returns
    -------
    ThresholdTable
        1,001 rows with ``threshold``, ``n_kept``, ``share`` (of the candidates), ``precision``
        (null without audits), ``low`` and ``high`` (its interval), and ``n_audits``.

    Raises
    ------
    InputError
        For a table that lacks a column or holds a refused value.

    Examples
    --------
    >>> from curation.frames.audits import draw_audits
    >>> pairs = {"image_id": [f"{i:032x}" for i in range(1000)], "label_id": ["cat"] * 1000}
    >>> p_correct = pa.array(np.arange(1000) / 1000, pa.float32())
    >>> scores = pa.table({**pairs, "p_correct": p_correct}).to_pandas()
    >>> audits = draw_audits(scores, 200).assign(auditor="me", verdict="yes")
    >>> audits.loc[audits["image_id"] < f"{500:032x}", "verdict"] = "no"
    >>> rows = threshold_table(scores, audits).to_pandas().set_index("n_kept")
    >>> rows.loc[[500, 1000], ["threshold", "precision", "low"]].round(3).values.tolist()
    [[0.5, 1.0, 0.98], [0.0, 0.5, 0.477]]
    """
    rows = scores_of(scores, "scores")
    given = None if candidates is None else candidates_of(candidates)
    judged = judge(rows, audits, given, taxonomy, confidence, error_rate)
    cuts = thresholds(judged, np.asarray(rows["p_correct"]))
    return ThresholdTable(cuts, len(rows), confidence)


def judge(
    scored: pa.Table,
    audits: object,
    candidates: pa.Table | None,
    taxonomy: Taxonomy | None,
    confidence: float,
    error_rate: float | None,
) -> Judgements:
    """Return the judged candidates among the scored ones, with the strata of their draw.

    The bands of `draw_audits` are the strata if they can be computed again from the candidates or
    the scores. Errors of auditors are those given, or estimated for a confidence.
    """
    if candidates is not None and taxonomy is None:
        raise InputError(
            "candidates are given without the taxonomy of their labels", help="add `taxonomy=`"
        )
    if candidates is not None:
        _refuse_others(candidates, scored)

    def strata(judged: pa.Table, row: Ints) -> npt.NDArray[np.int8] | None:
        if not is_drawn_here(judged, BAND):
            return None
        score = np.asarray(scored["p_correct"], np.float64)
        if candidates is not None and taxonomy is not None:
            score = pool_of_parts(parts_of_table(candidates), taxonomy).cold
        stratum = bands(scored, score)
        return stratum if are_strata_of(judged, BAND, stratum, row) else None

    verdicts = to_table(audits, AUDITS, "audits")
    errors = error_rates(verdicts, confidence, error_rate)
    return replace(judgements(verdicts, scored, strata), errors=errors)


def _refuse_others(candidates: pa.Table, scored: pa.Table) -> None:
    if len(candidates) != len(scored) or not candidates.select(PAIR).equals(scored.select(PAIR)):
        raise InputError(
            "the candidates are not those of the scores, row by row",
            facts={"candidates": len(candidates), "scores": len(scored)},
            help="give the table that was scored",
        )
