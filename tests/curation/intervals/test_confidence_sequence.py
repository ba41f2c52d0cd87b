from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from curation.audits.audits import N_BANDS, bands, sample
from curation.intervals.confidence_sequence import GROWTH, confidence_of_look, n_of_next_look
from curation.intervals.precision import precision_interval
from curation.pairs.pair_keys import find_pairs
from labeling.keys.ids import digest


@given(st.floats(0.01, 0.999))
def test_all_looks_together_fail_as_rarely_as_promised(confidence):
    failures = [1 - confidence_of_look(k, confidence) for k in range(1, 2000)]
    assert 0.999 * (1 - confidence) < sum(failures) <= (1 - confidence) * (1 + 1e-9)


@given(st.integers(10, 10**6), st.floats(0.001, 1), st.floats(0.001, 1))
def test_the_next_look_has_more_audits_within_bounds(n, width, target):
    n_next = n_of_next_look(n, width, target)
    assert GROWTH[0] * n <= n_next <= GROWTH[1] * n + 1
    assert n_next >= min(GROWTH[1], (width / target) ** 2) * n


def test_intervals_hold_at_all_of_many_looks():
    """Nine nested batches are looked at, with another kept set each: intervals made for one look
    fail somewhere in more than a tenth of the runs, those for many in a twentieth at most."""
    n, n_runs, looks = 3000, 150, [100, 140, 200, 280, 400, 550, 750, 1000, 1400]
    rng = np.random.default_rng(0)
    pairs = pa.table({"image_id": [digest(str(i)) for i in range(n)], "label_id": ["cat"] * n})
    correct = rng.random(n) < 0.5
    cold = 0.5 * correct + rng.random(n)
    band = bands(pairs, cold)
    kept = [correct + 0.7 * rng.normal(size=n) > 0.9 for _ in looks]
    size = np.bincount(band, minlength=N_BANDS)
    n_kept = [np.bincount(band[k], minlength=N_BANDS) for k in kept]
    truths = [correct[k].mean() for k in kept]
    failed_somewhere = {"one look": 0, "all looks": 0}
    for seed in range(n_runs):
        order = find_pairs(sample(pairs, cold, looks[-1], seed), pairs)
        fails = {"one look": False, "all looks": False}
        for k, (m, keep, truth) in enumerate(zip(looks, kept, truths, strict=True)):
            row = order[:m]
            p = (np.bincount(band[row], minlength=N_BANDS) / size)[band[row]]
            inside = keep[row]
            for name, confidence in (
                ("one look", 0.95),
                ("all looks", confidence_of_look(k + 1, 0.95)),
            ):
                interval = precision_interval(
                    correct[row][inside],
                    p[inside],
                    stratum=band[row][inside].astype(np.int64),
                    n_kept=n_kept[k],
                    confidence=confidence,
                )
                fails[name] |= not interval.low <= truth <= interval.high
        for name, failed in fails.items():
            failed_somewhere[name] += failed
    assert failed_somewhere["all looks"] <= binom.isf(0.05, n_runs, 0.05)
    assert failed_somewhere["one look"] > 0.1 * n_runs
