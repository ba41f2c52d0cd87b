from __future__ import annotations

import numpy as np

from curation.intervals.judgements import Judgements


def test_tempered_weights_are_square_roots_with_a_mean_of_one() -> None:
    judged = judgements_of([0.01, 0.04, 0.16, 1.0])
    weight = judged.tempered.weight
    np.testing.assert_allclose(weight / weight[-1], [10, 5, 2.5, 1])
    assert weight.mean() == 1
    assert (judged.tempered.correct == judged.correct).all()


def test_tempering_leaves_an_even_draw_as_it_is() -> None:
    judged = judgements_of([0.2, 0.2])
    np.testing.assert_allclose(judged.tempered.weight, judged.weight)
    assert len(judgements_of([]).tempered.weight) == 0


def judgements_of(p_inclusion: list[float]) -> Judgements:
    p = np.array(p_inclusion)
    row = np.arange(len(p), dtype=np.int64)
    return Judgements(row, row % 2 == 0, p, mean_weight=float(np.mean(1 / p)) if len(p) else 1.0)
