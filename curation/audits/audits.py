"""Audits: which pairs to judge, and which of the judgements count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.pairs.pair_keys import find_pairs, pair_hash
from labeling.checks import check
from labeling.errors import InputError
from labeling.keys.arrays import Floats, Ints
from labeling.keys.hashing import Hashes
from labeling.keys.runs import rank_in_run, run_numbers
from labeling.schemas import AUDITS, Batch

N_BANDS = 10
WANTED_SHARE = 2.0
"""How many times as many audits a band gets that bears on what is kept as one that does not."""

QUESTIONS = tuple(name for name in AUDITS.arrow.names if name not in ("verdict", "auditor"))
"""Columns of a sample: those of an audit without the answer."""


def bands(pairs: Batch, cold: Floats) -> npt.NDArray[np.int8]:
    """Return the band of each pair by its cold score: 0 for the lowest tenth, 9 for the highest.

    Bands differ in size by one at most; equal scores are cut by a hash of the pair, so the bands
    do not depend on the order of the rows.
    """
    order = np.lexsort((pair_hash(pairs), cold))
    band = np.empty(len(cold), np.int8)
    band[order] = np.arange(len(cold)) * N_BANDS // max(len(cold), 1)
    return band


def tenths(score: npt.NDArray[np.floating]) -> npt.NDArray[np.int8]:
    """Return the tenth of the scores that each lies in: 0 for the lowest, equal ones in the same.

    Returns
    -------
    int8[n]
        In 0…9.

    Examples
    --------
    >>> tenths(np.array([0.1, 0.3, 0.3, 0.9])).tolist()
    [0, 6, 6, 9]
    """
    if not len(score):
        return np.zeros(0, np.int8)
    edges = np.quantile(score, np.arange(1, N_BANDS) / N_BANDS, method="higher")
    return np.searchsorted(edges, score, side="right").astype(np.int8)


def sample(
    pairs: Batch,
    cold: Floats,
    n: int,
    seed: int,
    *,
    keep: float = 1 / 3,
    kind: npt.NDArray[np.uint64] | None = None,
) -> pa.Table:
    """Draw the pairs to audit: stratified by cold score, without replacement.

    The strata are the ten `bands`. Those that would be kept by the cold score, and one below, get
    twice as many audits each as the others (Sainte-Laguë's rule); no band gets more than it has.
    Within a band every pair is as likely as another, and any beginning is spread over the kinds
    of pairs in proportion: the r-th of a kind's n pairs in random order comes at ``(r + u) / n``,
    with a u in [0, 1) for each kind. A larger `n` with the same seed keeps the pairs of a smaller
    one and adds to them.

    Parameters
    ----------
    pairs
        Table with ``image_id`` and ``label_id``, such as the candidates.
    cold
        ``float64[n_pairs]``: see `curation.scoring.parts.Pool`.
    n
        Number of pairs to draw; all pairs where there are fewer.
    seed
        Seeds the draw.
    keep
        In (0, 1]: the share of the pairs that will be kept.
    kind
        ``uint64[n_pairs]``: any number for each kind of pair, such as its level and sources (see
        `curation.scoring.parts.Pool`); by default all are of one kind.

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
    if kind is None:
        kind = np.zeros(len(band), np.uint64)
    order = np.lexsort((draw, spread(band, kind, draw, seed), band))
    place = np.empty(len(band), np.int64)
    place[order] = rank_in_run(band[order])
    drawn = np.lexsort((draw, (place + 0.5) / _shares(keep)[band]))[:n]
    columns = {
        "image_id": pairs.column("image_id").take(pa.array(drawn)),
        "label_id": pairs.column("label_id").take(pa.array(drawn)),
        "seq": pa.array(np.arange(len(drawn))),
        "stratum": stratum_names(band[drawn]),
        "p_inclusion": pa.array(shares_drawn(band, drawn)),
    }
    return pa.table(columns).select(list(QUESTIONS))


def _shares(keep: float) -> Floats:
    """Return how many audits each band gets, in proportion."""
    top = (np.arange(N_BANDS) + 1) / N_BANDS
    # What is kept will not be the best by the cold score alone.
    return np.where(top > 1 - keep - 1 / N_BANDS, WANTED_SHARE, 1.0)


def spread(
    band: npt.NDArray[np.int8], kind: npt.NDArray[np.uint64], draw: Hashes, seed: int
) -> Floats:
    """Return a number in [0, 1) for each pair: uniform, and even over the pairs of each kind."""
    order = np.lexsort((draw, kind, band))
    ordered = band[order], kind[order]
    cell, rank = run_numbers(*ordered), rank_in_run(*ordered)
    size = np.bincount(cell)
    start = np.random.Generator(np.random.PCG64(seed)).random(len(size))
    number = np.empty(len(order))
    number[order] = (rank + start[cell]) / np.maximum(size, 1)[cell]
    return number


def stratum_names(band: npt.NDArray[np.int8]) -> pa.Array:
    """Return the name of each band, as audits carry it.

    Examples
    --------
    >>> stratum_names(np.array([0, 9], np.int8)).to_pylist()
    ['band-0', 'band-9']
    """
    return pa.array([f"band-{i}" for i in range(N_BANDS)]).take(pa.array(band))


def is_drawn_here(audits: pa.Table, strata: str = "band|cell") -> bool:
    """Return whether all strata of some audits are named as winnow's own draws name them."""
    named = pc.match_substring_regex(audits["stratum"], rf"^({strata})-\d+$")
    return bool(pc.all(named, min_count=0).as_py())


def shares_drawn(stratum: npt.NDArray[np.int8], rows: Ints) -> Floats:
    """Return the inclusion probability of each row: the share of its stratum that was drawn.

    Examples
    --------
    >>> shares_drawn(np.array([0, 0, 0, 1], np.int8), np.array([0, 3])).round(2).tolist()
    [0.33, 1.0]
    """
    size = np.bincount(stratum)
    drawn = np.bincount(stratum[np.unique(rows)], minlength=len(size))
    p_inclusion: Floats = (drawn / np.maximum(size, 1))[stratum[rows]]
    return p_inclusion


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


def usable_audits(audits: pa.Table) -> pa.Table:
    """Return the last verdict of each pair by ``seq``, unless it is unsure; sorted by ``seq``.

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
    ordered, last, _ = _last_verdicts(audits)
    final = ordered.take(pa.array(last))
    return final.filter(pc.not_equal(final["verdict"], "unsure"))


def count_doubtful(audits: pa.Table) -> tuple[int, int]:
    """Count the pairs whose last verdict is unsure, and those judged both right and wrong."""
    ordered, last, pair = _last_verdicts(audits)
    verdict = np.asarray(ordered["verdict"])
    contradictory = np.intersect1d(pair[verdict == "yes"], pair[verdict == "no"])
    return int(np.sum(verdict[last] == "unsure")), len(contradictory)


def _last_verdicts(audits: pa.Table) -> tuple[pa.Table, Ints, Ints]:
    """Return audits by ``seq``, the rows that are the last of their pair, and the pair of each."""
    ordered = audits.sort_by("seq")
    pair = find_pairs(ordered, ordered)
    _, from_end = np.unique(pair[::-1], return_index=True)
    return ordered, np.sort(len(pair) - 1 - from_end), pair


@dataclass(frozen=True)
class Agreement:
    """How far auditors agree who judged the same pairs.

    Attributes
    ----------
    n_pairs
        Pairs that two auditors or more were sure about.
    share
        Share of agreeing verdicts among all twos of auditors of a pair; NaN without such pairs.
    kappa
        The same beyond chance (Fleiss 1971): 1 if all agree, 0 if as often as by chance; NaN where
        all verdicts are the same.
    """

    n_pairs: int
    share: float
    kappa: float


def agreement(audits: pa.Table) -> Agreement:
    """Compare the last sure verdict of each auditor on each pair.

    Examples
    --------
    >>> from labeling.keys.ids import digest
    >>> said = [("a", "yes"), ("b", "yes"), ("a", "no"), ("b", "no"), ("a", "yes"), ("b", "no")]
    >>> rows = [
    ...     {"image_id": digest(str(i // 2)), "label_id": "cat", "verdict": verdict,
    ...      "auditor": auditor, "seq": i, "stratum": "all", "p_inclusion": 1.0}
    ...     for i, (auditor, verdict) in enumerate(said)
    ... ]
    >>> found = agreement(pa.Table.from_pylist(rows, schema=AUDITS.arrow))
    >>> found.n_pairs, round(found.share, 3), round(found.kappa, 3)
    (3, 0.667, 0.333)
    """
    ordered = audits.sort_by("seq")
    pair = find_pairs(ordered, ordered)
    auditor = ordered["auditor"].combine_chunks().dictionary_encode()
    who = np.asarray(auditor.indices, np.int64)
    _, own = np.unique(pair * (len(auditor.dictionary) + 1) + who, return_inverse=True)
    last = np.zeros(own.max(initial=-1) + 1, np.int64)
    np.maximum.at(last, own, np.arange(len(own)))
    verdict = np.asarray(ordered["verdict"])[last]
    sure = verdict != "unsure"
    pair, right = pair[last[sure]], verdict[sure] == "yes"
    n = np.bincount(pair)
    n_right = np.bincount(pair, right)
    n_right, n = n_right[n > 1], n[n > 1].astype(np.float64)
    if not len(n):
        return Agreement(0, float("nan"), float("nan"))
    agreeing = n_right * (n_right - 1) + (n - n_right) * (n - n_right - 1)
    share = float(agreeing.sum() / (n * (n - 1)).sum())
    rate = float(n_right.sum() / n.sum())
    chance = rate**2 + (1 - rate) ** 2
    kappa = (share - chance) / (1 - chance) if chance < 1 else float("nan")
    return Agreement(len(n), share, kappa)
