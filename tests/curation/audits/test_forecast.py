from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from curation.audits.forecast import expected_share
from curation.audits.two_phase import share_above

P = expit(np.random.default_rng(0).normal(-0.2, 2.0, 5000))


@settings(max_examples=30, deadline=None)
@given(st.floats(0.3, 0.95), st.integers(1, 4000), st.integers(0, 4000))
def test_more_audits_are_expected_to_prove_more_up_to_all_that_is_precise(target, n, more):
    few, many = expected_share(P, target, n), expected_share(P, target, n + more)
    assert few <= many <= share_above(P, target) + 0.001


def test_all_that_is_precise_is_proved_if_all_is_judged():
    assert expected_share(P, 0.8, 5000) == pytest.approx(share_above(P, 0.8), abs=0.002)


def test_nothing_is_expected_where_nothing_is_precise_or_audits_are_too_few():
    assert expected_share(P * 0.5, 0.9, 1000) == 0
    assert expected_share(P, 0.9, 20) == 0
    assert expected_share(np.zeros(0), 0.9, 20) == 0
