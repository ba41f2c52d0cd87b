"""`winnow audit sample --until-width`: audits in batches, until the precision is known well."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from curation.audits.audits import is_drawn_here
from curation.intervals.confidence_sequence import confidence_of_look, n_of_next_look
from curation.pairs.pair_keys import find_pairs
from curation.runs.stage import open_stage
from labeling.errors import InputError
from labeling.schemas import AUDITS, SCORED
from pipelines.auditing.looks import Look, number_of, read_looks, write_looks
from pipelines.auditing.sample import answer_audits, draw_audits, judged_so_far
from pipelines.run.config import Config
from pipelines.run.progress import notify
from pipelines.selecting.modes import select_from
from pipelines.selecting.select import judge, make_scores, measure


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
    make_scores(config, run_dir, candidates, audits)
    rows = open_stage(run_dir, "scored").table(SCORED)
    judged = judge(run_dir, candidates, judgements, rows)
    share = config.select.model_copy(update={"precision": None})
    _, chosen = select_from(share, candidates, rows, judged)
    looks = read_looks(run_dir)
    before = [look for look in looks if look.audits != audits.content]
    number = number_of(looks, audits)
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
    write_looks(run_dir, looks)
    notify(
        f"look {look.number}: precision {look.precision:.3f} ({look.low:.3f} to {look.high:.3f}, "
        f"{look.width:.3f} wide) from {look.n_audits:,} audits"
    )
    return look


def _is_enough(look: Look, width: float, n_candidates: int) -> bool:
    return look.width <= width or look.n_audits >= n_candidates


def _of_size(config: Config, n: int) -> Config:
    return config.model_copy(update={"audit": config.audit.model_copy(update={"n": n})})
