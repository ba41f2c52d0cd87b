"""Images without bytes, rejects, skipped files and ignored feedback by their reasons, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from labeling.readers.listing import skipped_sentence
from labeling.schemas import IGNORED


def by_reason(rows: pa.Table) -> dict[str, int]:
    """Return the number of rows with each ``reason``, sorted by it.

    Examples
    --------
    >>> by_reason(pa.table({"reason": ["truncated", "bad_row", "truncated"]}))
    {'bad_row': 1, 'truncated': 2}
    """
    counted = pc.value_counts(rows["reason"]).to_pylist()
    return dict(sorted((row["values"], row["counts"]) for row in counted))


def reasons(counts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the signals lack: images, rejects by reason, and skipped files by ending.

    Parameters
    ----------
    counts
        Counts of the stage ``signals``.

    Examples
    --------
    >>> [*reasons({"rejects_by_reason": {"bad_row": 3, "truncated": 1}, "skipped": {".lz4": 10}})]
    ['rejects: 3 bad_row, 1 truncated', 'skipped: 10 .lz4']
    """
    if counts.get("images_without_bytes"):
        yield f"{counts['images_without_bytes']:,} image URLs without bytes"
    rejects = counts.get("rejects_by_reason") or {}
    if rejects:
        yield "rejects: " + ", ".join(f"{n:,} {reason}" for reason, n in rejects.items())
    if counts.get("skipped"):
        yield skipped_sentence(counts["skipped"])


def ignored_feedback(counts: Mapping[str, Any]) -> Iterator[str]:
    """Yield the number of ignored events by reason, from the counts of the stage ``candidates``.

    Examples
    --------
    >>> [*ignored_feedback({"unnamed_query": 2, "replayed": 0, "repeated": 1})]
    ['feedback ignored: 2 unnamed_query, 1 repeated']
    """
    numbers = [f"{counts[reason]:,} {reason}" for reason in IGNORED if counts.get(reason)]
    if numbers:
        yield f"feedback ignored: {', '.join(numbers)}"
