"""What the scorer has learnt, applied to candidates that it was not fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier

from curation.scoring.boosting import predict_boosting
from curation.scoring.calibration import Map
from curation.scoring.features import FeatureTable, LabelFacts
from curation.scoring.self_training import N_RATES, Step, support
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
        ``float32[n_sources * 3, n_labels, 2]``: what a source adds to the rate of speaking and of
        silent sources, in the order of `Model.votes`.
    """

    model: HistGradientBoostingClassifier
    labels: Floats32
    votes: Floats32


@dataclass(frozen=True, eq=False)
class Model:
    """The scorer of one fold: a linear form for each of ``r`` rounds, in single precision.

    Attributes
    ----------
    features
        ``float32[f, r]``: weights of the features.
    constant
        ``float32[r]``.
    labels
        ``float32[n_labels, r]``: what the label adds.
    votes
        ``float32[n_sources * 3, n_labels, r]``: what a source adds that does not cover the image,
        names the label, or covers the image and does not name it.
    support
        ``float32[6, r]``: weights of `curation.scoring.self_training.support`; 0 in the first
        round.
    missing
        ``float64[r]``: value of the support that a candidate without relatives has.
    calibration
        Of the last round's probabilities.
    venn_abers
        Intervals of the last round's probabilities.
    boosted
        What joins the last round's linear form, if anything.
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
        """Return calibrated, lower and upper probabilities of the last round's."""
        return self.calibration.apply(p), *self.venn_abers.apply(p)


@dataclass(frozen=True, eq=False)
class Scorer:
    """The models of all folds, and what the features of a batch must be taken from."""

    models: tuple[Model, ...]
    sources: tuple[str, ...]
    facts: LabelFacts


def make_model(
    steps: Sequence[Step],
    calibration: Map,
    venn_abers: VennAbers,
    table: FeatureTable,
    boosting: HistGradientBoostingClassifier | None,
) -> Model:
    """Tabulate the rates of each round, so that they are looked up instead of computed."""
    labels, votes, weights = [], [], []
    for step in steps:
        of_label, of_votes = _tabulate(step, table)
        slope = step.slope[step.n_base :]
        labels.append(slope[0] * of_label)
        votes.append(of_votes @ slope[1:N_RATES])
        of_support = slope[N_RATES:]
        weights.append(of_support if len(of_support) else np.zeros(6))
    last = [x.astype(np.float32) for x in _tabulate(steps[-1], table)]
    return Model(
        features=_single([step.slope[: step.n_base] for step in steps]),
        constant=np.array([step.intercept for step in steps], np.float32),
        labels=_single(labels),
        votes=_single(votes),
        support=_single(weights),
        missing=np.array([step.missing for step in steps]),
        calibration=calibration,
        venn_abers=venn_abers,
        boosted=None if boosting is None else Boosted(boosting, *last),
    )


def _tabulate(step: Step, table: FeatureTable) -> tuple[Floats, Floats]:
    """Return the logits of labels, and what each source in each state adds to the two others."""
    n_sources, n_labels = len(table.sources), len(table.taxonomy)
    of_label, of_speaking, of_silent = (rates.logits() for rates in step.rates)
    added = np.zeros((n_sources, 3, n_labels, N_RATES - 1))
    added[:, 1, :, 0] = of_speaking.reshape(n_sources, n_labels) - of_label
    added[:, 2, :, 1] = of_silent.reshape(n_sources, n_labels) - of_label
    return of_label, added.reshape(n_sources * 3, n_labels, N_RATES - 1)


def apply(scorer: Scorer, table: FeatureTable, intervals: bool = False) -> Floats32:
    """Return the calibrated probability of each candidate, by the model of its fold.

    Parameters
    ----------
    scorer
        What was learnt.
    table
        Candidates of whole images, with the features of the scorer's sources and facts, none of
        which was fitted on.
    intervals
        Whether to return the bounds of `curation.scoring.venn_abers` with it.

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
        own = p[inside]
        result[:, inside] = model.outputs(own) if intervals else model.calibration.apply(own)
    closed = np.array([table.relatives.closed(row) for row in result])
    return closed if intervals else closed[0]


def _boost(boosted: Boosted, table: FeatureTable, given: Floats32, rows: Ints, p: Floats) -> Floats:
    added = np.zeros((N_RATES, len(table)), np.float32)
    added[0, rows] = boosted.labels[table.label[rows]]
    added[1:, rows] = _of_votes(boosted.votes, table, rows).T
    extra = np.concatenate([added, given])
    return predict_boosting(boosted.model, table.values, extra, rows, p)


def _without_support(model: Model, table: FeatureTable, rows: Ints) -> Floats32:
    z: Floats32 = table.values[rows] @ model.features
    z += model.constant
    z += model.labels[table.label[rows]]
    z += _of_votes(model.votes, table, rows)
    return z


def _of_votes(votes: Floats32, table: FeatureTable, rows: Ints) -> Floats32:
    """Return the sum over the sources of what each adds in its state."""
    n_labels, n_rounds = votes.shape[1:]
    flat, total = votes.reshape(-1, n_rounds), np.zeros((len(rows), n_rounds), np.float32)
    state = table.voted[rows] + 2 * table.silent[rows].astype(np.int64)
    for source in range(len(table.sources)):
        total += flat.take((3 * source + state[:, source]) * n_labels + table.label[rows], axis=0)
    return total


def _single(rounds: Sequence[Floats]) -> Floats32:
    """Return the arrays of the rounds as one, the round last."""
    return np.ascontiguousarray(np.stack(rounds, axis=-1), np.float32)
