"""Scores of a table of candidates."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from curation.frames.candidates import candidates_of
from curation.pairs.pair_keys import PAIR
from curation.scoring.parts import parts_of_table, score_parts
from labeling.arguments import checks_arguments
from labeling.frames.frames import Frame, like, to_table
from labeling.schemas import AUDITS, INTERVALS, SCORED
from labeling.taxonomy.taxonomy import Taxonomy

_WITH_INTERVALS = pa.schema([*SCORED.arrow, *map(INTERVALS.arrow.field, ("p_low", "p_high"))])


@checks_arguments
def score(
    candidates: Frame, audits: object, taxonomy: Taxonomy, *, intervals: bool = False
) -> Frame:
    """Estimate the probability that each candidate is right, from a few hundred audits.

    The probabilities are calibrated and cross-fitted: the model that scores a pair is fitted
    without its verdict, so the same audits may measure the precision of a selection. See
    `curation.scoring.scoring.score` for the method. `winnow select` computes the same numbers.

    Parameters
    ----------
    candidates
        Table of `labeling.schemas.CANDIDATES`; the rows of an image are adjacent.
    audits
        Table of `labeling.schemas.AUDITS`; 50 or more sure verdicts, 10 or more of each kind.
    taxonomy
        The labels of the candidates.
    intervals
        Whether to add bounds of each probability (Venn-Abers; Vovk & Petej 2014).

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        `labeling.schemas.SCORED` in the order of the candidates: ``p_correct`` float32 in [0, 1];
        with `intervals` also ``p_low`` and ``p_high``. pandas if `candidates` is, else Arrow.

    Raises
    ------
    InputError
        If a table lacks a column or holds a refused value, a label is not in the taxonomy, the
        rows of an image are not adjacent, or there are too few audits.
    """
    rows = candidates_of(candidates)
    verdicts = to_table(audits, AUDITS, "audits")
    p_correct, _, _ = score_parts(parts_of_table(rows), taxonomy, verdicts, intervals)
    columns = [*rows.select(PAIR).columns, *map(pa.array, np.atleast_2d(p_correct))]
    schema = _WITH_INTERVALS if intervals else SCORED.arrow
    return like(pa.Table.from_arrays(columns, schema=schema), candidates)
