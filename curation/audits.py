"""Audits: which pairs to judge, and which of the judgements count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.pairs import find_pairs, pair_hash
from labeling.errors import InputError
from labeling.schemas import AUDITS, Batch, check

N_BANDS = 10
UPPER_SHARE = 2.0
"""How many times as many audits a band of the upper half gets as one of the lower half."""

QUESTIONS = tuple(name for name in AUDITS.arrow.names if name not in ("verdict", "auditor"))
"""Columns of a sample: those of an audit without the answer."""


@dataclass(frozen=True, eq=False)
class Effective:
    """The judgements that count, one a pair, and how many do not.

    Attributes
    ----------
    table
        Table of `labeling.schemas.AUDITS`: the last verdict of each pair, none of them unsure,
        sorted by ``seq``.
    n_judgements
        Rows that came in.
    n_unsure
        Pairs whose last verdict is unsure.
    n_contradictory
        Pairs that were judged both right and wrong.
    """

    table: pa.Table
    n_judgements: int
    n_unsure: int
    n_contradictory: int


def bands(pairs: Batch, cold: npt.NDArray[np.float64]) -> npt.NDArray[np.int8]:
    """Return the band of each pair by its cold score: 0 for the lowest tenth, 9 for the highest.

    Bands differ in size by one at most; equal scores are cut by a hash of the pair, so the bands
    do not depend on the order of the rows.
    """
    order = np.lexsort((pair_hash(pairs), cold))
    band = np.empty(len(cold), np.int8)
    band[order] = np.arange(len(cold)) * N_BANDS // max(len(cold), 1)
    return band


def sample(pairs: Batch, cold: npt.NDArray[np.float64], n: int, seed: int) -> pa.Table:
    """Draw the pairs to audit: stratified by cold score, without replacement.

    The strata are the ten `bands`. A band of the upper half, where the best third will mostly
    fall and the precision is to be measured, gets twice as many audits as one of the lower half
    (Sainte-Laguë's rule); no band gets more than it has. A larger `n` with the same seed keeps
    the pairs of a smaller one and adds to them.

    Parameters
    ----------
    pairs
        Table with ``image_id`` and ``label_id``, such as the candidates.
    cold
        ``float64[n_pairs]``: see `curation.scoring.cold_scores`.
    n
        Number of pairs to draw; all pairs where there are fewer.
    seed
        Seeds the draw.

    Returns
    -------
    pa.Table
        The columns `QUESTIONS`, in the order in which to ask: ``seq`` counts from 0, and any
        beginning of the list is spread over the bands. ``p_inclusion`` is drawn / size of the band.

    Raises
    ------
    InputError
        For a negative `n`.
    """
    if n < 0:
        raise InputError("the number of audits is negative", facts={"n": n})
    band, draw = bands(pairs, cold), pair_hash(pairs, seed)
    size = np.bincount(band, minlength=N_BANDS)
    order = np.lexsort((draw, band))
    place = np.empty(len(band), np.int64)
    place[order] = np.arange(len(band)) - (np.cumsum(size) - size)[band[order]]
    share = np.where(np.arange(N_BANDS) < N_BANDS // 2, 1.0, UPPER_SHARE)
    drawn = np.lexsort((draw, (place + 0.5) / share[band]))[:n]
    n_drawn = np.bincount(band[drawn], minlength=N_BANDS)
    columns = {
        "image_id": pairs.column("image_id").take(pa.array(drawn)),
        "label_id": pairs.column("label_id").take(pa.array(drawn)),
        "seq": pa.array(np.arange(len(drawn))),
        "stratum": stratum_names(band[drawn]),
        "p_inclusion": pa.array((n_drawn / np.maximum(size, 1))[band[drawn]]),
    }
    return pa.table(columns).select(list(QUESTIONS))


def stratum_names(band: npt.NDArray[np.int8]) -> pa.Array:
    """Return the name of each band, as audits carry it.

    Examples
    --------
    >>> stratum_names(np.array([0, 9], np.int8)).to_pylist()
    ['band-0', 'band-9']
    """
    return pa.array([f"band-{i}" for i in range(N_BANDS)]).take(pa.array(band))


def answer(sampled: pa.Table, truth: Batch, auditor: str = "truth") -> pa.Table:
    """Judge sampled pairs by a known truth.

    Parameters
    ----------
    sampled
        What `sample` returned.
    truth
        Table of `labeling.schemas.TRUTH`, with the ancestors of each true label.
    auditor
        Who is said to have judged.

    Returns
    -------
    pa.Table
        Table of `labeling.schemas.AUDITS`; a pair is right if the truth holds it.
    """
    right = pa.array(find_pairs(sampled, truth) >= 0)
    columns = {
        **{name: sampled.column(name) for name in QUESTIONS},
        "verdict": pc.if_else(right, "yes", "no"),
        "auditor": pa.array([auditor] * sampled.num_rows, pa.string()),
    }
    return pa.table(columns).select(AUDITS.arrow.names).cast(AUDITS.arrow)


def effective(audits: pa.Table) -> Effective:
    """Return the judgements that count: the last of each pair by ``seq``, unless it is unsure.

    Raises
    ------
    InputError
        For a table of another schema, or an inclusion probability of 0.
    """
    check(audits, AUDITS, where="audits")
    if pc.any(pc.less_equal(audits["p_inclusion"], 0)).as_py():
        raise InputError(
            "an audit has an inclusion probability of 0: it cannot have been drawn",
            help="give the probability that the pair had to be drawn; 1 where all were judged",
        )
    ordered = audits.sort_by("seq")
    pair = find_pairs(ordered, ordered)
    verdict = ordered["verdict"]
    last = np.zeros(len(pair), np.int64)
    np.maximum.at(last, pair, np.arange(len(pair)))
    last = last[np.unique(pair)]
    sure = np.asarray(pc.not_equal(verdict, "unsure"))[last]
    said_yes, said_no = (pair[np.asarray(pc.equal(verdict, v))] for v in ("yes", "no"))
    return Effective(
        table=ordered.take(pa.array(np.sort(last[sure]))),
        n_judgements=audits.num_rows,
        n_unsure=int(np.sum(~sure)),
        n_contradictory=len(np.intersect1d(said_yes, said_no)),
    )
