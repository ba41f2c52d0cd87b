"""Propagation of the topics of pages over their graph.

In memory with `propagate_topics`, or with one call of `send`, then `next_states` and `send` for
each round except the last, and `collect_votes`: each with the rows of a bucket of nodes, and the
messages to them. Both give the same result.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys import ids
from labeling.keys.arrays import Ints
from labeling.links.edge_agreement import edge_weights
from labeling.links.graph import from_binary, to_binary
from labeling.links.links import TOP_TOPICS
from labeling.links.neighbour_votes import NeighbourVotes, Sources, neighbour_votes, votes_from
from labeling.links.propagation import (
    Graph,
    Seeds,
    Settings,
    advance,
    as_weight,
    build_graph,
)
from labeling.links.top_labels import unpack

SETTINGS = Settings(rounds=2, damping=0.5)

MIN_SHARE = 0.1
"""Smallest share of its neighbours' votes at which a page gets a label: labels with less, or from
afar, are most of the volume and too seldom right."""

MESSAGES = pa.schema(
    [
        ("page_id", ids.BINARY),
        ("weight", pa.uint32()),
        ("topics", pa.binary(8 * TOP_TOPICS)),
        ("norm", pa.uint64()),
        ("origin", pa.uint32()),
    ]
)
"""State of a neighbour of ``page_id``, with the weight of the edge and the neighbour's norm."""

STATES = pa.schema(
    [("page_id", ids.BINARY), ("topics", pa.binary(8 * TOP_TOPICS)), ("norm", pa.uint64())]
)
"""The state of a node after a round."""

NEIGHBOUR_VOTES = pa.schema(
    [
        ("page_id", ids.BINARY),
        ("label", pa.int32()),
        ("strength", pa.float32()),
        ("n_pages", pa.int32()),
        ("n_hosts", pa.int32()),
    ]
)
"""One label that neighbours of a page vote for: their share, and their number."""


def propagate_topics(nodes: pa.Table, edges: pa.Table, weights: pa.Table) -> pa.Table:
    """Propagate topics over a whole graph.

    Parameters
    ----------
    nodes, edges
        `labeling.links.graph.NODES` and `labeling.links.graph.MUTUAL_EDGES`, in any order.
    weights
        `labeling.links.edge_agreement.WEIGHTS`.

    Returns
    -------
    Table
        `NEIGHBOUR_VOTES`, sorted by page.
    """
    names, (of_nodes, source, target) = _numbered(
        [nodes["page_id"], edges["page_id"], edges["other_page"]]
    )
    graph = build_graph(len(names), source, target, edge_weights(edges, weights))
    origin = _node_origins(names)
    origin[of_nodes] = _host_origins(nodes["host"].to_numpy())
    votes = neighbour_votes(graph, _seeds(nodes, of_nodes), SETTINGS, origin)
    return _to_table(names, votes)


def send(states: pa.Table, nodes: pa.Table, edges: pa.Table, weights: pa.Table) -> pa.Table:
    """Return `MESSAGES` from the nodes of some `STATES` over their edges.

    Parameters
    ----------
    states
        `STATES` of the nodes of a bucket.
    nodes, edges, weights
        As for `propagate_topics`, those of the bucket.
    """
    hosts = _host_origins(nodes["host"].to_numpy())
    origin = pa.table({"page_id": nodes["page_id"], "origin": hosts})
    rows = edges.select(["page_id", "other_page"])
    rows = rows.append_column("weight", pa.array(as_weight(edge_weights(edges, weights))))
    numbered = pa.table({"page_id": states["page_id"], "state": np.arange(len(states))})
    rows = rows.join(numbered, "page_id", join_type="inner").join(origin, "page_id")
    state = states.take(rows["state"])
    of_nodes = pa.array(_node_origins(ids.to_halves(rows["page_id"])))
    origins = pc.coalesce(rows["origin"], of_nodes)
    columns = [rows["other_page"], rows["weight"], state["topics"], state["norm"], origins]
    return pa.table(columns, schema=MESSAGES)


def first_states(nodes: pa.Table) -> pa.Table:
    """Return the states before the first round: the topics of the nodes themselves."""
    norm = np.zeros(len(nodes), np.uint64)
    return pa.table([nodes["page_id"], nodes["topics"], norm], schema=STATES)


def next_states(messages: pa.Table, nodes: pa.Table) -> pa.Table:
    """Return `STATES` after a round, of the nodes with topics or messages.

    Parameters
    ----------
    messages
        `MESSAGES` to the nodes of a bucket.
    nodes
        `labeling.links.graph.NODES` of the bucket.
    """
    names, (target, of_nodes) = _numbered([messages["page_id"], nodes["page_id"]])
    graph, sources = _graph(len(names), target, messages)
    state, norm = advance(graph, sources.state, _seeds(nodes, of_nodes), SETTINGS)
    columns = [ids.halves_to_binary(names), to_binary(state[:-1]), norm[:-1]]
    return pa.table(columns, schema=STATES)


def collect_votes(messages: pa.Table, before: pa.Table) -> pa.Table:
    """Return `NEIGHBOUR_VOTES` from the messages of the last round.

    Parameters
    ----------
    messages
        `MESSAGES` to the nodes of a bucket.
    before
        `STATES` of the bucket in the round before.
    """
    names, (target, of_states) = _numbered([messages["page_id"], before["page_id"]])
    graph, sources = _graph(len(names), target, messages)
    state = np.zeros((len(names), TOP_TOPICS), np.uint64)
    state[of_states] = from_binary(before["topics"], np.uint64)
    return _to_table(names, votes_from(graph, sources, state, SETTINGS))


def _graph(n: int, target: Ints, messages: pa.Table) -> tuple[Graph, Sources]:
    """Return a graph in which each message is a source of its own, and these sources."""
    order = np.argsort(target, kind="stable")
    first = np.searchsorted(target[order], np.arange(n + 1))
    weight = messages["weight"].to_numpy()[order]
    state = from_binary(messages["topics"], np.uint64)[order]
    sources = Sources(
        np.concatenate([state, np.zeros((1, TOP_TOPICS), np.uint64)]),
        np.append(messages["norm"].to_numpy()[order], np.uint64(0)),
        np.append(messages["origin"].to_numpy()[order], np.uint32(0)),
    )
    return Graph(first, np.arange(len(messages)), weight, weight), sources


def _seeds(nodes: pa.Table, numbers: Ints) -> Seeds:
    order = np.argsort(numbers)
    return Seeds(numbers[order], from_binary(nodes["topics"], np.uint64)[order])


def _numbered(columns: list[pa.ChunkedArray]) -> tuple[ids.Halves, list[Ints]]:
    """Return the distinct ids of some columns in order, and the number of each in the columns."""
    coded = pa.chunked_array([c for column in columns for c in column.chunks], ids.BINARY)
    coded = coded.combine_chunks().dictionary_encode()
    names = ids.to_halves(coded.dictionary)
    rank, ordered = ids.rank(names)
    numbers = rank[np.asarray(coded.indices, np.int64)]
    return ordered, np.split(numbers, np.cumsum([len(column) for column in columns])[:-1])


def _host_origins(host: Ints) -> npt.NDArray[np.uint32]:
    """Return a number above 0 for each host."""
    return (host.view(np.uint64) >> np.uint64(32)).astype(np.uint32) | np.uint32(1)


def _node_origins(names: ids.Halves) -> npt.NDArray[np.uint32]:
    """Return a number above 0 for each node without a host; the node of a host has its host's."""
    return _host_origins(names[:, 0].view(np.int64))


def _to_table(names: ids.Halves, votes: NeighbourVotes) -> pa.Table:
    label, share = unpack(votes.state)
    shares = np.minimum(share * TOP_TOPICS, 1)
    row, rank = np.nonzero((label >= 0) & (shares >= MIN_SHARE))
    columns = (label, shares, votes.n_voters, votes.n_origins)
    page_id = ids.halves_to_binary(names[row])
    return pa.table([page_id, *(column[row, rank] for column in columns)], schema=NEIGHBOUR_VOTES)
