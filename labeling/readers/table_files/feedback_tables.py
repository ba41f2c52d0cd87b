"""Tables of what users did to events of feedback."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from labeling.checks import check
from labeling.keys.arrays import Floats, Mask
from labeling.keys.missing import is_missing, is_null
from labeling.readers.image_files import Locator, named
from labeling.readers.skips import skipped_rows
from labeling.readers.table_files.cells import to_seconds
from labeling.readers.table_files.csv_files import GUESSED, Format
from labeling.readers.table_files.row_values import (
    bad_images,
    given,
    located_images,
    rejects_of,
    texts_of,
)
from labeling.readers.table_files.rows import folded
from labeling.readers.table_files.tabular import Batch, Columns, read_batches
from labeling.schemas import FEEDBACK, FEEDBACK_KINDS

MAX_SECONDS = 2**40
"""Seconds before or after 1970, some thirty thousand years, beyond which a time is invalid."""

MAX_NUMBER = 2**31
"""Numbers as large as this are treated as infinite."""


def read_feedback(
    path: Path,
    columns: Columns,
    locator: Locator,
    known_label: Callable[[str], bool],
    form: Format = GUESSED,
) -> Iterator[tuple[str, pa.Table]]:
    """Read clicks, votes, flags and impressions.

    Parameters
    ----------
    path
        The file.
    columns
        ``image``, ``kind``, ``user``, ``time`` (see
        `labeling.readers.table_files.cells.to_seconds`), one or both of ``label`` and ``query``,
        and optionally ``position`` from 1 and ``event_id``: a row without one is an event of its
        own.
    locator
        Finds the files of the images.
    known_label
        Returns True for a label of the taxonomy.

    Yields
    ------
    name, table
        ``feedback``; ``rejects`` for rows with an image, a kind or a label that is unknown, without
        a user, or with a time or a position that cannot be read; and ``skips``: the rows of a file
        without an optional column that has one of a near name.

    Raises
    ------
    InputError
        For a file that cannot be read.
    """
    required = ("image", "kind", "user", "time")
    optional = ("event_id", "label", "query", "position")
    for batch in read_batches(path, columns, required, optional, form):
        yield from _feedback(batch, locator, known_label)


def _feedback(
    batch: Batch, locator: Locator, known_label: Callable[[str], bool]
) -> Iterator[tuple[str, pa.Table]]:
    table = batch.table
    images = located_images(table, locator)
    kind = pa.array(map(folded, texts_of(table, "kind")), pa.string())
    user, query = texts_of(table, "user"), given(table, "query").to_pylist()
    label = _labels(table, known_label)
    seconds, position = to_seconds(texts_of(table, "time")), texts_of(table, "position")
    rank = pd.to_numeric(pd.Series(position, dtype=str), errors="coerce").to_numpy(np.float64)
    bad = bad_images(table, images) | {
        "unknown_kind": ~np.asarray(pc.is_in(kind, pa.array(FEEDBACK_KINDS)), bool),
        "unknown_label": np.array([bool(x) and not known_label(x) for x in label], bool),
        "no_label": np.array([not x and not q for x, q in zip(label, query, strict=True)], bool),
        "no_user": is_missing(user),
        "bad_row": _is_bad_row(seconds, rank, position),
    }
    shown = {
        "bad_row": ("time", "position"),
        "unknown_kind": ("kind",),
        "unknown_label": ("label",),
    }
    yield "rejects", rejects_of(batch, bad, shown)
    rows = {
        "event_id": _event_ids(batch, locator),
        "image_id": pa.array([i.image_id if i else "0" * 32 for i in images], pa.string()),
        "label_id": pa.array([x or None for x in label], pa.string()),
        "query": pa.array(query, pa.string()),
        "kind": kind,
        "user_id": pa.array(user, pa.string()),
        "position": pa.array(np.nan_to_num(rank), mask=np.isnan(rank)),
        "time": pa.array(np.floor(np.nan_to_num(seconds)).astype(np.int64)),
    }
    good = ~np.any(list(bad.values()), axis=0)
    feedback = pa.table(rows).filter(pa.array(good)).cast(FEEDBACK.arrow)
    check(feedback, FEEDBACK, str(batch.path))
    yield "feedback", feedback
    for column in batch.left_out:
        yield from skipped_rows(batch.name, column, len(table))


def _labels(table: pa.Table, known_label: Callable[[str], bool]) -> list[str]:
    """Return the labels of events, empty where none is given; one may be called "none"."""
    labels = texts_of(table, "label")
    return [label if known_label(label) or not is_null(label) else "" for label in labels]


def _is_bad_row(seconds: Floats, rank: Floats, position: Sequence[str]) -> Mask:
    """Return ``bool[n]``: events before 1970, or with a bad time or position."""
    is_given = ~is_missing(position)
    is_rank = (rank >= 1) & (rank < MAX_NUMBER) & (rank == np.floor(rank))
    bad: Mask = ~((seconds >= 0) & (seconds < MAX_SECONDS)) | (is_given & ~is_rank)
    return bad


def _event_ids(batch: Batch, locator: Locator) -> pa.Array:
    """Return the ids of events; a row without one is an event of its own, named by its place."""
    given = texts_of(batch.table, "event_id")
    file = named(locator.base, batch.path)
    rows = batch.rows.tolist()
    event_ids = (
        f"{file}:{row}" if is_null(event) else event for event, row in zip(given, rows, strict=True)
    )
    return pa.array(event_ids, pa.string())
