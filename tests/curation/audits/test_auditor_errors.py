from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from curation.audits.auditor_errors import (
    MIN_REPEATS,
    error_rates,
    known_calls,
    rates_by_known,
    rates_by_repeats,
    repeated_calls,
)
from curation.intervals.error_rates import NO_ERRORS
from labeling.errors import InputError
from labeling.keys.ids import digest
from labeling.schemas import AUDITS


def audits(*verdicts: str) -> pa.Table:
    """Return audits of a pair for each text, with its verdicts in the order of time."""
    rows = [
        {"image_id": digest(str(pair)), "label_id": "cat", "verdict": verdict, "auditor": "a"}
        for pair, text in enumerate(verdicts)
        for verdict in text.split()
    ]
    rows = [
        {**row, "seq": seq, "stratum": "all", "p_inclusion": 1.0} for seq, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(rows, schema=AUDITS.arrow)


def judged_twice(n: int, share: float, of_wrong: float, of_right: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    right = rng.random(n) < share
    draw = rng.random((n, 2))
    return np.where(right[:, None], draw >= of_right, draw < of_wrong)


def test_the_first_two_sure_verdicts_of_a_pair_count():
    table = audits("yes no yes", "no", "unsure yes skipped yes", "no no", "unsure no", "yes yes no")
    calls = repeated_calls(table.take(np.random.default_rng(0).permutation(len(table))))
    assert sorted(calls.tolist()) == [[False, False], [True, False], [True, True], [True, True]]


def test_few_pairs_judged_twice_give_no_rate():
    enough = [*["yes yes"] * MIN_REPEATS, *["no no"] * MIN_REPEATS]
    assert error_rates(audits(*enough), 0.95).basis == "repeats"
    few = error_rates(audits(*enough[1:]), 0.95)
    assert (few.basis, few.n_pairs, few.is_any) == ("none", 2 * MIN_REPEATS - 1, False)
    assert error_rates(audits("yes", "no"), 0.95) == NO_ERRORS
    given = error_rates(audits(*enough), 0.95, 0.1)
    assert (given.of_wrong, given.of_right, given.basis, given.spent) == (0.1, 0.1, "given", 0)


@pytest.mark.parametrize("share", [0.4, 0.8])
@pytest.mark.parametrize(("of_wrong", "of_right"), [(0.1, 0.1), (0.1, 0), (0, 0.1), (0.3, 0.02)])
def test_the_bounds_hold_for_errors_in_either_direction(
    share: float, of_wrong: float, of_right: float
):
    for seed in range(100):
        rates = rates_by_repeats(judged_twice(500, share, of_wrong, of_right, seed), 0.95)
        assert rates is not None
        assert of_wrong <= rates.of_wrong < 0.95
        assert of_right <= rates.of_right < 0.95


def test_an_auditor_who_errs_more_than_the_other_sets_the_bound():
    """The second may be an expert who judges some of the pairs that the first has judged."""
    rng = np.random.default_rng(0)
    right = rng.random(600) < 0.5
    first = np.where(right, True, rng.random(600) < 0.2)
    rates = rates_by_repeats(np.stack([first, right], axis=1), 0.95)
    assert rates is not None
    assert 0.2 <= rates.of_wrong < 0.35


def test_known_pairs_show_mistakes_that_all_auditors_make():
    right = np.arange(200) < 100
    called = right | (np.arange(200) >= 170)
    rates = rates_by_known(called, right, 0.95)
    assert 0.3 < rates.of_wrong < 0.5
    assert 0 < rates.of_right < 0.1
    with pytest.raises(InputError, match="too few") as caught:
        rates_by_known(called[80:], right[80:], 0.95)
    assert caught.value.facts == {"right": 20, "wrong": 100}


def test_the_first_sure_verdict_of_a_known_pair_is_compared():
    table = audits("unsure no yes", "yes", "no yes", "no", "yes")
    known = table.take([1, 3, 4]).set_column(2, "verdict", pa.array(["yes", "yes", "no"]))
    called, is_right = known_calls(table, known)
    assert sorted(zip(called.tolist(), is_right.tolist(), strict=True)) == [
        (False, False),
        (False, True),
        (True, True),
    ]


def test_verdicts_that_all_contradict_each_other_leave_nothing_to_prove():
    rates = error_rates(audits(*["yes no"] * 40, *["no yes"] * 40), 0.95)
    assert rates.of_wrong == rates.of_right == pytest.approx(0.999)
