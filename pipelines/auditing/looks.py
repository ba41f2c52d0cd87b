"""`winnow audit sample --until-width`: audits in batches, until the precision is known well."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from curation.audits import is_drawn_here
from curation.manifest import open_stage, write_text
from curation.pairs import find_pairs
from curation.peeking import confidence_of_look, n_of_next_look
from curation.selection import beyond_limits, select_share
from labeling.errors import InputError, IntegrityError
from labeling.schemas import AUDITS, SCORED
from pipelines.auditing.drawing import answer_audits, draw_audits, judged_so_far
from pipelines.config import Config
from pipelines.selecting import judge, make_scores, measure
from pipelines.talk import say

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


def audit_until(config: Config, run_dir: Path, width: float) -> tuple[Look | None, int]:
    """Look at what the audits say, and draw the next batch if that is not enough.

    Where the settings name a truth it answers each batch, until the interval is narrow enough or
    all candidates are judged.

    Parameters
    ----------
    width
        The interval of the precision of the share to be kept shall be as narrow as this.

    Returns
    -------
    look, n_pairs
        The last look, and how many pairs of the sheet wait for a verdict; 0 where no more are
        needed.

    Raises
    ------
    InputError
        If the judgements of the run were drawn elsewhere.
    """
    candidates = open_stage(run_dir, "candidates")
    n_candidates = candidates.counts["candidates"]
    if config.audit.truth is None:
        if not len(judged_so_far(run_dir, candidates)):
            return None, draw_audits(config, run_dir)[1]
        look = look_at(config, run_dir, width)
        if _is_enough(look, width, n_candidates):
            return look, 0
        return look, draw_audits(_of_size(config, look.n_next), run_dir)[1]
    while True:
        answer_audits(config, run_dir, None)
        look = look_at(config, run_dir, width)
        if _is_enough(look, width, n_candidates):
            return look, 0
        config = _of_size(config, look.n_next)


def look_at(config: Config, run_dir: Path, width: float) -> Look:
    """Return what the audits in force say; the same audits looked at again are no new look."""
    candidates, audits = open_stage(run_dir, "candidates"), open_stage(run_dir, "audits")
    judgements = audits.table(AUDITS)
    if not is_drawn_here(judgements):
        raise InputError(
            "the judgements of this run were drawn elsewhere",
            help="draw the next batch there; `winnow select` tells how precise the share is",
        )
    n_pairs = len(np.unique(find_pairs(judgements, judgements)))
    make_scores(run_dir, candidates, audits, config.select.venn_abers)
    rows = open_stage(run_dir, "scored").table(SCORED)
    beyond = beyond_limits(rows, config.select.per_image, config.select.per_label)
    judged = judge(run_dir, candidates, judgements, rows, beyond == 0)
    chosen = select_share(rows, config.select.keep, beyond)
    looks = read_looks(run_dir)
    before = [look for look in looks if look.audits != audits.content]
    number = next((k.number for k in looks if k.audits == audits.content), len(looks) + 1)
    told, later = (
        measure(judged, chosen, confidence_of_look(k, config.select.confidence))
        for k in (number, number + 1)
    )
    look = Look(
        audits.content,
        number,
        len(judged.row),
        told["precision"],
        told["precision_low"],
        told["precision_high"],
        n_of_next_look(n_pairs, later["precision_high"] - later["precision_low"], width),
    )
    looks = sorted([*before, look], key=lambda one: one.number)
    text = json.dumps([asdict(one) for one in looks], indent=1)
    write_text(run_dir / FILE, text + "\n")
    say(
        f"look {look.number}: precision {look.precision:.3f} ({look.low:.3f} to {look.high:.3f}, "
        f"{look.width:.3f} wide) from {look.n_audits:,} audits"
    )
    return look


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


def _is_enough(look: Look, width: float, n_candidates: int) -> bool:
    return look.width <= width or look.n_audits >= n_candidates


def _of_size(config: Config, n: int) -> Config:
    return config.model_copy(update={"audit": config.audit.model_copy(update={"n": n})})
