"""Last verdicts of an auditor, from the lines of a journal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.page.journal import Ask, Entry, Mode

Pair = tuple[str, str]


@dataclass(frozen=True)
class Final:
    """The last verdict of an auditor on a question.

    Attributes
    ----------
    verdict, at, mode, known
        As in `pipelines.page.journal.Entry`.
    """

    verdict: str
    at: int
    mode: Mode = "one"
    known: str = ""


def final_of(entry: Entry) -> Final:
    """Return the verdict of a line."""
    return Final(entry.verdict, entry.at, entry.mode, entry.known)


def final_verdicts(entries: Iterable[Entry], *asks: Ask) -> dict[Pair, Final]:
    """Return an auditor's last verdict on each pair; none where it was taken back."""
    final: dict[Pair, Final] = {}
    for entry in entries:
        if entry.ask in asks:
            final[entry.image_id, entry.label_id] = final_of(entry)
    return {pair: last for pair, last in final.items() if last.verdict}
