"""The candidates of a run with the evidence that was added to them."""

from __future__ import annotations

from curation.runs.stage import Stage, current, open_stage

STAGE = "evidence"


def with_added(candidates: Stage) -> Stage:
    """Return the stage that holds the candidates of a run with all evidence.

    Parameters
    ----------
    candidates
        The current candidates of a run; returned themselves if nothing was added.

    Raises
    ------
    InputError
        If evidence was added to other candidates.
    """
    run_dir = candidates.dir.parent.parent
    added = current(run_dir, STAGE)
    return open_stage(run_dir, STAGE) if added and added.facts["files"] else candidates
