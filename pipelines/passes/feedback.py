"""The passes over feedback: by event, then by user, then by image and label, and what they show.

Each event counts once in the whole log; all that one user did meets in one bucket, and then all
that was done to one image. What is fitted to the log as a whole needs sums and a sample only, which
`fit_trust` reads when the last of the passes is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.runs.table_files import read_table, write_table
from labeling.feedback import bursts, debias, feedback
from labeling.keys import ids
from labeling.keys.hashing import GOLDEN
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.passes.cached import Once
from pipelines.passes.inputs import taxonomy_at
from pipelines.passes.matchers import MatcherFiles, matcher_at
from pipelines.passes.tables import contents_in, in_order, tables_of
from pipelines.shuffle.engine import Split, Tables

SAMPLE = 1_000_000
"""Events about a sample of images, about so many, that positions and users are judged by."""

REASONS = ("replayed", "repeated", "before_image")
"""Why acts do not count: their event is known, their user has said so, the image was not there."""

MOST_BURSTS = 50
"""Bursts that are listed."""

TALLY = pa.schema([("reason", pa.string()), ("n_events", pa.int64())])
SPAN = pa.schema([("first", pa.int64()), ("last", pa.int64())])

_TRUSTS: Once[debias.FeedbackModel] = Once()

EVENT_OUTPUTS = {"acts": feedback.EVENTS, "tally": TALLY}
USER_OUTPUTS = {"statements": feedback.INTERACTIONS, "tally": TALLY}
SAID_OUTPUTS = {
    "said": feedback.INTERACTIONS,
    "votes": feedback.INTERACTIONS,
    "cells": debias.POSITIONS,
    "shown": debias.IMAGES,
    "crowded": bursts.BURSTS,
    "sizes": bursts.SIZES,
    "span": SPAN,
    "tally": TALLY,
}


@dataclass(frozen=True)
class ReadEvents:
    """Read events, with the labels that they or their queries name."""

    files: MatcherFiles

    def __call__(self, split: Split) -> Iterator[tuple[str, pa.Table]]:
        """Yield ``acts``, by event."""
        rows = pq.read_table(*split.arguments)
        yield (
            "acts",
            feedback.label_events(rows, matcher_at(self.files), taxonomy_at(self.files.taxonomy)),
        )


def reduce_events(tables: Tables) -> Tables:
    """Keep one of all copies of an event, whoever sent them."""
    acts = feedback.deduplicate(tables["acts"])
    n_replayed = len(tables["acts"]) - len(acts)
    return {"acts": acts, "tally": _tally("replayed", n_replayed)}


def read_rows(split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Yield the rows of a file under the name of their table."""
    yield split.kind, pq.read_table(*split.arguments)


def combine_acts(table: str, rows: pa.Table) -> pa.Table:
    """Keep what users may say at most."""
    return feedback.cap_events(rows)


def reduce_users(tables: Tables) -> Tables:
    """Turn all acts of the users of a bucket into statements."""
    said = feedback.interactions(tables["acts"])
    n_repeated = len(tables["acts"]) - len(said)
    return {"statements": said, "tally": _tally("repeated", n_repeated)}


def read_statements(split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Yield statements by image, and what they come to in each hour by label."""
    said = pq.read_table(*split.arguments)
    yield "said", said
    hours = bursts.sum_by_hour(said)
    keys = hours["label"].to_numpy().astype(np.uint64) * GOLDEN
    halves = np.stack([keys, keys], axis=1)
    yield "hours", hours.append_column("key", ids.halves_to_binary(halves))


@dataclass(frozen=True)
class ReduceSaid:
    """Mark early statements, draw the sample, and sum up the rest.

    `share` is the share of the images in the sample.
    """

    share: float

    def __call__(self, tables: Tables) -> Tables:
        """Return `SAID_OUTPUTS`."""
        hours = bursts.HOURS.append(pa.field("key", ids.BINARY))
        table_of = tables_of(tables, {"said": feedback.INTERACTIONS, "hours": hours})
        said = in_order(feedback.mark_early(table_of["said"]))
        halves = ids.to_halves(said["image_id"])
        drawn = said.filter(pa.array(halves[:, 1] <= np.uint64(self.share * (2**64 - 2**11))))
        found = bursts.candidates(table_of["hours"].select(bursts.HOURS.names))
        is_vote = pc.is_in(drawn["kind"], value_set=pa.array(feedback.VOTES))
        first, last = (pc.min_max(said["time"])[name].as_py() for name in ("min", "max"))
        span = [] if first is None else [{"first": first, "last": last}]
        return {
            "said": said,
            "votes": drawn.filter(is_vote),
            "cells": debias.count_positions(drawn),
            "shown": debias.count_early(said),
            "crowded": found.hours,
            "sizes": found.sizes,
            "span": pa.Table.from_pylist(span, schema=SPAN),
            "tally": _tally("before_image", pc.sum(said["early"]).as_py() or 0),
        }


def fit_trust(directory: Path) -> None:
    """Fit what the log as a whole tells, and write it into the same folder."""
    made = {
        name: read_table(directory, name) for name in SAID_OUTPUTS if name not in ("said", "tally")
    }
    first, last = pc.min(made["span"]["first"]).as_py(), pc.max(made["span"]["last"]).as_py()
    hours = bursts.Candidates(made["crowded"], made["sizes"])
    fitted = debias.fit(made["votes"], made["cells"], made["shown"], hours, (first or 0, last or 0))
    for name, table in debias.to_tables(fitted).items():
        write_table(table, directory, name)


class Told(NamedTuple):
    """What a run says about its feedback: events that did not count by reason, and its bursts."""

    counts: dict[str, int]
    bursts: list[dict[str, Any]]


def tell(directory: Path, tally: Sequence[Path], taxonomy: Taxonomy) -> Told:
    """Return what the passes found, from what `fit_trust` wrote and all ``tally``.

    Bursts are the `MOST_BURSTS` with most votes or clicks, by label: when the hour began, how many
    there were in it, how many of them by users first seen in it, and how many are usual.
    """
    if not tally:
        return Told({}, [])
    found = trust_at(directory)
    rows = pa.concat_tables(pq.read_table(path) for path in tally)
    counts = {
        reason: pc.sum(rows.filter(pc.equal(rows["reason"], reason))["n_events"]).as_py() or 0
        for reason in REASONS
    }
    counts["before_image"] *= found.drops_early
    counts["bursts"] = len(found.bursts)
    told = [
        {
            "label_id": taxonomy.label_ids[row["label"]],
            "what": "clicks" if row["clicks"] else "votes",
            "time": datetime.fromtimestamp(row["window"] * bursts.WINDOW, UTC).isoformat(),
            "n": round((row["new"] + row["old"]) / bursts.MASS),
            "n_new": round(row["new"] / bursts.MASS),
            "usual": row["usual"],
        }
        for row in found.bursts.to_pylist()
    ]
    told.sort(key=lambda row: (-row["n"], row["label_id"], row["time"]))
    return Told(counts, told[:MOST_BURSTS])


def trust_at(directory: Path) -> debias.FeedbackModel:
    """Return what `fit_trust` wrote, or a trust in everybody where there was no feedback."""
    if not directory.exists():
        return debias.neutral_model()
    written = contents_in(directory, debias.TABLES)
    return _TRUSTS.get(written.sha256, lambda: debias.from_tables(written.tables()))


def _tally(reason: str, n: int) -> pa.Table:
    return pa.table([[reason], [n]], schema=TALLY)
