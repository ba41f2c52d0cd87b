"""Questions of an auditor: the pairs of a draw, some of them twice."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from labeling.schemas import TRUTH
from pipelines.auditing.repeats import with_repeats
from pipelines.page.answers import pairs_of
from pipelines.page.journal import Ask
from pipelines.page.verdicts import Final, Pair

REPEATED = 0.05
"""Share of an auditor's pairs that are asked twice."""


@dataclass(frozen=True)
class Question:
    """A pair to judge; a pair that is asked again is a question of its own."""

    image_id: str
    label_id: str
    ask: Ask

    @property
    def pair(self) -> Pair:
        """Image and label."""
        return self.image_id, self.label_id


def make_questions(
    drawn: Iterable[Pair],
    done: Collection[Pair],
    first: Collection[Pair],
    repeated: Collection[Pair],
    seed: int,
) -> list[Question]:
    """Return the questions for the pairs of a draw that are not judged, in its order.

    Parameters
    ----------
    drawn
        Pairs in the order of the draw.
    done
        Pairs that were judged, by anybody.
    first, repeated
        Pairs that this auditor has judged, and judged again.
    seed
        Seed of the choice of pairs that are asked twice: a share of `REPEATED`.
    """
    asked = [pair for pair in drawn if pair not in done]
    n_twice = math.ceil(REPEATED * (len(first) + len(asked)))
    rows = with_repeats(_table(asked), _table([*first, *repeated]), n_twice, seed)
    return list(_asks(pairs_of(rows), first)) if asked else []


def mixed_in(questions: Sequence[Question], pairs: Sequence[Pair], seed: int) -> list[Question]:
    """Return questions with further ones at random positions between them, that show errors."""
    positions = np.random.Generator(np.random.PCG64(seed)).random(len(pairs)) * len(questions)
    checks = [Question(*pair, "check") for pair in pairs]
    numbered = [*enumerate(questions), *zip(positions.tolist(), checks, strict=True)]
    return [question for _, question in sorted(numbered, key=lambda each: each[0])]


def _asks(pairs: Iterable[Pair], judged: Collection[Pair]) -> Iterator[Question]:
    seen = set(judged)
    for pair in pairs:
        yield Question(*pair, "repeat" if pair in seen else "first")
        seen.add(pair)


def _table(pairs: Iterable[Pair]) -> pa.Table:
    columns = list(zip(*pairs, strict=True)) or [(), ()]
    return pa.table(dict(zip(TRUTH.arrow.names, columns, strict=True)), TRUTH.arrow)


def same_and_twice(first: Mapping[Pair, Final], repeat: Mapping[Pair, Final]) -> tuple[int, int]:
    """Return how many pairs asked twice have the same sure verdict, and how many have two."""
    both = [(first[pair].verdict, again.verdict) for pair, again in repeat.items() if pair in first]
    sure = [verdicts for verdicts in both if "unsure" not in verdicts]
    return sum(before == after for before, after in sure), len(sure)
