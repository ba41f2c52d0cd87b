"""The probability that a candidate is right, learnt from a few hundred audits.

A ridge logistic regression on features and shrunken reliability rates, refitted on its own soft
labels (`curation.scoring.self_training`), joined by gradient boosting if that is better
(`curation.scoring.learners`), cross-fitted by image and calibrated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.intervals.judgements import Judgements, judgements
from curation.scoring.boosting import fit_boosting, predict_boosting
from curation.scoring.centering import centered, common_rows
from curation.scoring.features import N_FOLDS, FeatureTable
from curation.scoring.learners import LEARNERS, Choice, choose_learners
from curation.scoring.model import FoldModel, Scorer, make_model
from curation.scoring.self_training import GroupedTable, choose_ridge, group_table, self_train
from curation.scoring.threads import one_thread
from labeling.errors import InputError
from labeling.keys.arrays import Floats, Floats32, Ints

MIN_AUDITS = 50
MIN_OF_EACH = 10
"""`score` refuses fewer audits, or fewer of one verdict: with fewer, scores without audits rank
as well."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of `n` candidates, and how they were computed.

    Attributes
    ----------
    p_correct
        ``float32[n]`` in [0, 1], calibrated; of an ancestor at least that of its descendants in
        the image.
    bounds
        ``float32[2, n]`` in [0, 1]: lower and upper bound (`curation.scoring.venn_abers`), closed
        in the same way.
    n_audits
        Verdicts of these candidates.
    n_features
        Features of a candidate.
    scorer
        Scores other candidates.
    choices
        For each fold, the learner with its calibration.
    """

    p_correct: Floats32
    bounds: Floats32
    n_audits: int
    n_features: int
    scorer: Scorer
    choices: tuple[Choice, ...]

    @property
    def n_boosted(self) -> int:
        """Folds whose learner is gradient boosting."""
        return sum(choice.learner == "boosting" for choice in self.choices)

    @property
    def losses(self) -> dict[str, float]:
        """Mean log-loss of each learner that was tried, out of fold."""
        mean = np.mean([choice.losses for choice in self.choices], axis=0)
        return dict(zip(LEARNERS, mean.tolist(), strict=False))


def score(table: FeatureTable, audits: pa.Table) -> Scores:
    """Score all candidates by models that never saw the candidate's own verdict.

    The images are cut into `N_FOLDS` folds. The model of a fold learns from the audits of the other
    folds only, chooses its ridge and its learner and fits its calibration on predictions out of
    fold *within* those, and scores the whole fold, audited or not. All models are shifted to one
    level (`curation.scoring.centering`), the only thing in the score of a pair that depends on its
    own verdict, and the same for all. So audits inside a selection measure its precision without
    optimism.

    A model is a logistic regression on the features and three reliability sums (the label's rate,
    and its change by the sources that vote and by those that are silent, all leave-one-out and
    shrunk over label, parent and source). Then, `curation.scoring.self_training.N_ROUNDS` times,
    the rates are computed again from its own probabilities of *all* candidates (verdicts where
    known), the probabilities of the image's other candidates join the features, and it is fitted
    again. Gradient boosting may join the last fit (`curation.scoring.learners.choose_learners`).
    Audits weigh by the inverse of their inclusion probability where rates are calibrated, and by
    its square root where an order is learnt (`curation.intervals.judgements.Judgements.tempered`).

    Probabilities of an image are closed: an ancestor's is raised to the largest of its descendants.
    The calibration is fitted on closed ones, and keeps the order.

    Parameters
    ----------
    table
        The candidates.
    audits
        Table of `labeling.schemas.AUDITS`.

    Raises
    ------
    InputError
        For fewer than `MIN_AUDITS` usable audits or `MIN_OF_EACH` of a verdict.
    """
    judged = judgements(audits, table.pairs).known
    _refuse_few(judged)
    with one_thread():
        choices, models, outputs = _fit(group_table(table), judged)
    closed = np.array([table.relatives.closed(row) for row in outputs])
    return Scores(
        p_correct=closed[0],
        bounds=closed[1:],
        n_audits=len(judged.row),
        n_features=len(table.names),
        scorer=Scorer(tuple(models), table.sources, table.label_statistics),
        choices=tuple(choices),
    )


def _fit(
    grouped: GroupedTable, judged: Judgements
) -> tuple[list[Choice], list[FoldModel], Floats32]:
    """Return the choice and model of each fold, and their outputs for every candidate."""
    table, plans = grouped.table, _plans(grouped, judged, N_FOLDS)
    common = common_rows(len(table), judged.row)
    models: list[FoldModel] = []
    of_common, of_fold = [], []
    for k, plan in enumerate(plans):
        inside = np.flatnonzero(table.fold == k)
        p, model = _fit_fold(grouped, plan, np.concatenate([common, inside]))
        of_common.append(p[: len(common)])
        of_fold.append((inside, p[len(common) :]))
        models.append(model)
    maps = centered([model.calibration for model in models], of_common)
    models = [replace(model, calibration=m) for model, m in zip(models, maps, strict=True)]
    outputs = np.zeros((3, len(table)), np.float32)
    for model, (inside, p) in zip(models, of_fold, strict=True):
        outputs[:, inside] = model.outputs(p)
    return [plan.choice for plan in plans], models, outputs


class _Plan(NamedTuple):
    """Judgements that the model of a fold learns from, its ridge and its learner."""

    train: Judgements
    ridge: float
    choice: Choice


def _plans(grouped: GroupedTable, judged: Judgements, n_folds: int) -> list[_Plan]:
    """Return the plan of each fold: it learns from the judgements of the others."""
    learnt, fold = judged.tempered, grouped.table.fold
    trains = [learnt.take(fold[learnt.row] != k) for k in range(n_folds)]
    ridges = [choose_ridge(grouped, train) for train in trains]
    choices = choose_learners(grouped, judged, ridges)
    return [_Plan(*of_fold) for of_fold in zip(trains, ridges, choices, strict=True)]


def _fit_fold(grouped: GroupedTable, plan: _Plan, row: Ints) -> tuple[Floats, FoldModel]:
    """Return the probabilities of some rows by one model, not calibrated, and the model."""
    table = grouped.table
    trained = self_train(grouped, plan.train, plan.ridge)
    boosting, p = None, trained.p[row]
    if plan.choice.learner == "boosting":
        boosting = fit_boosting(table.values, trained.extra, plan.train)
        p = predict_boosting(boosting, table.values, trained.extra, row, p)
    return p, make_model(trained.rounds, plan.choice, table, boosting)


def score_without(
    table: FeatureTable, audits: pa.Table, fold: npt.NDArray[np.int8], n_folds: int
) -> tuple[Floats32, list[Scorer]]:
    """Score all candidates once for each of some folds, without the audits of the fold.

    The learners are those of `score`, with one model for each fold: nothing is cross-fitted within
    the others, so that an audited pair outside the fold is scored by a model that has met its
    verdict.

    Parameters
    ----------
    table
        The candidates.
    audits
        Table of `labeling.schemas.AUDITS`.
    fold
        ``int8[n]``, from 0, the same for all candidates of an image; -1 for candidates whose audits
        teach all models.
    n_folds
        Number of folds, 3 or more.

    Returns
    -------
    p_correct, scorers
        ``float32[n_folds, n]`` in [0, 1], closed as by `score`; the models, for further candidates.

    Raises
    ------
    InputError
        For fewer than `MIN_AUDITS` usable audits or `MIN_OF_EACH` of a verdict in the other folds
        of one: those without a fold calibrate nothing.
    """
    judged = judgements(audits, table.pairs).known
    by_fold = replace(table, fold=fold)
    _refuse_few_outside(judged, fold[judged.row], n_folds)
    with one_thread():
        grouped = group_table(by_fold)
        everything = np.arange(len(table))
        plans = _plans(grouped, judged, n_folds)
        fits = [_fit_fold(grouped, plan, everything) for plan in plans]
    rows = [table.relatives.closed(model.calibration.apply(p)) for p, model in fits]
    scorers = [
        Scorer((model,) * N_FOLDS, table.sources, table.label_statistics) for _, model in fits
    ]
    return np.array(rows, np.float32), scorers


def _refuse_few_outside(judged: Judgements, fold: npt.NDArray[np.int8], n_folds: int) -> None:
    for k in range(n_folds):
        n_right, n_wrong = _verdicts(judged.take((fold != k) & (fold >= 0)))
        if n_right + n_wrong < MIN_AUDITS or min(n_right, n_wrong) < MIN_OF_EACH:
            raise InputError(
                "too few audits to learn from without those of a fold",
                facts={
                    "outside the fold": f"{n_right} right, {n_wrong} wrong",
                    "in all": len(fold),
                    "of images that cannot be used": int((fold < 0).sum()),
                },
                help=f"audit more: outside each of {n_folds} folds, {MIN_AUDITS} candidates with"
                f" {MIN_OF_EACH} or more of each verdict are needed (500 in all are good)",
            )


def _verdicts(judged: Judgements) -> tuple[int, int]:
    n_right = int(judged.correct.sum())
    return n_right, len(judged.correct) - n_right


def _refuse_few(judged: Judgements) -> None:
    n_right, n_wrong = _verdicts(judged)
    if n_right + n_wrong < MIN_AUDITS or min(n_right, n_wrong) < MIN_OF_EACH:
        raise InputError(
            "too few audits to learn from",
            facts={"right": n_right, "wrong": n_wrong},
            help=f"audit at least {MIN_AUDITS} candidates, with {MIN_OF_EACH} or more of each "
            "verdict (500 are good); 'unsure' does not count",
        )
