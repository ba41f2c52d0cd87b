"""What winnow says while it works: to stderr, in colour and in place only on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from labeling.taxonomy.confusables import visible

console = Console(stderr=True, highlight=False, soft_wrap=True)

EVERY_SECONDS = 0.5 if console.is_terminal else 10.0
"""Seconds between two words about how far a step is."""


def notify(text: str) -> None:
    """Print one line of talk."""
    console.print(visible(text), markup=False)


@contextmanager
def stage_line(name: str) -> Iterator[list[str]]:
    """Announce a step, and what came of it with the time it took.

    Yields
    ------
    list
        Append to it the facts to print at the end.
    """
    started = time.perf_counter()
    if console.is_terminal:
        console.print(f"{name} …", end="\r", markup=False)
    facts: list[str] = []
    yield facts
    seconds = time.perf_counter() - started
    notify(f"{name:<10} {', '.join(facts)}  ({seconds:.1f} s)")


class Progress:
    """Tells how far a long step is, from finished work: in place on a terminal, else rarely.

    Of the units, `before` were finished before it began, and say nothing of the rate.
    """

    def __init__(self, name: str, unit: str, before: int = 0) -> None:
        self._name = name
        self._unit = unit
        self._before = before
        self._started = time.perf_counter()
        self._told = self._started

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Tell that `done` of `total` units are finished."""
        now = time.perf_counter()
        if now - self._told < EVERY_SECONDS or done <= self._before:
            return
        self._told = now
        rate = (done - self._before) / (now - self._started)
        left = (total - done) / rate
        speed = f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s"
        text = f"{self._name}: {done:,} of {total:,} {self._unit}, {speed}, {left:,.0f} s left"
        end = "\r" if console.is_terminal else "\n"
        console.print(f"{text}{note}", end=end, markup=False)
        sys.stderr.flush()
