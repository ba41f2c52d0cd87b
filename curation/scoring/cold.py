"""Amount of evidence for a candidate, and agreement of its sources, without any audit.

Strengths and numbers of pages of different sources are not comparable: one source names a label of
nearly every image on one page, another rarely, or on twenty pages. So each is compared with what
its source usually gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curation.scoring.features import FeatureTable
from labeling.keys.arrays import Floats

FULL = 0.99
"""Strength from which evidence is certain."""

MAX_SHARE = 0.99
"""Share of votes above which sources are equally common, so that each vote counts for something."""


@dataclass(frozen=True, eq=False)
class SourceStatistics:
    """The usual evidence of each source, from some or all candidates.

    Attributes
    ----------
    n_covered
        ``float64[n_sources]``: candidates of images that the source covers.
    n_pages, evidence
        For each source, sorted values of its votes: number of pages, and evidence (`_evidence`).
    weight
        ``float64[n_sources]`` with a mean of 1: weight of a vote of the source.
    """

    n_covered: Floats
    n_pages: tuple[Floats, ...]
    evidence: tuple[Floats, ...]
    weight: Floats


def source_statistics(table: FeatureTable) -> SourceStatistics:
    """Return the statistics of the sources of some candidates.

    A vote weighs by the mean surprise of its source's strengths, times its rarity. A source that
    votes as much for nearly all candidates that it covers distinguishes little: if all sources vote
    for equally many of the right ones, the log-odds by a vote grow with ``-log(share of votes)``.
    The square root is half-way between that and equal votes, so that a rare source that is wrong
    does not outweigh the others.
    """
    surprise, n_pages = _surprise(table), _n_pages(table)
    evidence = _evidence(surprise, n_pages)
    votes = table.voted.T
    sorted_pages, sorted_evidence = (
        tuple(np.sort(values[voted]) for values, voted in zip(x.T, votes, strict=True))
        for x in (n_pages, evidence)
    )
    n_covered = (table.voted | table.silent).sum(axis=0).astype(np.float64)
    unweighted = SourceStatistics(n_covered, sorted_pages, sorted_evidence, np.ones(len(votes)))
    share = (_grades(table, unweighted).sum(axis=0) + 1) / (n_covered + 2)
    strength = surprise.sum(axis=0) / np.maximum(table.voted.sum(axis=0), 1)
    weight = strength * np.sqrt(-np.log(np.minimum(share, MAX_SHARE)))
    weight /= max(weight.mean(), 1e-9) if len(weight) else 1
    return SourceStatistics(n_covered, sorted_pages, sorted_evidence, weight)


def evidence_amount(table: FeatureTable, statistics: SourceStatistics) -> Floats:
    """Return how much evidence of all sources there is for each candidate.

    The evidence of a source is the surprise of its strength, ``-log(1 - strength)`` in units of a
    certain vote, times the surprise of its pages, ``-log(share of the candidates that it covers
    with as many)``. The noisy-or, which sums up the first alone, is so near 1 as soon as two
    sources are certain that it no longer ranks what has more evidence.

    Returns
    -------
    float64[n]
        Square root of the sum over the sources, at least 0.
    """
    surprise, n_pages, total = _surprise(table), _n_pages(table), np.zeros(len(table))
    for source, usual in enumerate(statistics.n_pages):
        n_as_many = len(usual) - np.searchsorted(usual, n_pages[:, source])
        rare = -np.log((n_as_many + 1) / (statistics.n_covered[source] + 2))
        total += surprise[:, source] * np.maximum(rare, 0)
    amount: Floats = np.sqrt(total)
    return amount


def vote_share(table: FeatureTable, statistics: SourceStatistics) -> Floats:
    """Return the share of the covering sources that vote for each candidate, ``float64[n]``.

    It is in (0, 1), weighted and shrunk to 1/2. A vote counts by its grade, and the rest of it as
    silence.
    """
    grades = _grades(table, statistics) @ statistics.weight
    covered = (table.voted | table.silent) @ statistics.weight
    share: Floats = (grades + 1) / (covered + 2)
    return share


def _grades(table: FeatureTable, statistics: SourceStatistics) -> Floats:
    """Return the grade of each vote: the share of covered candidates without more evidence."""
    evidence = _evidence(_surprise(table), _n_pages(table))
    grades = np.zeros(evidence.shape)
    for source, usual in enumerate(statistics.evidence):
        n_more = len(usual) - np.searchsorted(usual, evidence[:, source], side="right")
        grades[:, source] = 1 - n_more / max(statistics.n_covered[source], 1)
    return np.where(table.voted, grades, 0)


def _evidence(surprise: Floats, n_pages: Floats) -> Floats:
    """Return surprise times ``1 + log(pages)``, since pages copy one another."""
    evidence: Floats = surprise * (1 + np.log(n_pages))
    return evidence


def _surprise(table: FeatureTable) -> Floats:
    strength = np.minimum(_measure(table, "strength"), FULL)
    surprise: Floats = np.log1p(-strength) / np.log1p(-FULL)
    return surprise


def _n_pages(table: FeatureTable) -> Floats:
    return np.maximum(np.rint(np.expm1(_measure(table, "log_pages"))), 1)


def _measure(table: FeatureTable, measure: str) -> Floats:
    columns = [table.names.index(f"{source}.{measure}") for source in table.sources]
    return table.values[:, columns].astype(np.float64)
