from __future__ import annotations

import numpy as np
import pyarrow as pa

from curation.intervals.judgements import Judgements
from curation.selection.choose import choose
from labeling.keys.ids import digest
from labeling.schemas import SCORED
from pipelines.selecting.next_audits import N_MORE, measure_next
from tests.curation.selection.requests import request_of

N, N_JUDGED = 6000, 400
RNG = np.random.default_rng(0)
P = np.sort(RNG.random(N).astype(np.float32))[::-1]
LABEL = np.where(np.arange(N) % 3 == 0, "apple", "pear")
ROW = np.sort(RNG.choice(N, N_JUDGED, replace=False))
CORRECT = RNG.random(N_JUDGED) < P[ROW]


def request_for(**options):
    scored = pa.table(
        {"image_id": [digest(str(i)) for i in range(N)], "label_id": LABEL, "p_correct": P},
        schema=SCORED.arrow,
    )
    judged = Judgements(ROW, CORRECT, np.full(N_JUDGED, N_JUDGED / N))
    return request_of(scored, judged, **options)


def test_more_audits_of_a_proof_are_worth_candidates_between_what_is_kept_and_what_is_precise():
    request = request_for(precision=0.7)
    selection = choose(request)
    known = measure_next(request, selection, {})
    threshold = P[np.asarray(selection.table["kept"])].min()
    assert known["next_n"] == N_JUDGED + N_MORE
    assert 0 < known["next_kept"] < N / 10
    assert known["next_p_high"] <= threshold
    assert 0.3 < known["next_p_low"] < known["next_p_high"]
    assert known["next_labels"] == ["pear", "apple"]


def test_more_audits_of_a_share_narrow_its_interval():
    request = request_for(keep=0.5)
    selection = choose(request)
    facts = {"precision_low": 0.7, "precision_high": 0.8, "n_audits_kept": 200}
    known = measure_next(request, selection, facts)
    assert 0.08 < known["next_width"] < 0.09
    assert known["next_labels"] == ["pear", "apple"]


def test_nothing_is_promised_where_all_that_is_precise_is_kept():
    request = request_for(precision=0.2)
    known = measure_next(request, choose(request), {})
    assert known["next_kept"] == 0
    assert known["next_labels"] == []
