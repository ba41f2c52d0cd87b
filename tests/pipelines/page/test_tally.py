"""Counts of an auditor's verdicts."""

from __future__ import annotations

from pipelines.page.journal import Ask, Entry
from pipelines.page.tally import Tally

DRAWN = [(image, "cat") for image in "abcd"]


def entry(image: str, verdict: str, ask: Ask = "first") -> Entry:
    return Entry("run", image, "cat", verdict, ask, "one", 0, 0)


def test_the_start_of_the_draw_counts_and_shrinks_when_a_verdict_is_taken_back() -> None:
    tally = Tally([entry("a", "yes")])
    tally.begin(DRAWN, {("b", "cat")})
    assert tally.counted() == 2
    tally.add([entry("d", "no")])
    assert tally.counted() == 2
    tally.add([entry("c", "unsure")])
    assert tally.counted() == 4
    tally.add([entry("a", "")])
    assert tally.counted() == 0
    assert set(tally.final["first"]) == {("c", "cat"), ("d", "cat")}


def test_another_draw_is_counted_from_its_start() -> None:
    tally = Tally([entry("a", "yes")])
    tally.begin(DRAWN, ())
    assert tally.counted() == 1
    tally.begin(DRAWN[1:], ())
    assert tally.counted() == 0


def test_second_verdicts_are_compared_and_do_not_count_as_first_ones() -> None:
    tally = Tally([entry("a", "yes"), entry("b", "yes"), entry("a", "no", "repeat")])
    tally.add([entry("b", "yes", "repeat"), entry("c", "no", "repeat")])
    assert tally.same_and_twice() == (1, 2)
    assert ("c", "cat") not in tally.final["first"]
