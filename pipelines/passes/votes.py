"""The third pass over feedback, by image: votes of all users about it, and a fit to the whole log.

The fit needs only sums and a sample of the votes; it is made when the pass ends.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.runs.table_files import read_table, write_table
from labeling import schemas
from labeling.feedback import bursts, debias, feedback
from labeling.keys import ids
from labeling.keys.hashing import GOLDEN
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.passes.events import IGNORED, count_ignored
from pipelines.passes.labeling_pass import Pass
from pipelines.passes.tables import (
    in_order,
    in_sample,
    sum_by_reason,
    tables_of,
)
from pipelines.shuffle.engine import Split, Tables
from pipelines.workers.cached import Cache

SAMPLE = 1_000_000
"""Events, about, in the sample of images from which positions and users are judged."""

MOST_BURSTS = 50
"""Bursts that are listed."""

_SPAN = pa.schema([("first", pa.int64()), ("last", pa.int64())])

_SUMMARIES = {
    "votes": feedback.INTERACTIONS,
    "cells": debias.POSITIONS,
    "shown": debias.IMAGES,
    "crowded": bursts.BURSTS,
    "sizes": bursts.SIZES,
    "span": _SPAN,
}
"""Tables of a bucket that the fit is made from."""

_HOURS = bursts.HOURS.append(pa.field("key", ids.BINARY))

_MODELS: Cache[debias.FeedbackModel] = Cache()


def make_pass(n_events: int) -> Pass:
    """Return the pass for so many events in all."""
    return Pass(
        "votes",
        inputs=("interactions",),
        read=_read,
        keys={"interactions": "image_id", "hours": "key"},
        reduce=functools.partial(_reduce, min(1.0, SAMPLE / n_events)),
        outputs={"interactions": feedback.INTERACTIONS, **_SUMMARIES, "ignored": IGNORED},
        conclude=_conclude,
    )


def feedback_model_in(directory: Path) -> debias.FeedbackModel:
    """Return what the pass fitted; without feedback there is no folder, and all are trusted."""
    if not directory.exists():
        return debias.neutral_model()
    return _MODELS.of_tables(directory, debias.TABLES, debias.from_tables)


def count_events(directory: Path, ignored: Sequence[Path]) -> dict[str, int]:
    """Return the number of ignored events by reason, and of bursts.

    Parameters
    ----------
    directory
        Folder of the output of the pass.
    ignored
        Files of the table ``ignored``, of all passes over feedback.
    """
    model = feedback_model_in(directory)
    counts = sum_by_reason(ignored, "n_events", schemas.IGNORED)
    counts["before_image"] *= model.drops_early
    return {**counts, "bursts": len(model.bursts)}


def list_bursts(directory: Path, taxonomy: Taxonomy) -> list[dict[str, Any]]:
    """Return the `MOST_BURSTS` bursts with most votes or clicks, by label.

    Each has the beginning of its hour, the number of votes or clicks in it, the part of them by
    users first seen in that hour, and the usual number.
    """
    rows = [
        {
            "label_id": taxonomy.label_ids[row["label"]],
            "what": "clicks" if row["clicks"] else "votes",
            "time": datetime.fromtimestamp(row["window"] * bursts.WINDOW, UTC).isoformat(),
            "n": round((row["new"] + row["old"]) / bursts.MASS),
            "n_new": round(row["new"] / bursts.MASS),
            "usual": row["usual"],
        }
        for row in feedback_model_in(directory).bursts.to_pylist()
    ]
    rows.sort(key=lambda row: (-row["n"], row["label_id"], row["time"]))
    return rows[:MOST_BURSTS]


def _read(split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Yield interactions by image, and their sums in each hour by label."""
    interactions = pq.read_table(*split.arguments)
    yield "interactions", interactions
    hours = bursts.sum_by_hour(interactions)
    keys = hours["label"].to_numpy().astype(np.uint64) * GOLDEN
    halves = np.stack([keys, keys], axis=1)
    yield "hours", hours.append_column("key", ids.halves_to_binary(halves))


def _reduce(share: float, tables: Tables) -> Tables:
    """Mark early interactions, and sum up a sample of the images."""
    table_of = tables_of(tables, {"interactions": feedback.INTERACTIONS, "hours": _HOURS})
    interactions = in_order(feedback.mark_early(table_of["interactions"]))
    sample = interactions.filter(in_sample(interactions["image_id"], share))
    hours = bursts.candidates(table_of["hours"].select(bursts.HOURS.names))
    is_vote = pc.is_in(sample["kind"], value_set=pa.array(feedback.VOTES))
    n_early = pc.sum(interactions["early"]).as_py() or 0
    return {
        "interactions": interactions,
        "votes": sample.filter(is_vote),
        "cells": debias.count_positions(sample),
        "shown": debias.count_early(interactions),
        "crowded": hours.hours,
        "sizes": hours.sizes,
        "span": _span(interactions["time"]),
        "ignored": count_ignored("before_image", n_early),
    }


def _span(time: pa.ChunkedArray) -> pa.Table:
    first, last = (pc.min_max(time)[name].as_py() for name in ("min", "max"))
    rows = [] if first is None else [{"first": first, "last": last}]
    return pa.Table.from_pylist(rows, schema=_SPAN)


def _conclude(directory: Path) -> None:
    """Fit positions, users and bursts to the sums of all buckets."""
    table_of = {name: read_table(directory, name) for name in _SUMMARIES}
    span = table_of["span"]
    first, last = pc.min(span["first"]).as_py() or 0, pc.max(span["last"]).as_py() or 0
    hours = bursts.Candidates(table_of["crowded"], table_of["sizes"])
    fitted = debias.fit(
        table_of["votes"], table_of["cells"], table_of["shown"], hours, (first, last)
    )
    for name, table in debias.to_tables(fitted).items():
        write_table(table, directory, name)
