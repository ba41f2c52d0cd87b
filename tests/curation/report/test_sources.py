from __future__ import annotations

import numpy as np
import pytest

from curation.agreement.label_model import Patterns
from curation.report.sources import describe_sources


def test_overlap_and_agreement_are_counted_where_both_cover_the_image():
    # 6 candidates by both, 2 by a alone where b is silent, 4 by a alone which b does not cover.
    voted = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0]], bool)
    silent = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], bool)
    patterns = Patterns(voted, silent, np.array([6.0, 2.0, 4.0]))
    audited = np.array([[1, 1, 0], [1, 0, 0]], bool)
    a, b, c = describe_sources(
        ("a", "b", "c"), patterns, audited, np.array([True, False]), np.ones(2), 0.95
    )
    assert (a["n_candidates"], a["n_alone"], a["coverage"]) == (12, 6, 1.0)
    assert (b["n_candidates"], b["n_alone"], b["coverage"]) == (6, 0, 0.5)
    assert a["overlap"] == {"a": 1.0, "b": 0.5, "c": 0.0}
    assert b["overlap"] == {"a": 1.0, "b": 1.0, "c": 0.0}
    assert a["agreement"]["b"] == b["agreement"]["a"] == pytest.approx(6 / 8)
    assert (a["n_audits"], a["precision"], b["precision"]) == (2, 0.5, 1.0)
    assert c["overlap"] == {"a": None, "b": None, "c": None}
    assert np.isnan(c["precision"])
