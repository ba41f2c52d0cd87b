from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.page.questions import make_questions, mixed_in, same_and_twice
from pipelines.page.verdicts import Final

DRAWN = [(f"{i:032x}", f"label-{i % 7}") for i in range(200)]


def test_questions_keep_the_order_of_the_draw_and_ask_a_twentieth_twice() -> None:
    questions = make_questions(DRAWN, set(), set(), set(), seed=0)
    first = [q.pair for q in questions if q.ask == "first"]
    repeated = [q.pair for q in questions if q.ask == "repeat"]
    assert first == DRAWN
    assert len(repeated) == len(set(repeated)) == 10
    position = {q.pair: i for i, q in enumerate(questions) if q.ask == "first"}
    assert all(i > position[q.pair] for i, q in enumerate(questions) if q.ask == "repeat")


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 20))
def test_judged_pairs_are_asked_again_only_as_repeats(n_own: int, n_all: int, n_again: int) -> None:
    n_own, n_again = min(n_own, n_all), min(n_again, n_own, n_all)
    judged, done, again = DRAWN[:n_own], DRAWN[:n_all], DRAWN[:n_again]
    questions = make_questions(DRAWN, set(done), judged, again, seed=1)
    assert [q.pair for q in questions if q.ask == "first"] == DRAWN[n_all:]
    repeated = {q.pair for q in questions if q.ask == "repeat"}
    assert repeated <= set(judged) - set(again) | set(DRAWN[n_all:])


def test_nothing_is_asked_where_all_is_judged() -> None:
    assert make_questions(DRAWN, set(DRAWN), DRAWN, [], seed=0) == []


def test_pairs_asked_twice_are_compared_where_both_verdicts_are_sure() -> None:
    first = {
        pair: Final(v, 0) for pair, v in zip(DRAWN, ("yes", "no", "unsure", "yes"), strict=False)
    }
    again = {pair: Final(v, 1) for pair, v in zip(DRAWN, ("yes", "yes", "yes"), strict=False)}
    assert same_and_twice(first, again | {DRAWN[9]: Final("no", 1)}) == (1, 2)


def test_further_pairs_are_mixed_in_between_the_others() -> None:
    questions = make_questions(DRAWN[:100], set(), set(), set(), seed=0)
    mixed = mixed_in(questions, DRAWN[100:110], seed=0)
    checks = [(i, q.pair) for i, q in enumerate(mixed) if q.ask == "check"]
    assert sorted(pair for _, pair in checks) == sorted(DRAWN[100:110])
    assert [q for q in mixed if q.ask != "check"] == questions
    assert np.std([i for i, _ in checks]) > 10
