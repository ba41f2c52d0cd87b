"""The passes by node: topics go over the arcs, all at once while they fit, or round by round."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from labeling.links import graph, propagation_steps
from pipelines.passes.edges import weights_path
from pipelines.passes.tables import in_order, tables_of
from pipelines.shuffle.engine import Split, Tables

MAX_EDGES = 1_000_000
"""Links and placements for which the whole graph is held by one worker, in about 600 MB."""

ROUND_OUTPUTS = {
    "states": propagation_steps.STATES,
    "before": propagation_steps.STATES,
    "sent": propagation_steps.SENT,
}

_INPUTS = {"nodes": graph.NODES, "arcs": graph.ARCS}


def read_by_node(split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Yield the rows of a file under the name of their table."""
    yield split.kind, pq.read_table(*split.arguments)


@dataclass(frozen=True)
class SpreadAll:
    """Propagate topics over the whole graph, which is one bucket."""

    arcs_dir: Path

    def __call__(self, tables: Tables) -> Tables:
        """Return ``heard``."""
        table_of = tables_of(tables, _INPUTS)
        weights = pq.read_table(weights_path(self.arcs_dir))
        return {"heard": propagation_steps.spread(table_of["nodes"], table_of["arcs"], weights)}


@dataclass(frozen=True)
class SendRound:
    """Bring nodes up to what was sent to them, and send their states on."""

    arcs_dir: Path
    is_first: bool

    def __call__(self, tables: Tables) -> Tables:
        """Return `ROUND_OUTPUTS`; ``before`` are the states that came in."""
        table_of = tables_of(tables, {**_INPUTS, **ROUND_OUTPUTS})
        nodes, before = table_of["nodes"], table_of["states"]
        if self.is_first:
            states = propagation_steps.first_states(nodes)
        else:
            states = propagation_steps.step(table_of["sent"], nodes)
        weights = pq.read_table(weights_path(self.arcs_dir))
        sent = propagation_steps.send(states, nodes, table_of["arcs"], weights)
        return {"states": in_order(states), "before": before, "sent": in_order(sent)}


def reduce_heard(tables: Tables) -> Tables:
    """Return ``heard`` from what was sent in the last round."""
    table_of = tables_of(tables, ROUND_OUTPUTS)
    return {"heard": propagation_steps.collect(table_of["sent"], table_of["before"])}
