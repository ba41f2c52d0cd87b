"""Draws of pairs to audit from a table, and the precision of a set of pairs."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.audits.auditor_errors import error_rates
from curation.audits.audits import sample
from curation.audits.verdicts import final_audits, is_answer
from curation.frames.candidates import candidates_of, scores_of
from curation.intervals import precision
from curation.intervals.precision import Interval
from curation.pairs.pair_keys import find_pairs
from curation.scoring.parts import parts_of_table, pool_of_parts
from labeling.arguments import ErrorRate, Natural, Probability, Share, checks_arguments
from labeling.frames.frames import Frame, like, to_table
from labeling.schemas import AUDITS, TRUTH
from labeling.taxonomy.taxonomy import Taxonomy


@checks_arguments
def draw_audits(
    pairs: Frame,
    n: Natural = 500,
    seed: Natural = 0,
    *,
    taxonomy: Taxonomy | None = None,
    keep: Share = 1 / 3,
) -> Frame:
    """Draw the pairs that a person should judge: a stratified sample without replacement.

    The strata are tenths of a score. Those near the threshold or above it get twice as many audits
    (see `curation.audits.audits.sample`). `winnow audit sample` draws the same pairs from
    candidates.

    Parameters
    ----------
    pairs
        Candidates (`labeling.schemas.CANDIDATES`, with `taxonomy`): their score is the amount
        of evidence times the label model's score of the votes. Or pairs with a score of your own in
        ``p_correct`` (`labeling.schemas.SCORED`), not fitted on these audits.
    n
        Number of pairs; all if there are fewer. A larger number keeps the pairs of a smaller one.
    seed
        Seed of the draw.
    taxonomy
        The labels of the candidates; without it `pairs` are scored pairs.
    keep
        Approximate share of the pairs that will be kept, in (0, 1].

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        ``image_id``, ``label_id``, ``seq``, ``stratum`` and ``p_inclusion`` in the order in which
        to ask. With the columns ``verdict`` (yes, no or unsure) and ``auditor`` these are audits.

    Raises
    ------
    InputError
        For a table that lacks a column or holds a refused value, or a negative number.

    Examples
    --------
    >>> pairs = {"image_id": [f"{i:032x}" for i in range(100)], "label_id": ["cat"] * 100}
    >>> p_correct = pa.array(np.arange(100) / 100, pa.float32())
    >>> drawn = draw_audits(pa.table({**pairs, "p_correct": p_correct}), 20)
    >>> len(drawn), round(sum(1 / p for p in drawn["p_inclusion"].to_pylist()))
    (20, 100)
    """
    if taxonomy is None:
        rows = scores_of(pairs, "pairs")
        score = np.asarray(rows["p_correct"], np.float64)
        drawn = sample(rows, score, n, seed, keep=keep)
    else:
        pool = pool_of_parts(parts_of_table(candidates_of(pairs)), taxonomy)
        drawn = sample(pool.pairs, pool.cold, n, seed, keep=keep, kind=pool.kind)
    return like(drawn, pairs)


@checks_arguments
def precision_interval(
    audits: object,
    pairs: object | None = None,
    *,
    confidence: Probability = 0.95,
    error_rate: ErrorRate | None = None,
) -> Interval:
    """Estimate the share of right pairs in a set, with its confidence interval.

    The mean verdict, weighted by ``1 / p_inclusion`` (Hájek 1971), with the interval of Clopper and
    Pearson (1934) on an effective number of audits (Korn & Graubard 1998). The set must not have
    been chosen by these verdicts; for a selection, `Kept.interval` is the better estimate.

    Parameters
    ----------
    audits
        Table of `labeling.schemas.AUDITS`; the last verdict of each pair counts. Pairs that are
        unsure or skipped count as wrong for the lower bound and as right for the upper one.
    pairs
        Table with ``image_id`` and ``label_id``: the set; by default all pairs that the audits
        were drawn from.
    confidence
        Confidence of the two-sided interval, in (0, 1).
    error_rate
        Share of wrong pairs that auditors call right, and of right ones that they call wrong, at
        most; by default estimated from pairs judged twice, if there are enough.

    Returns
    -------
    Interval
        Estimate and bounds in [0, 1]. Without an audit in the set the estimate is NaN and the
        bounds are 0 and 1.

    Raises
    ------
    InputError
        For a table that lacks a column or holds a refused value, or a confidence out of range.

    Examples
    --------
    >>> pairs = {"image_id": [f"{i:032x}" for i in range(100)], "label_id": ["cat"] * 100}
    >>> drawn = {"seq": range(100), "stratum": ["all"] * 100, "p_inclusion": [0.01] * 100}
    >>> verdicts = ["yes"] * 90 + ["no"] * 10
    >>> audits = pa.table({**pairs, **drawn, "verdict": verdicts, "auditor": ["me"] * 100})
    >>> interval = precision_interval(audits)
    >>> f"{interval.estimate:.3f} ({interval.low:.3f} to {interval.high:.3f})"
    '0.900 (0.824 to 0.951)'
    """
    verdicts = to_table(audits, AUDITS, "audits")
    judged, errors = final_audits(verdicts), error_rates(verdicts, confidence, error_rate)
    if pairs is not None:
        inside = find_pairs(judged, to_table(pairs, TRUTH, "pairs")) >= 0
        judged = judged.filter(pa.array(inside))
    correct = np.asarray(pc.equal(judged["verdict"], "yes"), bool)
    p_inclusion, unknown = judged["p_inclusion"].to_numpy(), ~is_answer(judged)
    return precision.precision_interval(
        correct, p_inclusion, unknown=unknown, errors=errors, confidence=confidence
    )
