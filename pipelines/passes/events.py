"""The first pass over feedback, by event: each event counts once in the whole log."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from labeling.feedback import feedback
from labeling.keys import ids
from pipelines.passes.labeling_pass import Pass
from pipelines.passes.tables import tables_of
from pipelines.shuffle.engine import Split, Tables
from pipelines.workers.matchers import MatcherFiles, matcher_at
from pipelines.workers.taxonomies import taxonomy_at

IGNORED = pa.schema([("reason", pa.string()), ("n_events", pa.int64())])
"""Events that do not count, by reason."""

_UNNAMED = pa.schema([("event", ids.BINARY)])


def make_pass(files: MatcherFiles) -> Pass:
    """Return the pass."""
    return Pass(
        "events",
        inputs=("feedback",),
        read=functools.partial(_read, files),
        keys={"events": "event", "unnamed": "event"},
        reduce=_reduce,
        outputs={"events": feedback.EVENTS, "ignored": IGNORED},
    )


def count_ignored(reason: str, n: int) -> pa.Table:
    """Return a row of `IGNORED`."""
    return pa.table([[reason], [n]], schema=IGNORED)


def _read(files: MatcherFiles, split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Read events, with the labels that they or their queries name."""
    rows = pq.read_table(*split.arguments)
    events = feedback.label_events(rows, matcher_at(files), taxonomy_at(files.taxonomy))
    yield "events", events
    yield "unnamed", pa.table({"event": feedback.unnamed_queries(rows, events)})


def _reduce(tables: Tables) -> Tables:
    """Keep one of all copies of an event, whichever user sent them."""
    table_of = tables_of(tables, {"events": feedback.EVENTS, "unnamed": _UNNAMED})
    events = feedback.deduplicate(table_of["events"])
    ignored = [
        count_ignored("replayed", len(table_of["events"]) - len(events)),
        count_ignored("unnamed_query", pc.count_distinct(table_of["unnamed"]["event"]).as_py()),
    ]
    return {"events": events, "ignored": pa.concat_tables(ignored)}
