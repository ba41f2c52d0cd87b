"""One model of the scorer: a ridge logistic regression refitted on its own soft labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from curation.intervals.judgements import Judgements, Verdicts
from curation.scoring.features import FeatureTable
from curation.scoring.reliability import Hierarchy, Rates, by_label, by_source, fit_rates
from labeling.errors import InputError
from labeling.keys.arrays import Floats, Floats32, Ints

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
class Task:
    """Candidates, with labels, speaking and silent sources in groups of like reliability.

    Attributes
    ----------
    row
        ``int64[n]``: where they lie among all candidates.
    """

    table: FeatureTable
    row: Ints
    labels: Hierarchy
    speaking: Hierarchy
    silent: Hierarchy

    @cached_property
    def n_votes(self) -> tuple[Floats32, Floats32]:
        """How many sources speak for each candidate, and how many are silent, ``float32[n]``."""
        table = self.table
        return table.voted.sum(1, dtype=np.float32), table.silent.sum(1, dtype=np.float32)

    def take(self, row: Ints) -> Task:
        """Return the task of some of the candidates."""
        return _make_task(self.table.take(row), row)


def make_task(table: FeatureTable) -> Task:
    """Group the candidates and their votes, once for all models."""
    return _make_task(table, np.arange(len(table), dtype=np.int64))


def _make_task(table: FeatureTable, row: Ints) -> Task:
    speaking, silent = by_source(table, table.voted), by_source(table, table.silent)
    return Task(table, row, by_label(table), speaking, silent)


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


@dataclass(frozen=True, eq=False)
class Learnt:
    """What `learn` returns.

    Attributes
    ----------
    steps
        The rounds.
    p
        ``float64[n]``: what the last round makes of the candidates.
    extra
        ``float32[9, n]``: the rates and the support that the last round saw.
    """

    steps: list[Step]
    p: Floats
    extra: Floats32


def learn(task: Task, judged: Judgements, ridge: float, near: Task | None = None) -> Learnt:
    """Learn from the judgements, and predict every candidate.

    The first fit sees the features and the reliability rates of the audits. Each of `N_ROUNDS`
    refits sees rates over all candidates, whose labels are the model's own probabilities (verdicts
    where known), and how the model likes the related candidates of the same image.

    Parameters
    ----------
    task
        All candidates.
    judged
        What to learn from.
    ridge
        Inverse strength.
    near
        Those to predict in the end: whole images, with all that are judged; by default all.
    """
    step, p, extra = _begin(task, judged, ridge)
    steps = [step]
    while len(steps) <= N_ROUNDS:
        at = task if near is None or len(steps) < N_ROUNDS else near
        step, p, extra = _refit(task, at, judged, ridge, p)
        steps.append(step)
    return Learnt(steps, p, extra)


def _begin(task: Task, judged: Judgements, ridge: float) -> tuple[Step, Floats, Floats32]:
    own = task.take(judged.row)
    rates = _fit_all(own, judged.correct, judged.weight)
    extra = _added(task, rates, np.zeros(len(task.table), np.float32), 0.0)
    extra[:, judged.row] = _added(own, rates, judged.correct, judged.weight)
    slope, intercept = _fit(task.table, extra, judged, ridge)
    step = Step(slope, intercept, task.table.values.shape[1], rates, 0.0)
    return step, _predict(slope, intercept, task.table.values, extra), extra


def _refit(
    task: Task, at: Task, judged: Judgements, ridge: float, p: Floats
) -> tuple[Step, Floats, Floats32]:
    """Fit on what `p` says of all candidates; return what it makes of those of `at`."""
    correct = p.astype(np.float32)
    correct[judged.row] = judged.correct
    rates, missing = _fit_all(task, correct), float(p.mean())
    added = _added(at, rates, correct[at.row], 1.0)
    extra = np.concatenate([added, support(at.table, p[at.row], missing)])
    slope, intercept = _fit(at.table, extra, judged.at(at.row), ridge)
    step = Step(slope, intercept, at.table.values.shape[1], rates, missing)
    return step, _predict(slope, intercept, at.table.values, extra), extra


def choose_ridge(task: Task, judged: Judgements) -> float:
    """Return the ridge with the smallest log-loss, cross-validated on the first round's features.

    Images are whole in one part.
    """
    part = task.table.fold[judged.row] % N_CHOICE_FOLDS
    own = task.take(judged.row)
    here = replace(judged, row=np.arange(len(judged.row), dtype=np.int64))
    loss = np.zeros((len(RIDGES), len(judged.row)))
    for k in range(N_CHOICE_FOLDS):
        train, held_out = here.take(part != k), here.take(part == k)
        weight = judged.weight * (part != k)
        extra = _added(own, _fit_all(own, judged.correct, weight), judged.correct, weight)
        for i, ridge in enumerate(RIDGES):
            slope, intercept = _fit(own.table, extra, train, ridge)
            at = held_out.row
            p = _predict(slope, intercept, own.table.values[at], extra[:, at])
            loss[i, part == k] = log_loss(p, held_out)
    return RIDGES[int(np.argmin(loss.mean(axis=1)))]


def _fit_all(task: Task, correct: Verdicts, weight: Floats | None = None) -> tuple[Rates, ...]:
    return tuple(fit_rates(h, correct, weight) for h in (task.labels, task.speaking, task.silent))


def _added(
    task: Task,
    rates: tuple[Rates, ...],
    correct: Verdicts,
    weight: Floats | float,
) -> Floats32:
    """Return the label's rate and what speaking and silent sources add, logits, ``[3, n]``.

    Each candidate's own judgement is left out.
    """
    right = weight * correct
    of_label = rates[0].logits_without(task.labels.group, weight, right)
    added = [of_label]
    hierarchies = (task.speaking, task.silent)
    for h, n_votes, of_votes in zip(hierarchies, task.n_votes, rates[1:], strict=True):
        of_entry = weight if isinstance(weight, float) else weight[h.row]
        of_each = of_votes.logits_without(h.group, of_entry, right[h.row])
        total = np.bincount(h.row, of_each, len(of_label)).astype(np.float32)
        added.append(total - n_votes * of_label)
    return np.array(added, np.float32)


def support(table: FeatureTable, p: Floats, missing: Floats | float) -> Floats32:
    """Return how probable the other candidates of the image are, related or not, ``[6, n]``."""
    relatives, count = table.relatives, np.bincount(table.image)[table.image] - 1
    others = (np.bincount(table.image, p)[table.image] - p) / np.maximum(count, 1)
    return np.array(
        [
            relatives.mean_above(p, missing),
            relatives.mean_below(p, missing),
            relatives.max_below(p),
            relatives.mean_siblings(p, missing),
            relatives.max_siblings(p),
            np.where(count > 0, others, missing),
        ],
        np.float32,
    )


def _fit(
    table: FeatureTable, extra: Floats32, judged: Judgements, ridge: float
) -> tuple[Floats, float]:
    """Fit on the judged rows of features and `extra`; return slopes and intercept."""
    if len(np.unique(judged.correct)) < 2:
        raise InputError(
            "the audits of one verdict all lie on a few images",
            facts={"audits": len(judged.row), "right": int(judged.correct.sum())},
            help="audit more pairs, of more images",
        )
    x = np.column_stack([table.values[judged.row], extra[:, judged.row].T]).astype(np.float64)
    center, scale = x.mean(axis=0), x.std(axis=0)
    scale[scale < 1e-6] = 1.0
    scale[table.values.shape[1] :] /= FAVOUR
    model = LogisticRegression(C=ridge, solver="newton-cholesky")
    model.fit((x - center) / scale, judged.correct, sample_weight=judged.weight)
    slope: Floats = model.coef_[0] / scale
    return slope, float(model.intercept_[0] - slope @ center)


def _predict(slope: Floats, intercept: float, base: Floats32, extra: Floats32) -> Floats:
    n_base, single = base.shape[1], slope.astype(np.float32)
    z = base @ single[:n_base] + single[n_base:] @ extra
    p: Floats = expit(z.astype(np.float64) + intercept)
    return p


def log_loss(p: Floats, judged: Judgements) -> Floats:
    """Return the weighted log-loss of each judgement, ``float64[m]``."""
    p_verdict = np.where(judged.correct, p, 1 - p)
    return -judged.weight * np.log(np.maximum(p_verdict, 1e-6))
