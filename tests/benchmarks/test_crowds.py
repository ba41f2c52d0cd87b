from __future__ import annotations

import numpy as np
import pytest
from crowds import aggregate
from hypothesis import given
from hypothesis import strategies as st


def crowd(n_tasks, right, per_task, n_classes=3, seed=0):
    """Return task, voter, answer and truth; ``right[v]`` is how often voter v is right."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n_tasks)
    task = np.repeat(np.arange(n_tasks), per_task)
    voter = np.concatenate(
        [rng.choice(len(right), per_task, replace=False) for _ in range(n_tasks)]
    )
    is_right = rng.random(len(task)) < np.asarray(right)[voter]
    other = (truth[task] + rng.integers(1, n_classes, len(task))) % n_classes
    return task, voter, np.where(is_right, truth[task], other), truth


def votes_of(task, answer, n_classes):
    votes = np.zeros((task.max() + 1, n_classes))
    np.add.at(votes, (task, answer), 1)
    return votes


def accuracy(belief, truth):
    return np.mean(belief.argmax(axis=1) == truth)


def test_the_skilled_count_for_more_than_the_many():
    task, voter, answer, truth = crowd(600, [0.95] * 4 + [0.4] * 8, per_task=5)
    by_vote = votes_of(task, answer, 3)
    assert accuracy(aggregate(task, voter, answer, 3), truth) > accuracy(by_vote, truth) + 0.03


def test_a_rare_class_is_neither_lost_nor_spread():
    rng = np.random.default_rng(0)
    truth = (rng.random(600) < 0.2).astype(np.int64)
    task, voter = np.repeat(np.arange(600), 5), np.tile(np.arange(5), 600)
    right = np.array([0.9, 0.85, 0.8, 0.6, 0.6])[voter]
    answer = np.where(rng.random(3000) < right, truth[task], 1 - truth[task])
    belief = aggregate(task, voter, answer, 2)
    by_vote = votes_of(task, answer, 2)
    assert accuracy(belief, truth) > accuracy(by_vote, truth)
    assert belief.argmax(axis=1).mean() == pytest.approx(by_vote.argmax(axis=1).mean(), abs=0.05)


def test_where_tasks_have_one_answer_the_votes_decide():
    task, voter, answer, _ = crowd(50, [0.9, 0.2, 0.5], per_task=1)
    np.testing.assert_array_equal(aggregate(task, voter, answer, 3), votes_of(task, answer, 3))


@given(
    st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=4), min_size=1, max_size=8),
    st.permutations(range(3)),
)
def test_belief_sums_to_one_and_follows_the_names_of_classes(answers, renamed):
    task = np.repeat(np.arange(len(answers)), [len(a) for a in answers])
    voter = np.concatenate([np.arange(len(a)) for a in answers])
    answer = np.concatenate(answers)
    belief = aggregate(task, voter, answer, 3)
    np.testing.assert_allclose(belief.sum(axis=1), 1)
    other = aggregate(task, voter, np.asarray(renamed)[answer], 3)
    np.testing.assert_allclose(other[:, renamed], belief, atol=1e-6)


def test_no_answers_give_no_rows():
    nothing = np.zeros(0, np.int64)
    assert aggregate(nothing, nothing, nothing, 4).shape == (0, 4)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_unanimous_tasks_keep_their_answer(n_classes):
    truth = np.arange(40) % n_classes
    task, voter = np.repeat(np.arange(40), 3), np.tile(np.arange(3), 40)
    assert accuracy(aggregate(task, voter, truth[task], n_classes), truth) == 1
