"""What the audits of a run said, each time that `winnow audit sample --until-width` looked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from curation.intervals.confidence_sequence import confidence_of_look
from curation.runs.durable import write_text
from curation.runs.stage import Stage
from labeling.errors import IntegrityError

FILE = "audit-looks.json"


@dataclass(frozen=True)
class Look:
    """What the audits said of the share to be kept, when it was looked at.

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
        Pairs to audit in all for the next look.
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
    """Return the looks of a run, the first one first."""
    path = run_dir / FILE
    if not path.exists():
        return []
    try:
        return [Look(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise IntegrityError(
            "the looks at the audits cannot be read",
            facts={"file": path, "cause": error},
            help="restore the file; without it the intervals of further looks would be too narrow",
        ) from error


def write_looks(run_dir: Path, looks: list[Look]) -> None:
    """Write the looks of a run."""
    text = json.dumps([asdict(one) for one in looks], indent=1)
    write_text(run_dir / FILE, text + "\n")


def number_of(looks: list[Look], audits: Stage) -> int:
    """Return which look it is to look at these audits: the same ones again are no new look."""
    return next((one.number for one in looks if one.audits == audits.content), len(looks) + 1)


def confidence_now(run_dir: Path, audits: Stage, confidence: float) -> float:
    """Return the confidence that an interval of these audits must have by itself.

    Of a run that has never been looked at it is `confidence`; else all looks, and this one, hold
    with `confidence` at once.
    """
    looks = read_looks(run_dir)
    return confidence_of_look(number_of(looks, audits), confidence) if looks else confidence
