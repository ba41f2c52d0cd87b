"""Shuffles one after the other: a job for each, or one job for all.

An engine such as Flink takes many seconds to start a job, whatever its size. Where shuffles are
small, one job does them all: when the last bucket of one is finished, a worker does what the
driver does elsewhere, and yields the splits of the next.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import apache_beam as beam

from labeling.errors import WinnowError
from pipelines.shuffle import engine, engine_jobs, failures, markers, runners
from pipelines.shuffle.engine import Shuffle, Split

MAX_BUCKETS = 16
"""Buckets of a shuffle up to which it shares a job with others.

With more of them the start of a job is a small part of its time, and workers may lack the memory
for what concludes a shuffle.
"""


class Step(Protocol):
    """A shuffle of a chain: what it is, what it reads, and what follows from its whole output."""

    def shuffle(self) -> Shuffle:
        """Return the shuffle; all before it are concluded, unless they are in the same job."""

    def splits(self) -> list[Split]:
        """Return its input; all before it are concluded."""

    def conclude(self) -> None:
        """Conclude, on any machine that sees the folders, also again after it was done."""


def run(steps: Sequence[Step], beam_options: Sequence[str], is_shared: bool) -> None:
    """Run shuffles one after the other; finished work is not done again.

    Parameters
    ----------
    steps
        The shuffles. The last is concluded on this machine.
    beam_options
        Options for Beam.
    is_shared
        Whether all workers see the same folders by the same paths as this machine.

    Raises
    ------
    WinnowError
        As `pipelines.shuffle.engine.run` does.
    """
    with runners.ready(beam_options) as options:
        while steps:
            n_done = _run_some(steps, options, is_shared)
            steps[n_done - 1].conclude()
            steps = steps[n_done:]


def _run_some(steps: Sequence[Step], options: Sequence[str], is_shared: bool) -> int:
    """Run the first steps, as many as share a job; return how many."""
    first, splits = steps[0].shuffle(), steps[0].splits()
    shuffles = [first]
    if engine.begin(first, splits):
        if is_shared and engine_jobs.is_sent(options):
            shuffles = _together([first, *(step.shuffle() for step in steps[1:])])
        for shuffle in shuffles[1:]:
            markers.forget_attempt(shuffle.work_dir)
        chain = _Chain(tuple(steps[: len(shuffles)]), tuple(shuffles))
        engine.run_job(shuffles, splits, chain, options)
    for shuffle in shuffles:
        engine.finish(shuffle)
    return len(shuffles)


def _together(shuffles: Sequence[Shuffle]) -> list[Shuffle]:
    """Return the first shuffles that share a job: one at least."""
    small = itertools.takewhile(lambda shuffle: shuffle.n_buckets <= MAX_BUCKETS, shuffles)
    return list(small) or [shuffles[0]]


@dataclass(eq=False)
class _Chain(beam.PTransform):
    """Apply shuffles one after the other, from (number, `Split`) of the first."""

    steps: tuple[Step, ...]
    shuffles: tuple[Shuffle, ...]

    def expand(self, splits: beam.PCollection) -> beam.PCollection:
        """Apply the shuffles."""
        finished = splits | self.shuffles[0].name >> self.shuffles[0]
        for number, shuffle in enumerate(self.shuffles[1:]):
            step, before = self.steps[number : number + 2], self.shuffles[number]
            splits = (
                finished
                | f"{before.name}: all" >> beam.Map(lambda bucket: (0, bucket))
                | f"{before.name}: together" >> beam.GroupByKey()
                | f"{before.name}: conclude" >> beam.ParDo(_Next(step, before, shuffle))
            )
            finished = splits | shuffle.name >> shuffle
        return finished


class _Next(beam.DoFn):
    """Concludes a step of which all buckets are finished, and begins the next."""

    def __init__(self, steps: Sequence[Step], before: Shuffle, after: Shuffle) -> None:
        self._step, self._next = steps
        self._before, self._after = before, after

    def process(self, element: tuple[int, Iterable[int]]) -> Iterator[tuple[int, Any]]:
        _, buckets = element
        if len(set(buckets)) < self._before.n_buckets:
            return  # one has failed, and written its error
        try:
            if not markers.is_concluded(self._before.work_dir):
                self._step.conclude()
                markers.conclude(self._before.work_dir)
            splits = self._next.splits()
            engine.begin_again(self._after, splits)
        except (WinnowError, OSError) as error:
            failures.write_error(self._before.work_dir, "conclude", error)
            return
        yield from enumerate(splits)
