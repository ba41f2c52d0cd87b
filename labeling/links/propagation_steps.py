"""Topics of pages, propagated over the graph that holds the pages together.

In memory with `spread`, or with one call of `send`, then `step` and `send` for each round but the
last, and `collect`: each with the rows of a bucket of nodes, and the rows that were sent to them.
Both give the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeling.keys import ids
from labeling.keys.arrays import Ints
from labeling.links.edge_agreement import weigh
from labeling.links.graph import rows_to_binary, state_of
from labeling.links.links import TOP_TOPICS
from labeling.links.neighbour_votes import Heard, Sources, hear, listen
from labeling.links.propagation import (
    Graph,
    Round,
    Seeds,
    Settings,
    advance,
    as_weight,
    build_graph,
)
from labeling.links.top_labels import State, unpack

SETTINGS = Settings(rounds=2, damping=0.5)

LEAST_SHARE = 0.1
"""The least share of its neighbours that a page hears: what fewer say, or say from afar, is right
too seldom to be told, and is most of what goes around."""

SENT = pa.schema(
    [
        ("page_id", ids.BINARY),
        ("weight", pa.uint32()),
        ("topics", pa.binary(8 * TOP_TOPICS)),
        ("norm", pa.uint64()),
        ("origin", pa.uint32()),
    ]
)
"""What one node tells ``page_id`` over an edge of a weight, with all weights it has heard."""

STATES = pa.schema(
    [("page_id", ids.BINARY), ("topics", pa.binary(8 * TOP_TOPICS)), ("norm", pa.uint64())]
)
"""The state of a node after a round."""

HEARD = pa.schema(
    [
        ("page_id", ids.BINARY),
        ("label", pa.int32()),
        ("strength", pa.float32()),
        ("n_pages", pa.int32()),
        ("n_hosts", pa.int32()),
    ]
)
"""One label that the neighbours of a page say: the share of them, and how many."""


def spread(nodes: pa.Table, arcs: pa.Table, weights: pa.Table) -> pa.Table:
    """Propagate topics over a whole graph.

    Parameters
    ----------
    nodes, arcs
        `labeling.links.graph.NODES` and `labeling.links.graph.ARCS`, in any order.
    weights
        `labeling.links.edge_agreement.WEIGHTS`.

    Returns
    -------
    Table
        `HEARD`, sorted by page.
    """
    names, (of_nodes, source, target) = _numbered(
        [nodes["page_id"], arcs["page_id"], arcs["other_page"]]
    )
    graph = build_graph(len(names), source, target, weigh(arcs, weights))
    order = np.argsort(of_nodes)
    seeds = Seeds(of_nodes[order], state_of(nodes["topics"])[order])
    origin = _origins(names)
    origin[of_nodes] = _origin_of(nodes["host"].to_numpy())
    return _to_heard(names, hear(graph, seeds, SETTINGS, origin))


def send(states: pa.Table, nodes: pa.Table, arcs: pa.Table, weights: pa.Table) -> pa.Table:
    """Return `SENT` over the arcs from nodes with a state, which are `STATES`."""
    origin = pa.table({"page_id": nodes["page_id"], "origin": _origin_of(nodes["host"].to_numpy())})
    rows = arcs.select(["page_id", "other_page"])
    rows = rows.append_column("weight", pa.array(as_weight(weigh(arcs, weights))))
    at = pa.table({"page_id": states["page_id"], "at": np.arange(len(states))})
    rows = rows.join(at, "page_id", join_type="inner").join(origin, "page_id")
    said = states.take(rows["at"])
    unnamed = _origins(ids.to_halves(rows["page_id"]))
    named = rows["origin"].to_numpy(zero_copy_only=False) if len(rows) else np.empty(0)
    origins = np.where(np.isnan(named), unnamed, np.nan_to_num(named)).astype(np.uint32)
    columns = [rows["other_page"], rows["weight"], said["topics"], said["norm"], pa.array(origins)]
    return _table(columns, SENT)


def first_states(nodes: pa.Table) -> pa.Table:
    """Return the states before the first round: what nodes are about by themselves."""
    norm = pa.array(np.zeros(len(nodes), np.uint64))
    return _table([nodes["page_id"], nodes["topics"], norm], STATES)


def step(sent: pa.Table, nodes: pa.Table) -> pa.Table:
    """Return `STATES` after a round of the nodes that have topics or that something was sent to."""
    names, (target, of_nodes) = _numbered([sent["page_id"], nodes["page_id"]])
    graph, order = _graph(len(names), target, sent)
    places = np.argsort(of_nodes)
    seeds = Seeds(of_nodes[places], state_of(nodes["topics"])[places])
    out = Round(np.zeros((len(names), TOP_TOPICS), np.uint64), np.zeros(len(names), np.uint64))
    out.state[seeds.node] = seeds.rows
    sources = _with_none(state_of(sent["topics"])[order])
    advance(graph, sources, seeds, SETTINGS, np.ones(len(names), bool), out)
    columns = [ids.halves_to_binary(names), rows_to_binary(out.state), pa.array(out.norm)]
    return _table(columns, STATES)


def collect(sent: pa.Table, before: pa.Table) -> pa.Table:
    """Return `HEARD` from what was sent in the last round, and `STATES` of the round before it."""
    names, (target, of_states) = _numbered([sent["page_id"], before["page_id"]])
    graph, order = _graph(len(names), target, sent)
    state = np.zeros((len(names), TOP_TOPICS), np.uint64)
    state[of_states] = state_of(before["topics"])
    sources = Sources(
        _with_none(state_of(sent["topics"])[order]),
        np.append(sent["norm"].to_numpy()[order], np.uint64(0)),
        np.append(sent["origin"].to_numpy()[order], np.uint32(0)),
    )
    return _to_heard(names, listen(graph, sources, state, SETTINGS))


def _graph(n: int, target: Ints, sent: pa.Table) -> tuple[Graph, Ints]:
    """Return a graph in which each message is a source of its own, and their order."""
    order = np.argsort(target, kind="stable")
    first = np.searchsorted(target[order], np.arange(n + 1))
    weight = sent["weight"].to_numpy()[order]
    return Graph(first, np.arange(len(sent)), weight, weight), order


def _numbered(columns: list[pa.ChunkedArray]) -> tuple[ids.Halves, list[Ints]]:
    """Return the distinct ids of some columns in order, and the number of each in the columns."""
    coded = pa.chunked_array([c for column in columns for c in column.chunks], ids.BINARY)
    coded = coded.combine_chunks().dictionary_encode()
    names = ids.to_halves(coded.dictionary)
    rank, ordered = ids.rank(names)
    numbers = rank[np.asarray(coded.indices, np.int64)]
    return ordered, np.split(numbers, np.cumsum([len(column) for column in columns])[:-1])


def _origin_of(host: Ints) -> npt.NDArray[np.uint32]:
    """Return a number above 0 for each host."""
    return (host.view(np.uint64) >> np.uint64(32)).astype(np.uint32) | np.uint32(1)


def _origins(names: ids.Halves) -> npt.NDArray[np.uint32]:
    """Return a number above 0 for each node that has no host: that of hosts is their own."""
    return _origin_of(names[:, 0].view(np.int64))


def _with_none(rows: State) -> State:
    return np.concatenate([rows, np.zeros((1, rows.shape[1]), np.uint64)])


def _to_heard(names: ids.Halves, heard: Heard) -> pa.Table:
    label, share = unpack(heard.state)
    shares = np.minimum(share * TOP_TOPICS, 1)
    row, place = np.nonzero((label >= 0) & (shares >= LEAST_SHARE))
    strength = shares[row, place]
    columns = [ids.halves_to_binary(names[row]), label[row, place], strength]
    columns += [heard.n_senders[row, place], heard.n_origins[row, place]]
    return _table(columns, HEARD)


def _table(columns: list[Any], schema: pa.Schema) -> pa.Table:
    arrays = [
        column if isinstance(column, pa.ChunkedArray | pa.Array) else pa.array(column, field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
