"""Scores of any number of candidates, read in parts: fitted on some, computed for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.agreement.label_model import count_patterns, merge_patterns, vote_scores
from curation.pairs.packed import join_packed
from curation.pairs.pair_keys import PAIR, image_hash
from curation.scoring.cold import evidence_amount, source_statistics, vote_share
from curation.scoring.features import FeatureTable, features, sources_of
from curation.scoring.model import Scorer, apply_scorer
from curation.scoring.scoring import Scores, score, score_without
from curation.scoring.threads import one_thread
from labeling.errors import InputError
from labeling.keys.arrays import Floats, Floats32, Mask
from labeling.keys.hashing import Hashes
from labeling.keys.ids import digest
from labeling.keys.runs import run_starts
from labeling.memory import release_memory
from labeling.schemas import CANDIDATES
from labeling.taxonomy.taxonomy import Taxonomy
from labeling.threads import map_ahead

Parts: TypeAlias = Callable[[list[str]], Iterator[pa.Table]]
"""Returns some columns of the candidates, in the order of the rows, one part at a time."""

MAX_FITTED = 200_000
"""Candidates that models are fitted on, about, beside the images of audited ones."""

Number = TypeVar("Number", bound=np.number[Any])

N_AT_ONCE = 32_768
"""Candidates scored together, about."""

N_THREADS = 2
MAX_WAITING = 4
"""Parts that may wait for a thread."""


def parts_of_table(candidates: pa.Table) -> Parts:
    """Return a table of `labeling.schemas.CANDIDATES` as `Parts`."""

    def read(columns: list[str]) -> Iterator[pa.Table]:
        for start in range(0, len(candidates), N_AT_ONCE):
            yield candidates.select(columns).slice(start, N_AT_ONCE)

    return read


def score_parts(
    parts: Parts, taxonomy: Taxonomy, audits: pa.Table, intervals: bool = False
) -> tuple[Floats32, Scores, int]:
    """Score all candidates.

    Up to `MAX_FITTED` candidates, all are fitted on (`curation.scoring.scoring.score`). Of more,
    the fit sees the images with the smallest hashes and those that were audited; the others are
    scored by the fitted models (`curation.scoring.model.apply_scorer`), in parts of whole images.
    The time to fit does not grow with the number of candidates; the memory grows by about 20 bytes
    for each.

    Parameters
    ----------
    parts
        The candidates; those of an image lie together.
    taxonomy
        Their labels.
    audits
        Table of `labeling.schemas.AUDITS`.
    intervals
        Whether to return the bounds of `curation.scoring.venn_abers` too.

    Returns
    -------
    p_correct, scores, n_fitted
        ``float32[n]`` in the order of the rows, with bounds ``float32[3, n]``: probability, lower
        and upper bound; the scores of the fitted ones, and their number.

    Raises
    ------
    InputError
        For too few audits, or if candidates of an image do not lie together.
    """
    image, fitted, table = _to_fit(parts, taxonomy, audits)
    scores = score(table, audits)
    p_correct = np.empty((3, len(image)) if intervals else len(image), np.float32)
    of_fitted = np.vstack([scores.p_correct, scores.bounds]) if intervals else scores.p_correct
    p_correct[..., fitted] = of_fitted
    if not fitted.all():
        of_rest = _apply_to_rest(scores.scorer, parts, taxonomy, image, fitted, intervals)
        p_correct[..., ~fitted] = of_rest
    return p_correct, scores, int(fitted.sum())


def score_parts_without(
    parts: Parts,
    taxonomy: Taxonomy,
    audits: pa.Table,
    image_ids: pa.Array,
    fold: npt.NDArray[np.int8],
    n_folds: int,
) -> Floats32:
    """Score all candidates once for each fold of the images, without the audits of the fold.

    Parameters
    ----------
    parts, taxonomy, audits
        As of `score_parts`.
    image_ids, fold
        Images, each once, and ``int8[n_images]`` the fold of each, from 0. Audits of other images
        teach the models of all folds.
    n_folds
        Number of folds.

    Returns
    -------
    ndarray
        ``float32[n_folds, n]`` in [0, 1], in the order of the rows: see
        `curation.scoring.scoring.score_without`.

    Raises
    ------
    InputError
        As by `score_parts`.
    """
    image, fitted, table = _to_fit(parts, taxonomy, audits)
    row = np.asarray(pc.fill_null(pc.index_in(table.pairs["image_id"], image_ids), -1), np.int64)
    fold_of = np.where(row >= 0, fold[row], -1).astype(np.int8)
    of_fitted, scorers = score_without(table, audits, fold_of, n_folds)
    p_correct = np.empty((n_folds, len(image)), np.float32)
    p_correct[:, fitted] = of_fitted
    if not fitted.all():
        for k, scorer in enumerate(scorers):
            p_correct[k, ~fitted] = _apply_to_rest(scorer, parts, taxonomy, image, fitted)
    return p_correct


def _to_fit(
    parts: Parts, taxonomy: Taxonomy, audits: pa.Table
) -> tuple[Hashes, Mask, FeatureTable]:
    """Return the image of each candidate, which ones are fitted on, and the features of these."""
    image = _hashes(parts)
    _refuse_scattered(image)
    fitted = _choose(image, image_hash(audits["image_id"]))
    sample = [part.filter(pa.array(mask)) for part, mask in _whole_images(parts, image, fitted)]
    table = features(pa.concat_tables([CANDIDATES.empty(), *sample]), taxonomy)
    return image, fitted, table


def _apply_to_rest(
    scorer: Scorer,
    parts: Parts,
    taxonomy: Taxonomy,
    image: Hashes,
    fitted: Mask,
    intervals: bool = False,
) -> Floats32:
    whole = _whole_images(parts, image, fitted)
    rest = (part.filter(pa.array(~mask)) for part, mask in whole)
    n_rest, n_done = len(fitted) - int(fitted.sum()), 0
    p_correct = np.empty((3, n_rest) if intervals else n_rest, np.float32)
    release_memory()
    with one_thread("blas"):
        for of_part in apply_all(scorer, rest, taxonomy, intervals):
            p_correct[..., n_done : n_done + of_part.shape[-1]] = of_part
            n_done += of_part.shape[-1]
    return p_correct


@dataclass(frozen=True, eq=False)
class Pool:
    """The candidates that audits are drawn from, in the order of the rows.

    Attributes
    ----------
    pairs
        Table of ``image_id`` and ``label_id``, packed (`curation.pairs.packed`).
    cold
        ``float64[n]``, at least 0: scores without any audit, to choose what to audit, and for
        nothing else: the amount of evidence (`curation.scoring.cold`) times the score of the votes
        (`curation.agreement.label_model.vote_scores`). They are not probabilities.
    kind
        ``uint64[n]``: a number for each combination of label level and voting sources. It depends
        on the names of these sources alone.
    """

    pairs: pa.Table
    cold: Floats
    kind: npt.NDArray[np.uint64]


def pool_of_parts(parts: Parts, taxonomy: Taxonomy) -> Pool:
    """Return the candidates with their scores without any audit.

    They are read in parts. What the sources usually give is learnt from up to `MAX_FITTED`
    candidates. The patterns of votes, and of each candidate its pattern, kind, share of votes and
    amount of evidence stay in memory until the label model is fitted on all patterns: 28 bytes for
    each.
    """
    named = [sources_of(part) for part in parts(["evidence", "silent"])]
    sources = sorted({source for part in named for source in part})
    n = sum(len(part) for part in parts(["ambiguity"]))
    if n == 0:
        return Pool(join_packed([], CANDIDATES, PAIR), np.zeros(0), np.zeros(0, np.uint64))
    usual = source_statistics(features(_spread(parts, n), taxonomy, sources))
    patterns, of_row, share, amount, kind, n_patterns = [], [], [], [], [], 0
    for part in parts(CANDIDATES.arrow.names):
        table = features(part.cast(CANDIDATES.arrow), taxonomy, sources)
        of_part, pattern = count_patterns(table.voted, table.silent)
        patterns.append(of_part)
        of_row.append((pattern + n_patterns).astype(np.int32))
        share.append(vote_share(table, usual))
        amount.append(evidence_amount(table, usual))
        kind.append(_kinds(table))
        n_patterns += len(of_part.count)
    release_memory()
    merged, number = merge_patterns(patterns)
    pattern_of_row = number.astype(np.int32)[_concatenated(of_row)]
    cold = vote_scores(merged, pattern_of_row, _concatenated(share))
    cold *= _concatenated(amount)
    return Pool(join_packed(parts(PAIR), CANDIDATES, PAIR), cold, _concatenated(kind))


def _concatenated(parts: list[npt.NDArray[Number]]) -> npt.NDArray[Number]:
    """Return one array, and empty the list of its parts."""
    whole = np.concatenate(parts)
    parts.clear()
    return whole


def _spread(parts: Parts, n: int) -> pa.Table:
    """Return every k-th of `n` candidates, at most `MAX_FITTED`."""
    step, start, sample = -(-n // MAX_FITTED), 0, [CANDIDATES.empty()]
    for part in parts(CANDIDATES.arrow.names):
        row = np.arange(-start % step, len(part), step)
        sample.append(part.take(pa.array(row)).cast(CANDIDATES.arrow))
        start += len(part)
    return pa.concat_tables(sample)


def _kinds(table: FeatureTable) -> npt.NDArray[np.uint64]:
    names = [int(digest(source)[:16], 16) for source in table.sources]
    voters = (table.voted * np.array(names, np.uint64)).sum(axis=1, dtype=np.uint64)
    kind: npt.NDArray[np.uint64] = voters + table.column("level").astype(np.uint64)
    return kind


def _hashes(parts: Parts) -> Hashes:
    """Return the hash of each candidate's image."""
    hashes = [image_hash(part["image_id"]) for part in parts(["image_id"])]
    return np.concatenate(hashes) if hashes else np.zeros(0, np.uint64)


def _refuse_scattered(image: Hashes) -> None:
    of_run = image[run_starts(image)]
    n_images = len(np.unique(of_run))
    if n_images != len(of_run):
        raise InputError(
            "the candidates of an image do not lie together",
            facts={"images": n_images, "runs of rows": len(of_run)},
            help="sort the candidates by image_id",
        )


def _choose(image: Hashes, audited: Hashes) -> Mask:
    """Return which candidates to fit on: all candidates of the chosen images."""
    if len(image) <= MAX_FITTED:
        return np.ones(len(image), bool)
    limit = np.array([int(2**64 * (MAX_FITTED / len(image)))], np.uint64)
    return (image < limit) | np.isin(image, audited)


def _whole_images(parts: Parts, image: Hashes, fitted: Mask) -> Iterator[tuple[pa.Table, Mask]]:
    """Yield the candidates in parts of whole images, each with its rows of `fitted`."""
    start, held = 0, CANDIDATES.empty()
    for part in parts(CANDIDATES.arrow.names):
        held = pa.concat_tables([held, part.cast(CANDIDATES.arrow)])
        of_held = image[start : start + len(held)]
        # The last image may continue in the next part.
        n_of_last = int(np.searchsorted(of_held[::-1] != of_held[-1], True))
        n_whole = len(held) - n_of_last
        if n_whole:
            yield held.slice(0, n_whole), fitted[start : start + n_whole]
        start, held = start + n_whole, held.slice(n_whole)
    if len(held):
        yield held, fitted[start:]


def apply_all(
    scorer: Scorer, parts: Iterator[pa.Table], taxonomy: Taxonomy, intervals: bool = False
) -> Iterator[Floats32]:
    """Yield the scores of each part, in order, computed in `N_THREADS` threads.

    Parameters
    ----------
    scorer
        The fitted models.
    parts
        Tables of `labeling.schemas.CANDIDATES`, of whole images.
    taxonomy
        Their labels.
    intervals
        Whether to yield ``float32[3, n]`` with bounds, and not ``float32[n]``.
    """

    def apply_to(part: pa.Table) -> Floats32:
        table = features(part, taxonomy, scorer.sources, scorer.label_statistics)
        return apply_scorer(scorer, table, intervals)

    with ThreadPoolExecutor(N_THREADS) as pool:
        yield from map_ahead(pool, apply_to, parts, MAX_WAITING)
