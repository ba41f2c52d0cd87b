"""Draws of the pairs to judge, by strata of the cold score."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.pairs.packed import spell
from curation.pairs.pair_keys import PAIR, find_pairs, pair_hash
from labeling.errors import InputError
from labeling.keys.arrays import Floats, Ints
from labeling.keys.hashing import Hashes
from labeling.keys.runs import rank_in_run, run_numbers
from labeling.schemas import AUDITS, Batch

N_BANDS = 10
WANTED_SHARE = 2.0
"""Audits of a band that may be kept, as a multiple of those of another band."""

BAND, CELL = "band", "cell"
"""Names of the strata of a first and of a second draw, followed by ``-`` and a number."""

BY_TRUTH = "truth"
"""Name of the auditor of verdicts by a known truth."""

QUESTIONS = tuple(name for name in AUDITS.arrow.names if name not in ("verdict", "auditor"))
"""Columns of a sample: those of an audit without its answer."""


def bands(pairs: Batch, cold: Floats) -> npt.NDArray[np.int8]:
    """Return the band of each pair by its cold score: 0 for the lowest tenth, 9 for the highest.

    Bands differ in size by one at most; equal scores are ordered by a hash of the pair, so the
    bands do not depend on the order of the rows.
    """
    order = np.lexsort((pair_hash(pairs), cold))
    start = -(-np.arange(N_BANDS + 1) * len(cold) // N_BANDS)
    band = np.empty(len(cold), np.int8)
    band[order] = np.repeat(np.arange(N_BANDS, dtype=np.int8), np.diff(start))
    return band


def tenths(score: npt.NDArray[np.floating]) -> npt.NDArray[np.int8]:
    """Return ``int8[n]``: the tenth of each score, 0 to 9 for the highest; ties share a tenth.

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
    kind: Hashes | None = None,
) -> pa.Table:
    """Draw the pairs to audit: stratified by cold score, without replacement.

    The strata are the ten `bands`. Bands that would be kept by the cold score, and one below them,
    get twice as many audits each as the others (Sainte-Laguë's rule), up to all of their pairs.
    Within a band each pair is equally likely. The first pairs of the list, however many, are spread
    over the bands and the kinds of pairs in proportion: the r-th of a kind's n pairs in random
    order comes at ``(r + u) / n``, with a u in [0, 1) for each kind. A larger `n` with the same
    seed keeps the pairs of a smaller one and adds to them.

    Parameters
    ----------
    pairs
        Table with ``image_id`` and ``label_id``, such as the candidates.
    cold
        ``float64[n_pairs]``: see `curation.scoring.parts.Pool`.
    n
        Number of pairs to draw; all pairs if there are fewer.
    seed
        Seed of the draw.
    keep
        In (0, 1]: the share of the pairs that will be kept.
    kind
        ``uint64[n_pairs]``: a number for the kind of each pair, such as its level and sources (see
        `curation.scoring.parts.Pool`); by default all are of one kind.

    Returns
    -------
    pa.Table
        The columns `QUESTIONS`, in the order in which to ask: ``seq`` counts from 0.
        ``p_inclusion`` is the number of pairs drawn from the band divided by its size.

    Raises
    ------
    InputError
        For a negative `n`.
    """
    if n < 0:
        raise InputError("the number of audits is negative", facts={"n": n}, help="give 0 or more")
    band, draw = bands(pairs, cold), pair_hash(pairs, seed)
    if kind is None:
        kind = np.zeros(len(band), np.uint64)
    drawn = draw_order(band, _weights(keep), kind, draw, seed, n)
    return questions(pairs, drawn, BAND, band)


def _weights(keep: float) -> Floats:
    """Return the number of audits of each band, in proportion."""
    top = (np.arange(N_BANDS) + 1) / N_BANDS
    # One band more than the share: the labels that are kept are not the best by cold score alone.
    return np.where(top > 1 - keep - 1 / N_BANDS, WANTED_SHARE, 1.0)


def draw_order(
    band: npt.NDArray[np.int8],
    weight: Floats,
    kind: Hashes,
    draw: Hashes,
    seed: int,
    n: int,
    n_asked: Ints | None = None,
) -> Ints:
    """Return ``int64[n]``: the first pairs in the order in which to ask, see `sample`.

    Parameters
    ----------
    band
        ``int8[n]``: the band of each pair.
    weight
        ``float64[n_bands]``: the number of audits of each band, in proportion.
    kind
        ``uint64[n]``: the kind of each pair.
    draw
        ``uint64[n]``: a random number for each pair.
    seed
        Seed of where each kind begins.
    n
        Number of pairs, at most.
    n_asked
        ``int64[n_bands]``: pairs of each band that were drawn before; by default none.
    """
    rng, rows, times = np.random.Generator(np.random.PCG64(seed)), [np.zeros(0, np.int64)], []
    for i in np.unique(band):
        inside = np.flatnonzero(band == i)
        spread = _spread(kind[inside], draw[inside], rng)
        first = inside[np.lexsort((draw[inside], spread))][:n]
        n_before = 0 if n_asked is None else n_asked[i]
        rows.append(first)
        times.append((n_before + np.arange(len(first)) + 0.5) / weight[i])
    first = np.concatenate(rows)
    return first[np.lexsort((draw[first], np.concatenate([np.zeros(0), *times])))][:n]


def _spread(kind: Hashes, draw: Hashes, rng: np.random.Generator) -> Floats:
    """Return a number in [0, 1) for each pair: uniform, and even over the pairs of each kind."""
    order = np.lexsort((draw, kind))
    ordered = kind[order]
    group, rank = run_numbers(ordered), rank_in_run(ordered)
    size = np.bincount(group)
    number = np.empty(len(order))
    number[order] = (rank + rng.random(len(size))[group]) / size[group]
    return number


def questions(pairs: Batch, rows: Ints, name: str, stratum: npt.NDArray[np.int8]) -> pa.Table:
    """Return the columns `QUESTIONS` of drawn rows, in the order in which to ask.

    Parameters
    ----------
    pairs
        Table with ``image_id`` and ``label_id``.
    rows
        ``int64[m]``: the rows that were drawn.
    name, stratum
        As for `stratum_columns`.
    """
    drawn = spell(pa.table({name: pairs.column(name).take(pa.array(rows)) for name in PAIR}))
    columns = {
        **{name: drawn[name] for name in PAIR},
        "seq": pa.array(np.arange(len(rows))),
        **stratum_columns(name, stratum, rows),
    }
    return pa.table(columns).select(list(QUESTIONS))


def stratum_columns(name: str, stratum: npt.NDArray[np.int8], rows: Ints) -> dict[str, pa.Array]:
    """Return the columns ``stratum`` and ``p_inclusion`` of rows that were drawn by strata.

    Parameters
    ----------
    name
        `BAND` or `CELL`, for the names of the strata.
    stratum
        ``int8[n]``: the stratum of every pair.
    rows
        ``int64[m]``: the rows that were drawn, perhaps more than once.

    Examples
    --------
    >>> columns = stratum_columns("band", np.array([0, 0, 2, 2], np.int8), np.array([0, 2, 3]))
    >>> columns["stratum"].to_pylist(), columns["p_inclusion"].to_pylist()
    (['band-0', 'band-2', 'band-2'], [0.5, 1.0, 1.0])
    """
    size = np.bincount(stratum)
    drawn = np.bincount(stratum[np.unique(rows)], minlength=len(size))
    names = pa.array([f"{name}-{number}" for number in range(len(size))], pa.string())
    p_inclusion = (drawn / np.maximum(size, 1))[stratum[rows]]
    return {"stratum": names.take(pa.array(stratum[rows])), "p_inclusion": pa.array(p_inclusion)}


def is_drawn_here(audits: pa.Table, name: str = f"{BAND}|{CELL}") -> bool:
    """Return whether all strata of some audits have the names that winnow's own draws give."""
    named = pc.match_substring_regex(audits["stratum"], rf"^({name})-\d+$")
    return bool(pc.all(named, min_count=0).as_py())


def are_strata_of(audits: pa.Table, name: str, stratum: npt.NDArray[np.int8], rows: Ints) -> bool:
    """Return whether some audits were drawn by these strata; see `stratum_columns`."""
    names = stratum_columns(name, stratum, rows)["stratum"]
    return bool(names.equals(audits["stratum"].combine_chunks()))


def answer(sampled: pa.Table, truth: Batch) -> pa.Table:
    """Return `labeling.schemas.AUDITS`: sampled pairs judged by a known truth.

    Parameters
    ----------
    sampled
        Result of `sample`.
    truth
        Table of `labeling.schemas.TRUTH`, with the ancestors of each true label.
    """
    right = pa.array(find_pairs(sampled, truth) >= 0)
    columns = {
        **{name: sampled.column(name) for name in QUESTIONS},
        "verdict": pc.if_else(right, "yes", "no"),
        "auditor": pa.array([BY_TRUTH] * sampled.num_rows, pa.string()),
    }
    return pa.table(columns).select(AUDITS.arrow.names).cast(AUDITS.arrow)
