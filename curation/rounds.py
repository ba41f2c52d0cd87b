"""One model of the scorer: a ridge logistic regression refitted on its own soft labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from curation.features import FeatureTable
from curation.relatives import Floats, Rows
from curation.reliability import Hierarchy, Rates, by_label, by_source, fit_rates
from labeling.errors import InputError

N_ROUNDS = 3
"""How often a model is refitted on its own soft labels."""

RIDGES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Inverse strengths of the ridge to choose from, strongest ridge first."""

N_CHOICE_FOLDS = 3
"""Folds of the cross-validation that chooses the ridge."""

N_RATES = 3
"""Rates that a fit sees: the label's, and what speaking and silent sources add."""

FAVOUR = 2.0
"""Scale of rates and support, which sum up many candidates, against that of raw features."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Judged candidates.

    Attributes
    ----------
    row
        ``int64[m]``: row of the candidate.
    correct
        ``float64[m]`` in {0, 1}: the verdict.
    weight
        ``float64[m]``: positive, of mean 1.
    fold
        ``int8[m]``: fold of the image.
    """

    row: Rows
    correct: Floats
    weight: Floats
    fold: npt.NDArray[np.int8]

    def take(self, chosen: npt.NDArray[np.bool_]) -> Judged:
        """Return the judgements where `chosen` (``bool[m]``) is true."""
        return Judged(
            self.row[chosen], self.correct[chosen], self.weight[chosen], self.fold[chosen]
        )


@dataclass(frozen=True, eq=False)
class Task:
    """The candidates, with labels, speaking and silent sources in groups of like reliability."""

    table: FeatureTable
    labels: Hierarchy
    speaking: Hierarchy
    silent: Hierarchy


def make_task(table: FeatureTable) -> Task:
    """Group the candidates and their votes, once for all models."""
    speaking, silent = by_source(table, table.spoke), by_source(table, table.silent)
    return Task(table, by_label(table), speaking, silent)


@dataclass(frozen=True, eq=False)
class Step:
    """What one round has learnt.

    Attributes
    ----------
    slope
        ``float64[n_base + 3]``, from the second round on ``[n_base + 9]``: weights of the features,
        of the rates and of the support.
    intercept
        The constant.
    n_base
        Number of features.
    rates
        Rates of labels, of speaking and of silent sources.
    missing
        Support of a candidate without relatives.
    """

    slope: Floats
    intercept: float
    n_base: int
    rates: tuple[Rates, ...]
    missing: float


def learn(task: Task, judged: Judged, ridge: float) -> tuple[list[Step], Floats]:
    """Learn from the judgements; return the rounds and a probability for every candidate.

    The first fit sees the features and the reliability rates of the audits. Each of `N_ROUNDS`
    refits sees rates over all candidates, whose labels are the model's own probabilities (verdicts
    where known), and how the model likes the related candidates of the same image.
    """
    correct, weight = np.zeros((2, len(task.table)))
    correct[judged.row], weight[judged.row] = judged.correct, judged.weight
    rates = _fit_all(task, correct, weight)
    extra, missing = _added(task, rates, correct, weight), 0.0
    steps: list[Step] = []
    while True:
        slope, intercept = _fit(task.table, extra, judged, ridge)
        steps.append(Step(slope, intercept, task.table.values.shape[1], rates, missing))
        p = _predict(slope, intercept, task.table.values, extra)
        if len(steps) > N_ROUNDS:
            return steps, p
        correct = p.copy()
        correct[judged.row] = judged.correct
        weight, missing = np.ones(len(p)), float(p.mean())
        rates = _fit_all(task, correct, weight)
        added = _added(task, rates, correct, weight)
        extra = np.column_stack([added, support(task.table, p, missing)])


def choose_ridge(task: Task, judged: Judged) -> float:
    """Return the weakest ridge whose log-loss is within a standard error of the best one's.

    The loss is cross-validated by image on the first round's features. Later rounds rest on
    stronger features and want less ridge than the first, hence the weakest (the one-standard-error
    rule of Breiman et al. 1984, turned round).
    """
    part = judged.fold % N_CHOICE_FOLDS
    loss = np.zeros((len(RIDGES), len(judged.row)))
    for k in range(N_CHOICE_FOLDS):
        train, held_out = judged.take(part != k), judged.take(part == k)
        correct, weight = np.zeros((2, len(task.table)))
        correct[train.row], weight[train.row] = train.correct, train.weight
        extra = _added(task, _fit_all(task, correct, weight), correct, weight)
        for i, ridge in enumerate(RIDGES):
            slope, intercept = _fit(task.table, extra, train, ridge)
            at = held_out.row
            p = _predict(slope, intercept, task.table.values[at], extra[at])
            loss[i, part == k] = _log_loss(p, held_out)
    mean = loss.mean(axis=1)
    best = int(np.argmin(mean))
    limit = mean[best] + loss[best].std() / np.sqrt(len(judged.row))
    return RIDGES[int(np.flatnonzero(mean <= limit)[-1])]


def _fit_all(task: Task, correct: Floats, weight: Floats) -> tuple[Rates, ...]:
    return tuple(fit_rates(h, correct, weight) for h in (task.labels, task.speaking, task.silent))


def _added(task: Task, rates: tuple[Rates, ...], correct: Floats, weight: Floats) -> Floats:
    """Return the label's rate and what speaking and silent sources add, logits, ``[n, 3]``.

    Each candidate's own judgement is left out.
    """
    right = weight * correct
    of_label = rates[0].logits_without(task.labels.group, weight, right)
    added = [
        np.bincount(
            h.row,
            of_votes.logits_without(h.group, weight[h.row], right[h.row]) - of_label[h.row],
            len(of_label),
        )
        for h, of_votes in zip((task.speaking, task.silent), rates[1:], strict=True)
    ]
    return np.column_stack([of_label, *added])


def support(table: FeatureTable, p: Floats, missing: Floats | float) -> Floats:
    """Return how probable the other candidates of the image are, related or not, ``[n, 6]``."""
    relatives, count = table.relatives, np.bincount(table.image)[table.image] - 1
    others = (np.bincount(table.image, p)[table.image] - p) / np.maximum(count, 1)
    return np.column_stack(
        [
            relatives.mean_above(p, missing),
            relatives.mean_below(p, missing),
            relatives.max_below(p),
            relatives.mean_siblings(p, missing),
            relatives.max_siblings(p),
            np.where(count > 0, others, missing),
        ]
    )


def _fit(table: FeatureTable, extra: Floats, judged: Judged, ridge: float) -> tuple[Floats, float]:
    """Fit on the judged rows of features and `extra`; return slopes and intercept."""
    if len(np.unique(judged.correct)) < 2:
        raise InputError(
            "the audits of one verdict all lie on a few images",
            facts={"audits": len(judged.row), "right": int(judged.correct.sum())},
            help="audit more pairs, of more images",
        )
    x = np.column_stack([table.values[judged.row], extra[judged.row]]).astype(np.float64)
    center, scale = x.mean(axis=0), x.std(axis=0)
    scale[scale < 1e-6] = 1.0
    scale[table.values.shape[1] :] /= FAVOUR
    model = LogisticRegression(C=ridge, solver="newton-cholesky")
    model.fit((x - center) / scale, judged.correct, sample_weight=judged.weight)
    slope: Floats = model.coef_[0] / scale
    return slope, float(model.intercept_[0] - slope @ center)


def _predict(
    slope: Floats, intercept: float, base: npt.NDArray[np.float32], extra: Floats
) -> Floats:
    n_base = base.shape[1]
    p: Floats = expit(base @ slope[:n_base].astype(np.float32) + extra @ slope[n_base:] + intercept)
    return p


def _log_loss(p: Floats, judged: Judged) -> Floats:
    p_verdict = np.where(judged.correct > 0, p, 1 - p)
    return -judged.weight * np.log(np.maximum(p_verdict, 1e-6))
