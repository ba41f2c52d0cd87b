"""Looks at the audits of a run, which share the error probability.

`winnow audit sample --until-width` keeps the precision at each of its looks. In a run that began
with ``--anytime`` every selection is a look too.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from curation.intervals.confidence_sequence import confidence_of_look
from curation.runs.durable import write_text
from curation.runs.sealed import seal, unseal
from curation.runs.stage import Stage
from labeling.errors import InputError, IntegrityError

FILE = "audit-looks.json"
ANYTIME = "audit-anytime.json"


@dataclass(frozen=True)
class Look:
    """The precision of the share to be kept, by the audits of one look.

    Attributes
    ----------
    audits
        Digest of the audits.
    number
        1 for the first look of the run.
    n_audits
        Pairs with a sure verdict.
    precision, low, high
        The intervals of all looks of a run hold at once with the confidence of the settings.
    n_next
        Pairs to audit in total for the next look.
    """

    audits: str
    number: int
    n_audits: int
    precision: float
    low: float
    high: float
    n_next: int

    @property
    def width(self) -> float:
        """Width of the interval."""
        return self.high - self.low


def read_looks(run_dir: Path) -> list[Look]:
    """Return the looks of a run in their order."""
    path = run_dir / FILE
    if not path.exists():
        return []
    try:
        text = path.read_text(encoding="utf-8")
        # Earlier versions wrote a list without a seal.
        looks = json.loads(text) if text.startswith("[") else unseal(text)["looks"]
        return [Look(**look) for look in looks]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(path, error) from error


def write_looks(run_dir: Path, looks: list[Look]) -> None:
    """Write the looks of a run."""
    write_text(run_dir / FILE, seal({"looks": [asdict(look) for look in looks]}))


def begin_anytime(run_dir: Path, has_audits: bool) -> None:
    """Count every look at the audits of a run from now on.

    Raises
    ------
    InputError
        If there are audits already: they may have been looked at without being counted.
    """
    if (run_dir / ANYTIME).exists():
        return
    if has_audits:
        raise InputError(
            "the judgements of this run may have been looked at already",
            facts={"run": run_dir},
            help="give `anytime=` with the first sheet of a run; "
            "`until_width=` counts its own looks at any time",
        )
    _write_anytime(run_dir, {})


def count_look(run_dir: Path, audits: Stage) -> None:
    """Count a look at these audits, if the run began with ``--anytime``; once for the same audits.

    It is counted before anything is shown.
    """
    counted = _read_anytime(run_dir)
    if counted is not None:
        number = number_of(run_dir, audits)
        _write_anytime(run_dir, counted | {audits.content: number})


def _read_anytime(run_dir: Path) -> dict[str, int] | None:
    """Return the number of the look at each audits, by their digest; None in other runs."""
    path = run_dir / ANYTIME
    if not path.exists():
        return None
    try:
        content = unseal(path.read_text(encoding="utf-8"))["looks"]
        return {str(audits): int(number) for audits, number in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(path, error) from error


def _write_anytime(run_dir: Path, looks: dict[str, int]) -> None:
    write_text(run_dir / ANYTIME, seal({"looks": looks}))


def _unreadable(path: Path, error: Exception) -> IntegrityError:
    return IntegrityError(
        "the looks at the audits cannot be read",
        facts={"file": path, "cause": error},
        help="restore the file; without it the intervals of further looks would be too narrow",
    )


def number_of(run_dir: Path, audits: Stage) -> int:
    """Return the number of the look at these audits; the same audits again are not a new look."""
    counted = {look.audits: look.number for look in read_looks(run_dir)}
    counted |= _read_anytime(run_dir) or {}
    return counted.get(audits.content, max(counted.values(), default=0) + 1)


def confidence_now(run_dir: Path, audits: Stage, confidence: float) -> float:
    """Return the confidence that an interval of these audits must have by itself.

    Without any look it is `confidence`; else all looks and this one together have `confidence`.
    """
    if not read_looks(run_dir) and not _read_anytime(run_dir):
        return confidence
    return confidence_of_look(number_of(run_dir, audits), confidence)
