from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.losses import LOSSES
from training.losses.asymmetric import asymmetric
from training.losses.logistic import logistic
from training.losses.rejection import without_largest
from training.losses.softmax import softmax

SHAPE = (3, 4)
FINITE = hnp.arrays(np.float64, SHAPE, elements=st.floats(-30, 30))
SHARES = hnp.arrays(np.float64, SHAPE, elements=st.floats(0, 1))
KNOWN = hnp.arrays(np.bool_, SHAPE)


@given(FINITE, SHARES, KNOWN)
def test_loss_is_the_negative_log_likelihood(logits, target, known) -> None:
    p = 1 / (1 + np.exp(-logits))
    each = -target * np.log(p) + (1 - target) * (logits + np.log1p(np.exp(-logits)))
    loss = logistic(torch.tensor(logits), torch.tensor(target), torch.tensor(known * 1.0))
    assert loss.numpy() == pytest.approx(each * known, abs=1e-9)


@given(FINITE, SHARES, KNOWN)
def test_unknown_labels_have_no_gradient_and_others_have_p_minus_target(
    logits, target, known
) -> None:
    x = torch.tensor(logits, requires_grad=True)
    logistic(x, torch.tensor(target), torch.tensor(known * 1.0)).sum().backward()
    expected = 1 / (1 + np.exp(-logits)) - target
    assert (x.grad.numpy()[~known] == 0).all()
    assert np.allclose(x.grad.numpy()[known], expected[known], atol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
@given(FINITE, SHARES, KNOWN)
def test_what_is_unknown_has_no_part_in_any_loss(name: str, logits, target, known) -> None:
    x = torch.tensor(logits, requires_grad=True)
    each = LOSSES[name](x, torch.tensor(target), torch.tensor(known * 1.0))
    each.sum().backward()
    assert each.isfinite().all() and (each >= 0).all()
    assert x.grad.isfinite().all()
    assert (each.detach().numpy()[~known] == 0).all()
    assert (x.grad.numpy()[~known] == 0).all()


@given(FINITE, SHARES, KNOWN)
def test_softmax_is_least_where_the_choice_is_the_smoothed_target(logits, target, known) -> None:
    target, known = np.where(target < 0.1, 0, target), known | (np.arange(4) == 0)
    choice = np.zeros(SHAPE)
    for image in range(len(target)):
        labels = np.flatnonzero(known[image] & (target[image] > 0))
        if len(labels):
            choice[image, labels] = target[image, labels] / len(labels)
            choice[image, known[image]] += (1 - choice[image].sum()) / known[image].sum()
    x = torch.tensor(logits, requires_grad=True)
    softmax(x, torch.tensor(target), torch.tensor(known * 1.0)).sum().backward()
    p = np.where(known, np.exp(logits - logits.max(1, keepdims=True)), 0)
    p = p / np.maximum(p.sum(1, keepdims=True), 1e-300)
    expected = (p - choice) * (choice.sum(1, keepdims=True) > 0)
    assert np.allclose(x.grad.numpy(), expected, atol=1e-6)


def test_easy_negatives_have_no_asymmetric_loss_and_positives_all_of_theirs() -> None:
    logits = torch.tensor([[-3.2, 0.0, 3.0, 1.0]])
    target = torch.tensor([[0.0, 0.0, 0.0, 1.0]])
    easy, even, hard, positive = asymmetric(logits, target, torch.ones(1, 4))[0].tolist()
    plain = logistic(logits, target, torch.ones(1, 4))[0].tolist()
    assert easy == 0
    assert even == pytest.approx(-(0.45**4) * np.log(0.55))
    assert even / plain[1] < hard / plain[2] < 1
    assert positive == plain[3]


@given(FINITE, st.integers(0, 12), KNOWN, hnp.arrays(np.bool_, SHAPE))
def test_the_largest_losses_of_assumed_negatives_alone_are_left_out(
    logits, n: int, known, positive
) -> None:
    assumed = known & ~positive
    n = min(n, int(assumed.sum()))
    target, weight = torch.tensor(positive * 0.9), torch.tensor(known * 1.0)
    each = logistic(torch.tensor(logits), target, weight)
    loss = without_largest(each, target, weight, n).numpy()
    gone = (loss == 0) & (each.numpy() > 0)
    assert (loss[~gone] == each.numpy()[~gone]).all()
    assert gone.sum() == n
    assert not gone[~assumed].any()
    left = each.numpy()[assumed & ~gone]
    assert not n or not len(left) or left.max() <= each.numpy()[gone].min()
