"""The candidates of a run with the evidence that was added to them."""

from __future__ import annotations

from curation.runs.stage import Stage, current, open_stage
from labeling.errors import InputError

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
    if added is None or not added.facts["files"]:
        return candidates
    if added.manifest["inputs"]["candidates"] != candidates.content:
        sources = (source for file in added.facts["files"] for source in file["sources"])
        raise InputError(
            "the evidence that was added is about earlier candidates",
            facts={"run": run_dir, "sources": ", ".join(sources)},
            help="add it again with `winnow look` or `winnow evidence add`, or remove it with"
            " `winnow evidence remove`",
        )
    return open_stage(run_dir, STAGE)
