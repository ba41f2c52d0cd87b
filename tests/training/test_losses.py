from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.losses import logistic

SHAPE = (3, 4)
FINITE = hnp.arrays(np.float64, SHAPE, elements=st.floats(-30, 30))
SHARES = hnp.arrays(np.float64, SHAPE, elements=st.floats(0, 1))
KNOWN = hnp.arrays(np.bool_, SHAPE)


@given(FINITE, SHARES, KNOWN)
def test_loss_is_the_negative_log_likelihood(logits, target, known) -> None:
    p = 1 / (1 + np.exp(-logits))
    each = -target * np.log(p) + (1 - target) * (logits + np.log1p(np.exp(-logits)))
    found = logistic(torch.tensor(logits), torch.tensor(target), torch.tensor(known * 1.0))
    assert found.item() == pytest.approx((each * known).sum() / len(logits), abs=1e-9)


@given(FINITE, SHARES, KNOWN)
def test_unknown_labels_have_no_gradient_and_others_have_p_minus_target(
    logits, target, known
) -> None:
    x = torch.tensor(logits, requires_grad=True)
    logistic(x, torch.tensor(target), torch.tensor(known * 1.0)).backward()
    expected = (1 / (1 + np.exp(-logits)) - target) / len(logits)
    assert (x.grad.numpy()[~known] == 0).all()
    assert np.allclose(x.grad.numpy()[known], expected[known], atol=1e-12)
