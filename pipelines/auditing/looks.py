"""The precision that the audits of a run gave at each look of `audit sample --until-width`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from curation.intervals.confidence_sequence import confidence_of_look
from curation.runs.durable import write_text
from curation.runs.sealed import seal, unseal
from curation.runs.stage import Stage
from labeling.errors import IntegrityError

FILE = "audit-looks.json"


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
        raise IntegrityError(
            "the looks at the audits cannot be read",
            facts={"file": path, "cause": error},
            help="restore the file; without it the intervals of further looks would be too narrow",
        ) from error


def write_looks(run_dir: Path, looks: list[Look]) -> None:
    """Write the looks of a run."""
    write_text(run_dir / FILE, seal({"looks": [asdict(look) for look in looks]}))


def number_of(looks: list[Look], audits: Stage) -> int:
    """Return the number of the look at these audits; the same audits again are not a new look."""
    return next((look.number for look in looks if look.audits == audits.content), len(looks) + 1)


def confidence_now(run_dir: Path, audits: Stage, confidence: float) -> float:
    """Return the confidence that an interval of these audits must have by itself.

    Without any look it is `confidence`; else all looks and this one together have `confidence`.
    """
    looks = read_looks(run_dir)
    return confidence_of_look(number_of(looks, audits), confidence) if looks else confidence
