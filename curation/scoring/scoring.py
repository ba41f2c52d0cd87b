"""The probability that a candidate is right, learnt from a few hundred audits.

A ridge logistic regression on features and shrunken reliability rates, refitted on its own soft
labels (`curation.scoring.self_training`), where that is better with gradient boosting beside the
last fit (`curation.scoring.learners`), cross-fitted by image and calibrated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.agreement.label_model import count_patterns, vote_scores
from curation.intervals.judgements import Judgements, judgements
from curation.scoring.boosting import fit_boosting, predict_boosting
from curation.scoring.features import N_FOLDS, FeatureTable
from curation.scoring.learners import LEARNERS, Choice, choose_learners
from curation.scoring.model import Model, Scorer, make_model
from curation.scoring.self_training import Task, choose_ridge, learn, make_task
from curation.scoring.threads import one_thread
from labeling.errors import InputError
from labeling.keys.arrays import Floats, Floats32
from labeling.keys.ids import digest

MIN_AUDITS = 50
MIN_OF_EACH = 10
"""`score` refuses fewer audits, or fewer of one verdict: below, the cold start ranks as well."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of `n` candidates, and how they came about.

    Attributes
    ----------
    p_correct
        ``float32[n]`` in [0, 1], calibrated; of an ancestor at least that of its descendants in
        the image.
    bounds
        ``float32[2, n]`` in [0, 1]: lower and upper bound (`curation.scoring.venn_abers`), closed
        likewise.
    fold
        ``int8[n]``: the fold whose audits the candidate's model did not see.
    n_audits
        Verdicts that were learnt from.
    n_features
        Features of a candidate.
    scorer
        Scores candidates that are not among these.
    ridges, choices
        For each fold, the inverse ridge, and the learner with its calibration.
    """

    p_correct: Floats32
    bounds: Floats32
    fold: npt.NDArray[np.int8]
    n_audits: int
    n_features: int
    scorer: Scorer
    ridges: tuple[float, ...]
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


def cold_scores(table: FeatureTable) -> Floats:
    """Score candidates without any audit: to choose what to audit, and for nothing else.

    The score is the noisy-or of the strengths times what is believed of the votes: two
    thirds by the share of the covering sources that name the label, one by a model of how they err
    together (`curation.agreement.label_model.vote_scores`). It is no probability and promises no
    precision.

    Returns
    -------
    float64[n]
        In [0, 1].
    """
    patterns, pattern = count_patterns(table.voted, table.silent)
    cold: Floats = table.column("noisy_or").astype(np.float64) * vote_scores(patterns)[pattern]
    return cold


def kinds(table: FeatureTable) -> npt.NDArray[np.uint64]:
    """Return a number for each kind of candidate: the level of its label, and who names it.

    The number depends on the names of the sources, not on which others there are.

    Returns
    -------
    uint64[n]
    """
    names = [int(digest(source)[:16], 16) for source in table.sources]
    pattern = (table.voted * np.array(names, np.uint64)).sum(axis=1, dtype=np.uint64)
    kind: npt.NDArray[np.uint64] = pattern + table.column("level").astype(np.uint64)
    return kind


def score(table: FeatureTable, audits: pa.Table) -> Scores:
    """Score all candidates by models that never saw the candidate's own verdict.

    Candidates are cut by image into `N_FOLDS` folds. The model of a fold learns from the audits of
    the other folds only, chooses its ridge and its learner and fits its calibration on predictions
    out of fold *within* those, and scores the whole fold, audited or not. So a verdict never
    touches the score of its own pair, and audits inside a selection measure its precision without
    optimism.

    A model is a logistic regression on the features and three reliability sums (the label's rate,
    what the speaking and what the silent sources add to it, all leave-one-out and shrunk over
    label, parent and source). Then, `curation.scoring.self_training.N_ROUNDS` times, the rates are
    computed anew from its own probabilities for *all* candidates (verdicts where known), what it
    makes of the image's other candidates, related or not, joins the features, and it is fitted
    again. The last fit may be joined by gradient boosting
    (`curation.scoring.learners.choose_learners`). Audits weigh by the inverse of their inclusion
    probability.

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
    judged = judgements(audits, table.pairs)
    _refuse_few(judged)
    with one_thread():
        ridges, choices, models, outputs = _fit(make_task(table), judged)
    closed = np.array([table.relatives.closed(row) for row in outputs])
    return Scores(
        p_correct=closed[0],
        bounds=closed[1:],
        fold=table.fold,
        n_audits=len(judged.row),
        n_features=len(table.names),
        scorer=Scorer(tuple(models), table.sources, table.facts),
        ridges=tuple(ridges),
        choices=tuple(choices),
    )


def _fit(task: Task, judged: Judgements) -> tuple[list[float], list[Choice], list[Model], Floats32]:
    """Return the ridge, choice and model of each fold, and what they make of every candidate."""
    table = task.table
    seen = [table.fold[judged.row] != k for k in range(N_FOLDS)]
    ridges = [choose_ridge(task, judged.take(seen[k])) for k in range(N_FOLDS)]
    choices = choose_learners(task, judged, ridges)
    outputs, models = np.zeros((3, len(table)), np.float32), []
    for k, choice in enumerate(choices):
        train, inside = judged.take(seen[k]), np.flatnonzero(table.fold == k)
        learnt = learn(task, train, ridges[k])
        boosting, p = None, learnt.p[inside]
        if choice.learner == "boosting":
            boosting = fit_boosting(table.values, learnt.extra, train)
            p = predict_boosting(boosting, table.values, learnt.extra, inside, p)
        maps = choice.calibration, choice.venn_abers
        models.append(make_model(learnt.steps, *maps, table, boosting))
        outputs[:, inside] = models[-1].outputs(p)
    return ridges, choices, models, outputs


def _refuse_few(judged: Judgements) -> None:
    n_right = int(judged.correct.sum())
    n_wrong = len(judged.correct) - n_right
    if n_right + n_wrong < MIN_AUDITS or min(n_right, n_wrong) < MIN_OF_EACH:
        raise InputError(
            "too few audits to learn from",
            facts={"right": n_right, "wrong": n_wrong},
            help=f"audit at least {MIN_AUDITS} candidates, with {MIN_OF_EACH} or more of each "
            "verdict (500 are good); 'unsure' does not count",
        )
