"""The passes by node: topics are propagated over the edges.

One pass does it while one worker can hold the graph; else each round is a pass.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from labeling.links import graph, propagation_steps
from pipelines.passes.edges import weights_in
from pipelines.passes.labeling_pass import Pass
from pipelines.passes.tables import in_order, read_rows, tables_of
from pipelines.shuffle.engine import Tables

MAX_EDGES = 1_000_000
"""Links and placements up to which one worker holds the whole graph, in about 600 MB."""

_GRAPH = {"nodes": graph.NODES, "edges": graph.MUTUAL_EDGES}

_ROUND = {
    "states": propagation_steps.STATES,
    "before": propagation_steps.STATES,
    "sent": propagation_steps.MESSAGES,
}
"""Tables of a round: the states after it, those before it, and what nodes sent in it."""

_OUTPUTS = {"propagated": propagation_steps.NEIGHBOUR_VOTES}


def make_passes(edges_dir: Path, n_edges: int) -> Iterator[Pass]:
    """Yield the passes for about so many edges, whose pass wrote into `edges_dir`."""
    if n_edges <= MAX_EDGES:
        reduce = functools.partial(_propagate_all, edges_dir)
        yield _by_page("propagation", tuple(_GRAPH), reduce, _OUTPUTS)._replace(n_buckets=1)
        return
    for number in range(propagation_steps.SETTINGS.rounds):
        name, is_first = f"propagation-{number}", number == 0
        inputs = (*_GRAPH, *(() if is_first else ("states", "sent")))
        reduce = functools.partial(_propagate_round, edges_dir, is_first)
        yield _by_page(name, inputs, reduce, _ROUND)
    yield _by_page("propagation-last", ("sent", "before"), _collect, _OUTPUTS)


def _by_page(
    name: str,
    inputs: tuple[str, ...],
    reduce: Callable[[Tables], Tables],
    outputs: Mapping[str, pa.Schema],
) -> Pass:
    keys = dict.fromkeys(inputs, "page_id")
    return Pass(
        name,
        inputs=inputs,
        read=read_rows,
        keys=keys,
        reduce=reduce,
        outputs=outputs,
        growth=4,
    )


def _propagate_all(edges_dir: Path, tables: Tables) -> Tables:
    """Propagate topics over the whole graph, which is one bucket."""
    table_of = tables_of(tables, _GRAPH)
    weights = weights_in(edges_dir)
    reached = propagation_steps.propagate_topics(table_of["nodes"], table_of["edges"], weights)
    return {"propagated": reached}


def _propagate_round(edges_dir: Path, is_first: bool, tables: Tables) -> Tables:
    """Update nodes by what was sent to them, and send their states on."""
    table_of = tables_of(tables, {**_GRAPH, **_ROUND})
    nodes, before = table_of["nodes"], table_of["states"]
    if is_first:
        states = propagation_steps.first_states(nodes)
    else:
        states = propagation_steps.next_states(table_of["sent"], nodes)
    weights = weights_in(edges_dir)
    sent = propagation_steps.send(states, nodes, table_of["edges"], weights)
    return {"states": in_order(states), "before": before, "sent": in_order(sent)}


def _collect(tables: Tables) -> Tables:
    """Return what the pages were sent in the last round."""
    table_of = tables_of(tables, _ROUND)
    return {"propagated": propagation_steps.collect_votes(table_of["sent"], table_of["before"])}
