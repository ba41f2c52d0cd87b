"""A fitted scorer, applied to candidates that it was not fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier

from curation.scoring.boosting import predict_boosting
from curation.scoring.calibration import Map
from curation.scoring.features import FeatureTable, LabelStatistics
from curation.scoring.learners import Choice
from curation.scoring.self_training import N_RATES, RoundFit, support
from curation.scoring.venn_abers import VennAbers
from labeling.keys.arrays import Floats, Floats32, Ints


@dataclass(frozen=True, eq=False)
class Boosted:
    """Gradient boosting, with the rates that it sees.

    Attributes
    ----------
    model
        Of the features, three rates and six supports.
    labels
        ``float32[n_labels]``: logit of the label's rate.
    votes
        ``float32[n_sources * 3, n_labels, 2]``: term of a source in the change of the rate by votes
        and by silences, in the order of `FoldModel.votes`.
    """

    model: HistGradientBoostingClassifier
    labels: Floats32
    votes: Floats32


@dataclass(frozen=True, eq=False)
class FoldModel:
    """The model of one fold: a linear form for each of ``r`` rounds, in single precision.

    Attributes
    ----------
    features
        ``float32[f, r]``: weights of the features.
    constant
        ``float32[r]``.
    labels
        ``float32[n_labels, r]``: term of the label.
    votes
        ``float32[n_sources * 3, n_labels, r]``: term of a source that does not cover the image,
        votes for the label, or covers the image and does not vote.
    support
        ``float32[6, r]``: weights of `curation.scoring.self_training.support`; 0 in the first
        round.
    missing
        ``float64[r]``: support of a candidate without relatives.
    calibration
        Of the last round's probabilities.
    venn_abers
        Intervals of the last round's probabilities.
    boosted
        Boosting that joins the last round's linear form, or None.
    """

    features: Floats32
    constant: Floats32
    labels: Floats32
    votes: Floats32
    support: Floats32
    missing: Floats
    calibration: Map
    venn_abers: VennAbers
    boosted: Boosted | None

    def outputs(self, p: Floats) -> tuple[Floats, ...]:
        """Return calibrated probability, lower and upper bound of the last round's `p`."""
        return self.calibration.apply(p), *self.venn_abers.apply(p)


@dataclass(frozen=True, eq=False)
class Scorer:
    """The models of all folds, and the sources and statistics that features are computed with."""

    models: tuple[FoldModel, ...]
    sources: tuple[str, ...]
    label_statistics: LabelStatistics


def make_model(
    rounds: Sequence[RoundFit],
    choice: Choice,
    table: FeatureTable,
    boosting: HistGradientBoostingClassifier | None,
) -> FoldModel:
    """Tabulate the rates of each round, so that they are looked up and not computed.

    Parameters
    ----------
    rounds
        The fits of a fold.
    choice
        Its calibration and intervals.
    table
        Candidates that were fitted on.
    boosting
        Trees that join the last round, or None.
    """
    labels, votes, weights = [], [], []
    for fit in rounds:
        of_label, of_votes = _tabulate(fit, table)
        slope = fit.slope[fit.n_base :]
        labels.append(slope[0] * of_label)
        votes.append(of_votes @ slope[1:N_RATES])
        of_support = slope[N_RATES:]
        weights.append(of_support if len(of_support) else np.zeros(6))
    last = [x.astype(np.float32) for x in _tabulate(rounds[-1], table)]
    return FoldModel(
        features=_single([fit.slope[: fit.n_base] for fit in rounds]),
        constant=np.array([fit.intercept for fit in rounds], np.float32),
        labels=_single(labels),
        votes=_single(votes),
        support=_single(weights),
        missing=np.array([fit.missing for fit in rounds]),
        calibration=choice.calibration,
        venn_abers=choice.venn_abers,
        boosted=None if boosting is None else Boosted(boosting, *last),
    )


def _tabulate(fit: RoundFit, table: FeatureTable) -> tuple[Floats, Floats]:
    """Return the logits of labels, and the terms of each source in each state, of two rates."""
    n_sources, n_labels = len(table.sources), len(table.taxonomy)
    of_label, of_votes, of_silences = (rates.logits() for rates in fit.rates)
    terms = np.zeros((n_sources, 3, n_labels, N_RATES - 1))
    terms[:, 1, :, 0] = of_votes.reshape(n_sources, n_labels) - of_label
    terms[:, 2, :, 1] = of_silences.reshape(n_sources, n_labels) - of_label
    return of_label, terms.reshape(n_sources * 3, n_labels, N_RATES - 1)


def apply_scorer(scorer: Scorer, table: FeatureTable, intervals: bool = False) -> Floats32:
    """Return the calibrated probability of each candidate, by the model of its fold.

    Parameters
    ----------
    scorer
        The fitted models.
    table
        Candidates of whole images that were not fitted on, with features of the scorer's sources
        and statistics.
    intervals
        Whether to return the bounds of `curation.scoring.venn_abers` too.

    Returns
    -------
    float32[n], with bounds float32[3, n]
        In [0, 1], and of an ancestor at least that of its descendants in the image. With bounds:
        probability, lower and upper bound.
    """
    rows = [np.flatnonzero(table.fold == k) for k in range(len(scorer.models))]
    n_rounds = len(scorer.models[0].constant)
    z = np.empty((len(table), n_rounds), np.float32)
    for model, inside in zip(scorer.models, rows, strict=True):
        z[inside] = _without_support(model, table, inside)
    p = expit(z[:, 0])
    for r in range(1, n_rounds):
        missing = np.array([model.missing[r] for model in scorer.models])[table.fold]
        weight = np.stack([model.support[:, r] for model in scorer.models])[table.fold]
        given = support(table, p.astype(np.float64), missing)
        p = expit(z[:, r] + np.einsum("ji,ij->i", given, weight))
    result = np.empty((3 if intervals else 1, len(table)), np.float32)
    for model, inside in zip(scorer.models, rows, strict=True):
        if model.boosted is not None and len(inside):
            p[inside] = _boost(model.boosted, table, given, inside, p[inside])
        of_fold = p[inside]
        outputs = model.outputs(of_fold) if intervals else model.calibration.apply(of_fold)
        result[:, inside] = outputs
    closed = np.array([table.relatives.closed(row) for row in result])
    return closed if intervals else closed[0]


def _boost(boosted: Boosted, table: FeatureTable, given: Floats32, rows: Ints, p: Floats) -> Floats:
    logits = np.zeros((N_RATES, len(table)), np.float32)
    logits[0, rows] = boosted.labels[table.label[rows]]
    logits[1:, rows] = _of_votes(boosted.votes, table, rows).T
    extra = np.concatenate([logits, given])
    return predict_boosting(boosted.model, table.values, extra, rows, p)


def _without_support(model: FoldModel, table: FeatureTable, rows: Ints) -> Floats32:
    z: Floats32 = table.values[rows] @ model.features
    z += model.constant
    z += model.labels[table.label[rows]]
    z += _of_votes(model.votes, table, rows)
    return z


def _of_votes(votes: Floats32, table: FeatureTable, rows: Ints) -> Floats32:
    """Return the sum over the sources of the term of each in its state."""
    n_labels, n_rounds = votes.shape[1:]
    flat, total = votes.reshape(-1, n_rounds), np.zeros((len(rows), n_rounds), np.float32)
    state = table.voted[rows] + 2 * table.silent[rows].astype(np.int64)
    for source in range(len(table.sources)):
        total += flat.take((3 * source + state[:, source]) * n_labels + table.label[rows], axis=0)
    return total


def _single(rounds: Sequence[Floats]) -> Floats32:
    """Return the arrays of the rounds as one array, its last axis the rounds."""
    return np.ascontiguousarray(np.stack(rounds, axis=-1), np.float32)
