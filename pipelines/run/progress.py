"""Messages and progress on stderr; lines are overwritten only on a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Console

from labeling.secrets import masked
from labeling.taxonomy.confusables import visible
from pipelines.run import events
from pipelines.run.events import emit

console = Console(stderr=True, highlight=False, soft_wrap=True)

EVERY_SECONDS = 0.5 if console.is_terminal else 10.0
"""Seconds between two lines about the progress of a step."""


def notify(text: str) -> None:
    """Print one line to stderr."""
    if not emit("message", text=text):
        _print(visible(masked(text)))


def _print(text: str, end: str = "\n") -> None:
    """Print to stderr; where that is a file on a full disk, the work continues without."""
    with suppress(OSError):
        console.print(text, end=end, markup=False)


@contextmanager
def stage_line(name: str) -> Iterator[list[str]]:
    """Print one line for a stage when the block ends: its name, facts and time.

    Yields
    ------
    list
        Facts; append to it.
    """
    started = time.perf_counter()
    if console.is_terminal and not events.ON:
        _print(f"{name} …", end="\r")
    facts: list[str] = []
    yield facts
    seconds = time.perf_counter() - started
    if not emit("stage", stage=name, facts=facts, seconds=round(seconds, 3)):
        notify(f"{name:<10} {', '.join(facts)}  ({seconds:.1f} s)")


class Progress:
    """Prints the progress of a long step: in place on a terminal, else rarely.

    `before` units were finished when it began; they do not count for the rate.
    """

    def __init__(self, name: str, unit: str, before: int = 0) -> None:
        self._name = name
        self._unit = unit
        self._before = before
        self._started = time.perf_counter()
        self._printed = self._started

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Print that `done` of `total` units are finished, with rate and time left."""
        now = time.perf_counter()
        if now - self._printed < EVERY_SECONDS or done <= self._before:
            return
        self._printed = now
        rate = (done - self._before) / (now - self._started)
        left = (total - done) / rate
        numbers = {"done": done, "total": total, "unit": self._unit, "seconds_left": round(left, 1)}
        if emit("progress", step=self._name, **numbers, note=note.strip(" ,")):
            return
        speed = f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s"
        text = f"{self._name}: {done:,} of {total:,} {self._unit}, {speed}, {left:,.0f} s left"
        end = "\r" if console.is_terminal else "\n"
        _print(f"{text}{note}", end)
