"""What the scorer has learnt, applied to candidates that it was not fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from curation.calibration import Calibration
from curation.features import FeatureTable, LabelFacts
from curation.relatives import Floats, Rows, Single
from curation.rounds import N_RATES, Step, support


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
        ``float32[6, r]``: weights of `curation.rounds.support`; 0 in the first round.
    missing
        ``float64[r]``: value of the support that a candidate without relatives has.
    calibration
        Of the last round's probabilities.
    """

    features: Single
    constant: Single
    labels: Single
    votes: Single
    support: Single
    missing: Floats
    calibration: Calibration


@dataclass(frozen=True, eq=False)
class Scorer:
    """The models of all folds, and what the features of a batch must be taken from."""

    models: tuple[Model, ...]
    sources: tuple[str, ...]
    facts: LabelFacts


def make_model(
    steps: Sequence[Step], calibration: Calibration, n_sources: int, n_labels: int
) -> Model:
    """Tabulate the rates of each round, so that they are looked up instead of computed."""
    labels, votes, weights = [], [], []
    for step in steps:
        of_label, of_speaking, of_silent = (rates.logits() for rates in step.rates)
        label_slope, speaking_slope, silent_slope = step.slope[step.n_base :][:N_RATES]
        added = np.zeros((n_sources, 3, n_labels))
        added[:, 1] = speaking_slope * (of_speaking.reshape(n_sources, n_labels) - of_label)
        added[:, 2] = silent_slope * (of_silent.reshape(n_sources, n_labels) - of_label)
        labels.append(label_slope * of_label)
        votes.append(added.reshape(n_sources * 3, n_labels))
        of_support = step.slope[step.n_base + N_RATES :]
        weights.append(of_support if len(of_support) else np.zeros(6))
    return Model(
        features=_single([step.slope[: step.n_base] for step in steps]),
        constant=np.array([step.intercept for step in steps], np.float32),
        labels=_single(labels),
        votes=_single(votes),
        support=_single(weights),
        missing=np.array([step.missing for step in steps]),
        calibration=calibration,
    )


def apply(scorer: Scorer, table: FeatureTable) -> Single:
    """Return the calibrated probability of each candidate, by the model of its fold.

    Parameters
    ----------
    scorer
        What was learnt.
    table
        Candidates of whole images, with the features of the scorer's sources and facts, none of
        which was fitted on.

    Returns
    -------
    float32[n]
        In [0, 1], and of an ancestor at least that of its descendants in the image.
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
    calibrated = np.empty(len(table), np.float32)
    for model, inside in zip(scorer.models, rows, strict=True):
        calibrated[inside] = model.calibration.apply(p[inside])
    return table.relatives.closed(calibrated)


def _without_support(model: Model, table: FeatureTable, rows: Rows) -> Single:
    label = table.label[rows]
    z: Single = table.values[rows] @ model.features
    z += model.constant
    z += model.labels[label]
    state = table.spoke[rows] + 2 * table.silent[rows].astype(np.int8)
    for source in range(len(table.sources)):
        z += model.votes[3 * source + state[:, source], label]
    return z


def _single(rounds: Sequence[Floats]) -> Single:
    """Return the arrays of the rounds as one, the round last."""
    return np.ascontiguousarray(np.stack(rounds, axis=-1), np.float32)
