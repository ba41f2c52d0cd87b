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
"""Number of refits on the model's own soft labels."""

RIDGES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Inverse strengths of the ridge to choose from, strongest ridge first."""

N_CHOICE_FOLDS = 3
"""Folds of the cross-validation that chooses the ridge."""

N_RATES = 3
"""Rates that a fit sees: that of the label, and the changes by sources that vote or are silent."""

SUM_SCALE = 2.0
"""Scale of rates and support, which sum up many candidates, relative to that of raw features."""


@dataclass(frozen=True, eq=False)
class GroupedTable:
    """Candidates, with labels, votes and silences in groups of similar reliability.

    Attributes
    ----------
    table
        The `n` candidates.
    row
        ``int64[n]``: their rows among all candidates.
    labels, votes, silences
        Groups of the candidates by label, and of votes and silences by source and label.
    """

    table: FeatureTable
    row: Ints
    labels: Hierarchy
    votes: Hierarchy
    silences: Hierarchy

    @cached_property
    def n_votes(self) -> tuple[Floats32, Floats32]:
        """Number of votes and of silent sources of each candidate, ``float32[n]``."""
        table = self.table
        return table.voted.sum(1, dtype=np.float32), table.silent.sum(1, dtype=np.float32)

    def take(self, row: Ints) -> GroupedTable:
        """Return some of the candidates."""
        return _group(self.table.take(row), row)


def group_table(table: FeatureTable) -> GroupedTable:
    """Group the candidates and their votes, once for all models."""
    return _group(table, np.arange(len(table), dtype=np.int64))


def _group(table: FeatureTable, row: Ints) -> GroupedTable:
    votes, silences = by_source(table, table.voted), by_source(table, table.silent)
    return GroupedTable(table, row, by_label(table), votes, silences)


@dataclass(frozen=True, eq=False)
class RoundFit:
    """The fit of one round.

    Attributes
    ----------
    slope
        ``float64[n_base + 3]``, from the second round on ``[n_base + 9]``: weights of the features,
        of the rates and of the support.
    intercept
        Constant of the linear form.
    n_base
        Number of features.
    rates
        Rates of labels, of votes and of silences.
    missing
        Support of a candidate without relatives.
    """

    slope: Floats
    intercept: float
    n_base: int
    rates: tuple[Rates, ...]
    missing: float


@dataclass(frozen=True, eq=False)
class SelfTrained:
    """A model, and the probabilities of the candidates.

    Attributes
    ----------
    rounds
        The fits of the rounds.
    p
        ``float64[n]``: probabilities by the last round.
    extra
        ``float32[9, n]``: rates and support in the last round.
    """

    rounds: list[RoundFit]
    p: Floats
    extra: Floats32


def self_train(
    grouped: GroupedTable, judged: Judgements, ridge: float, near: GroupedTable | None = None
) -> SelfTrained:
    """Learn from the judgements, and predict every candidate.

    The first fit sees the features and the reliability rates of the audits. Each of `N_ROUNDS`
    refits sees rates over all candidates, with the model's own probabilities as labels (verdicts
    where known), and the probabilities of the related candidates of the same image.

    Parameters
    ----------
    grouped
        All candidates.
    judged
        Judgements to learn from.
    ridge
        Inverse strength.
    near
        Candidates to predict in the last round: whole images, with all judged candidates; by
        default all.
    """
    fit, p, extra = _first_fit(grouped, judged, ridge)
    rounds = [fit]
    while len(rounds) <= N_ROUNDS:
        at = grouped if near is None or len(rounds) < N_ROUNDS else near
        fit, p, extra = _refit(grouped, at, judged, ridge, p)
        rounds.append(fit)
    return SelfTrained(rounds, p, extra)


def _first_fit(
    grouped: GroupedTable, judged: Judgements, ridge: float
) -> tuple[RoundFit, Floats, Floats32]:
    audited = grouped.take(judged.row)
    rates = _fit_all(audited, judged.correct, judged.weight)
    extra = _rate_logits(grouped, rates, np.zeros(len(grouped.table), np.float32), 0.0)
    extra[:, judged.row] = _rate_logits(audited, rates, judged.correct, judged.weight)
    return _fit_round(grouped.table, extra, judged, ridge, rates, 0.0)


def _refit(
    grouped: GroupedTable, at: GroupedTable, judged: Judgements, ridge: float, p: Floats
) -> tuple[RoundFit, Floats, Floats32]:
    """Fit with `p` as labels of all candidates; return the probabilities of those of `at`."""
    correct = p.astype(np.float32)
    correct[judged.row] = judged.correct
    rates, missing = _fit_all(grouped, correct), float(p.mean())
    logits = _rate_logits(at, rates, correct[at.row], 1.0)
    extra = np.concatenate([logits, support(at.table, p[at.row], missing)])
    return _fit_round(at.table, extra, judged.at(at.row), ridge, rates, missing)


def _fit_round(
    table: FeatureTable,
    extra: Floats32,
    judged: Judgements,
    ridge: float,
    rates: tuple[Rates, ...],
    missing: float,
) -> tuple[RoundFit, Floats, Floats32]:
    slope, intercept = _fit(table, extra, judged, ridge)
    fit = RoundFit(slope, intercept, table.values.shape[1], rates, missing)
    return fit, _predict(slope, intercept, table.values, extra), extra


def choose_ridge(grouped: GroupedTable, judged: Judgements) -> float:
    """Return the ridge with the smallest log-loss, cross-validated on the first round's features.

    Images are whole in one part.
    """
    part = grouped.table.fold[judged.row] % N_CHOICE_FOLDS
    audited = grouped.take(judged.row)
    renumbered = replace(judged, row=np.arange(len(judged.row), dtype=np.int64))
    loss = np.zeros((len(RIDGES), len(judged.row)))
    for k in range(N_CHOICE_FOLDS):
        train, held_out = renumbered.take(part != k), renumbered.take(part == k)
        weight = judged.weight * (part != k)
        rates = _fit_all(audited, judged.correct, weight)
        extra = _rate_logits(audited, rates, judged.correct, weight)
        for i, ridge in enumerate(RIDGES):
            slope, intercept = _fit(audited.table, extra, train, ridge)
            row = held_out.row
            p = _predict(slope, intercept, audited.table.values[row], extra[:, row])
            loss[i, part == k] = log_loss(p, held_out)
    return RIDGES[int(np.argmin(loss.mean(axis=1)))]


def _fit_all(
    grouped: GroupedTable, correct: Verdicts, weight: Floats | None = None
) -> tuple[Rates, ...]:
    hierarchies = grouped.labels, grouped.votes, grouped.silences
    return tuple(fit_rates(hierarchy, correct, weight) for hierarchy in hierarchies)


def _rate_logits(
    grouped: GroupedTable, rates: tuple[Rates, ...], correct: Verdicts, weight: Floats | float
) -> Floats32:
    """Return the logit of the label's rate, and its change by votes and by silences, ``[3, n]``.

    Each candidate's own judgement is left out.
    """
    right = weight * correct
    of_label = rates[0].logits_without(grouped.labels.group, weight, right)
    logits = [of_label]
    hierarchies = (grouped.votes, grouped.silences)
    for h, n_votes, of_votes in zip(hierarchies, grouped.n_votes, rates[1:], strict=True):
        of_entry = weight if isinstance(weight, float) else weight[h.row]
        of_each = of_votes.logits_without(h.group, of_entry, right[h.row])
        total = np.bincount(h.row, of_each, len(of_label)).astype(np.float32)
        logits.append(total - n_votes * of_label)
    return np.array(logits, np.float32)


def support(table: FeatureTable, p: Floats, missing: Floats | float) -> Floats32:
    """Return how probable the other candidates of the image are, related or not, ``[6, n]``."""
    relatives, n_others = table.relatives, np.bincount(table.image)[table.image] - 1
    others = (np.bincount(table.image, p)[table.image] - p) / np.maximum(n_others, 1)
    return np.array(
        [
            relatives.mean_above(p, missing),
            relatives.mean_below(p, missing),
            relatives.max_below(p),
            relatives.mean_siblings(p, missing),
            relatives.max_siblings(p),
            np.where(n_others > 0, others, missing),
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
    # A smaller scale makes larger inputs, on which the ridge is weaker.
    scale[table.values.shape[1] :] /= SUM_SCALE
    model = LogisticRegression(C=ridge, solver="newton-cholesky")
    model.fit((x - center) / scale, judged.correct, sample_weight=judged.weight)
    slope: Floats = model.coef_[0] / scale
    return slope, float(model.intercept_[0] - slope @ center)


def _predict(slope: Floats, intercept: float, base: Floats32, extra: Floats32) -> Floats:
    # Products in single precision: in double they would copy the features of all candidates.
    n_base, single = base.shape[1], slope.astype(np.float32)
    z = base @ single[:n_base] + single[n_base:] @ extra
    p: Floats = expit(z.astype(np.float64) + intercept)
    return p


def log_loss(p: Floats, judged: Judgements) -> Floats:
    """Return the weighted log-loss of each judgement, ``float64[m]``."""
    p_verdict = np.where(judged.correct, p, 1 - p)
    return -judged.weight * np.log(np.maximum(p_verdict, 1e-6))
