"""The second pass over feedback, by user: the events of a user become at most one vote each."""

from __future__ import annotations

import pyarrow as pa

from labeling.feedback import feedback
from pipelines.passes.events import IGNORED, count_ignored
from pipelines.passes.labeling_pass import Pass
from pipelines.passes.tables import read_rows
from pipelines.shuffle.engine import Tables


def make_pass() -> Pass:
    """Return the pass."""
    return Pass(
        "users",
        inputs=("events",),
        read=read_rows,
        keys={"events": "user"},
        reduce=_reduce,
        outputs={"interactions": feedback.INTERACTIONS, "ignored": IGNORED},
        combine=_combine,
    )


def _combine(table: str, rows: pa.Table) -> pa.Table:
    """Keep the events of a user up to the cap."""
    return feedback.cap_events(rows)


def _reduce(tables: Tables) -> Tables:
    interactions = feedback.interactions(tables["events"])
    n_repeated = len(tables["events"]) - len(interactions)
    return {"interactions": interactions, "ignored": count_ignored("repeated", n_repeated)}
