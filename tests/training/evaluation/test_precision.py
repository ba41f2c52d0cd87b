from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from labeling.errors import InputError
from training.evaluation.precision import average_precision, average_precisions, precision_at


@given(
    st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=1, max_size=30).filter(
        lambda pairs: any(positive for _, positive in pairs)
    )
)
def test_average_precision_is_that_of_scikit_learn_with_ties(pairs) -> None:
    scores = np.array([score for score, _ in pairs], np.float32) / 4
    positive = np.array([positive for _, positive in pairs])
    expected = average_precision_score(positive, scores)
    assert average_precision(scores, positive) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("scores", "positive"), [([0.5, 0.1], [False, False]), ([np.nan, 1], [True, False]), ([], [])]
)
def test_average_precision_refuses_what_has_none(scores, positive) -> None:
    with pytest.raises(InputError):
        average_precision(np.array(scores), np.array(positive, bool))


def test_labels_on_all_images_or_none_have_no_average_precision() -> None:
    positive = np.array([[True, False, True], [True, False, False]])
    precisions = average_precisions(np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.9]]), positive)
    assert np.array_equal(precisions, [np.nan, np.nan, 0.5], equal_nan=True)


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_precision_of_the_first_k_is_that_of_a_loop(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    scores, positive = rng.integers(0, 4, (6, 4)) / 4, rng.random((6, 4)) < 0.5
    ranked = [sorted(range(4), key=lambda j, row=row: -row[j])[:k] for row in scores]
    expected = np.mean([positive[i, j] for i, row in enumerate(ranked) for j in row])
    assert precision_at(k, scores, positive) == pytest.approx(expected)
