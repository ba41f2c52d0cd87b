"""Counts of one auditor's verdicts, kept up to date verdict by verdict."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Sequence

from pipelines.page.journal import ASKS, Ask, Entry
from pipelines.page.questions import same_and_twice
from pipelines.page.verdicts import Final, Pair, final_of


class Tally:
    """Last verdicts of an auditor on the pairs of a draw.

    Attributes
    ----------
    final
        By kind of question: the last verdict on each pair; none where it was taken back.
    drawn
        Pairs in the order of the draw.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.final: dict[Ask, dict[Pair, Final]] = {ask: {} for ask in ASKS}
        self.drawn: Sequence[Pair] = []
        self._by_others: frozenset[Pair] = frozenset()
        self._n_counted = 0
        self._lock = threading.Lock()
        self.add(entries)

    def begin(self, drawn: Sequence[Pair], by_others: Iterable[Pair]) -> None:
        """Count the pairs of another draw, some of which others have judged."""
        self.drawn, self._by_others, self._n_counted = drawn, frozenset(by_others), 0

    def add(self, entries: Iterable[Entry]) -> None:
        """Add verdicts."""
        with self._lock:
            for entry in entries:
                final, pair = self.final[entry.ask], (entry.image_id, entry.label_id)
                if entry.verdict:
                    final[pair] = final_of(entry)
                elif final.pop(pair, None) is not None:
                    self._n_counted = 0  # the pair may be one of those that counted

    def counted(self) -> int:
        """Return the number of pairs at the start of the draw that are all judged."""
        with self._lock:
            rest = itertools.islice(self.drawn, self._n_counted, None)
            self._n_counted += sum(1 for _ in itertools.takewhile(self._is_judged, rest))
            return self._n_counted

    def _is_judged(self, pair: Pair) -> bool:
        return pair in self.final["first"] or pair in self._by_others

    def same_and_twice(self) -> tuple[int, int]:
        """Return how many pairs asked twice have the same sure verdict, and how many have two."""
        with self._lock:
            return same_and_twice(self.final["first"], self.final["repeat"])
