"""The labels of tasks that several voters answered, without any audit.

What comes out ranks; it is not the probability of anything, and no precision is promised from it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from labeling.keys.arrays import Floats, Ints

N_ITERATIONS = 50
CONVERGED = 1e-4

SKILL_PRIOR = 5.0
"""Answers of a class that the pooled confusion matrix counts for in a voter's own."""

COIN_PRIOR = 4.0
"""Answers that the pooled share of right ones counts for in a voter's own."""

MIN_ANSWERS = 2.0
"""Answers that a task needs on the average, for skills to be seen at all."""


def aggregate(task: Ints, voter: Ints, answer: Ints, n_classes: int) -> Floats:
    """Return how far each class is believed for each task: half by vote, half by voters' skills.

    No single model is safe: estimated skills gain much on crowds and lose as much where voters err
    together. So the share of votes is mixed in equal parts with two models of skills, the one coin
    of a voter and the confusion matrix (Dawid & Skene 1979) shrunk to the pooled one. Both are
    fitted by EM under the constraint that each class keeps the share of tasks that the majority
    gives it: unconstrained, correlated voters drag all tasks into one class. Where tasks have less
    than `MIN_ANSWERS` answers on the average, skills cannot be distinguished from luck, and votes
    decide.

    Voters who copy one another look skilled: a third of them in league can bring it below the
    majority. For candidates, whose sources do err together, there is
    `curation.agreement.label_model`.

    Parameters
    ----------
    task, voter, answer
        ``int64[m]``: codes from 0 of each answer's task, voter and class; every task has an answer.
    n_classes
        Number of classes.

    Returns
    -------
    float64[n_tasks, n_classes]
        Rows sum to 1.

    Examples
    --------
    >>> task, voter = np.repeat(np.arange(3), 3), np.tile(np.arange(3), 3)
    >>> aggregate(task, voter, np.array([1, 1, 0, 0, 0, 1, 1, 1, 1]), 2).argmax(axis=1)
    array([1, 0, 1])
    """
    votes = np.zeros((int(task.max(initial=-1)) + 1, n_classes))
    np.add.at(votes, (task, answer), 1)
    n_answers = votes.sum(axis=1, keepdims=True)
    share: Floats = votes / n_answers
    if len(share) == 0 or n_answers.mean() < MIN_ANSWERS:
        return share
    leading = share == share.max(axis=1, keepdims=True)
    of_class = (leading / leading.sum(axis=1, keepdims=True)).mean(axis=0)
    skilled = [
        _fit(task, voter, answer, share, of_class, log_confusion)
        for log_confusion in (_confusion_matrices, _coins)
    ]
    return share / 2 + sum(skilled) / 4


def _fit(
    task: Ints,
    voter: Ints,
    answer: Ints,
    share: Floats,
    of_class: Floats,
    log_confusion: Callable[[Floats], Floats],
) -> Floats:
    """Return the posterior of each task by EM, from the shares of the votes on."""
    n_voters, n_classes = int(voter.max()) + 1, share.shape[1]
    p = share
    for _ in range(N_ITERATIONS):
        counts = np.zeros((n_voters, n_classes, n_classes))
        np.add.at(counts, (voter, answer), p[task])
        likelihood = np.zeros_like(share)
        np.add.at(likelihood, task, log_confusion(counts)[voter, answer])
        previous, p = p, _with_margins(likelihood, of_class)
        if np.abs(p - previous).max() < CONVERGED:
            break
    return p


def _confusion_matrices(counts: Floats) -> Floats:
    """Return ``log P(answer | class)`` of each voter, ``[voter, answer, class]``."""
    n_classes = counts.shape[1]
    pooled = counts.sum(axis=0) + 1 + 2 * np.eye(n_classes)
    pooled /= pooled.sum(axis=0)
    shrunk = counts + SKILL_PRIOR * pooled
    result: Floats = np.log(shrunk / shrunk.sum(axis=1, keepdims=True))
    return result


def _coins(counts: Floats) -> Floats:
    """Return the same where a voter is right with one probability, whatever the class."""
    n_classes = counts.shape[1]
    n_right, n = np.trace(counts, axis1=1, axis2=2), counts.sum(axis=(1, 2))
    right = (n_right + COIN_PRIOR * n_right.sum() / n.sum()) / (n + COIN_PRIOR)
    right = np.clip(right, 1e-6, 1 - 1e-6)[:, None, None]
    wrong = (1 - right) / max(n_classes - 1, 1)
    result: Floats = np.log(np.where(np.eye(n_classes, dtype=bool), right, wrong))
    return result


def _with_margins(likelihood: Floats, of_class: Floats) -> Floats:
    """Return posteriors whose mean over the tasks is `of_class`, by iterative scaling."""
    logit = likelihood + np.log(of_class + 1e-9)
    shift = np.zeros(len(of_class))
    for _ in range(30):
        z = logit + shift
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        shift += np.log((of_class + 1e-6) / (p.mean(axis=0) + 1e-6))
    result: Floats = p
    return result
