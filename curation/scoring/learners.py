"""The choice of a learner for each fold, and its calibration, by predictions out of fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curation.intervals.judgements import Judgements
from curation.scoring.boosting import MIN_BOOSTED, fit_boosting, predict_boosting
from curation.scoring.calibration import Map, fit_calibration
from curation.scoring.self_training import GroupedTable, log_loss, self_train
from curation.scoring.venn_abers import VennAbers, fit_venn_abers
from labeling.keys.arrays import Floats

LEARNERS = ("logistic", "boosting")


@dataclass(frozen=True, eq=False)
class Choice:
    """The learner of a fold.

    Attributes
    ----------
    learner
        One of `LEARNERS`.
    calibration
        Of its probabilities.
    venn_abers
        Intervals of its probabilities.
    losses
        Mean log-loss of each learner that was tried, calibrated, on the other folds.
    """

    learner: str
    calibration: Map
    venn_abers: VennAbers
    losses: tuple[float, ...]


def choose_learners(grouped: GroupedTable, judged: Judgements, ridges: list[float]) -> list[Choice]:
    """Choose the learner of each fold and calibrate it, by the judgements of the other folds.

    Boosting joins the logistic regression (`curation.scoring.boosting`). It is tried with
    `MIN_BOOSTED` judgements or more, and chosen unless the log-loss is higher by more than one
    standard error of the paired differences: the mean of both learners errs less than either, even
    where the audits are too few to prove it.

    Parameters
    ----------
    ridges
        That of each fold: `FeatureTable.fold` counts them from 0. Judgements without a fold (-1)
        teach all learners, and calibrate none.
    """
    p = _out_of_fold(grouped, judged.tempered, ridges)
    fold = grouped.table.fold[judged.row]
    seen = [(fold != k) & (fold >= 0) for k in range(len(ridges))]
    return [_choose(p[:, k, chosen], judged.take(chosen)) for k, chosen in enumerate(seen)]


def _choose(p: Floats, judged: Judgements) -> Choice:
    """Choose by the predictions of each learner, ``[n_learners, m]``."""
    maps = [fit_calibration(of_learner, judged.correct, judged.weight) for of_learner in p]
    loss = np.array([log_loss(m.apply(x), judged) for m, x in zip(maps, p, strict=True)])
    chosen = 0
    if len(p) > 1:
        gain = loss[0] - loss[1]
        chosen = int(gain.mean() > -gain.std() / np.sqrt(len(gain)))
    intervals = fit_venn_abers(p[chosen], judged.correct, judged.weight)
    losses = tuple(float(x.mean()) for x in loss)
    return Choice(LEARNERS[chosen], maps[chosen], intervals, losses)


def _out_of_fold(grouped: GroupedTable, judged: Judgements, ridges: list[float]) -> Floats:
    """Return each learner's prediction of each judgement for each fold.

    ``[n_learners, n_folds, m]``, NaN for judgements of that fold and for those without one.

    A model that is fitted without two folds serves both: for the choice in one of them it predicts
    the judgements of the other.
    """
    table, fold = grouped.table, grouped.table.fold[judged.row]
    near = grouped.take(np.flatnonzero(np.isin(table.image, table.image[judged.row])))
    row_near = judged.at(near.row).row
    n_learners = 1 + (len(judged.row) >= MIN_BOOSTED)
    n_folds = len(ridges)
    result = np.full((n_learners, n_folds, len(judged.row)), np.nan)
    for k in range(n_folds):
        for j in range(n_folds):
            held_out = fold == j
            if j == k or not held_out.any() or not np.isnan(result[0, k, held_out]).any():
                continue
            train = judged.take((fold != k) & ~held_out)
            p = _predictions(grouped, near, train, ridges[k], n_learners)[:, row_near]
            result[:, k, held_out] = p[:, held_out]
            if ridges[j] == ridges[k]:
                result[:, j, fold == k] = p[:, fold == k]
    return result


def _predictions(
    grouped: GroupedTable, near: GroupedTable, train: Judgements, ridge: float, n_learners: int
) -> Floats:
    """Return the probabilities of the candidates of `near`, ``[n_learners, n_near]``.

    They are closed: no label is less probable than one below it in the taxonomy. Those of boosting
    are computed only for the folds without training judgements.
    """
    trained, base = self_train(grouped, train, ridge, near), near.table.values
    p = np.tile(trained.p, (n_learners, 1))
    if n_learners > 1:
        model = fit_boosting(base, trained.extra, train.at(near.row))
        row = np.flatnonzero(~np.isin(near.table.fold, grouped.table.fold[train.row]))
        p[1, row] = predict_boosting(model, base, trained.extra, row, trained.p[row])
    return np.array([near.table.relatives.closed(of_learner) for of_learner in p])
