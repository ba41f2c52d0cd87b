"""Tables of candidates that callers give, checked."""

from __future__ import annotations

import pyarrow as pa

from curation.pairs.candidate_rules import conform_candidates, refuse_repeated_pairs
from labeling.frames.frames import to_arrow, to_table
from labeling.schemas import CANDIDATES, SCORED


def candidates_of(frame: object) -> pa.Table:
    """Return a frame of candidates in the types of the schema, each pair once.

    Raises
    ------
    InputError
        If the frame lacks a column, or holds a refused value or a pair more than once.
    """
    rows = conform_candidates(to_arrow(frame, CANDIDATES, "candidates"), "candidates")
    refuse_repeated_pairs(rows, "candidates")
    return rows


def scores_of(frame: object, name: str) -> pa.Table:
    """Return a frame of scored candidates as `candidates_of` does; `name` is for messages."""
    rows = to_table(frame, SCORED, name)
    refuse_repeated_pairs(rows, name)
    return rows
