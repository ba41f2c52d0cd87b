"""What nodes of a graph are about, from what their neighbours are about.

Every node holds a distribution over labels, its strongest labels only, so that memory does not
depend on the number of labels (Ravi & Diao 2016, "Large Scale Distributed Semi-Supervised Learning
Using Streaming Approximation", §3). A round replaces it by a mean of its neighbours' and its own
seed: damped (Zhou et al. 2004, "Learning with Local and Global Consistency") or with seeds held as
they are (Zhu & Ghahramani 2002, "Learning from Labeled and Unlabeled Data with Label Propagation").
Neighbours that know nothing do not count in the mean: silence is no evidence.

All arithmetic is on integers, with ties broken by the label's code, so that the result does not
depend on the order of nodes or edges, or on where a round is computed: `Graph` may be a whole graph
or the edges into some of its nodes (see `pipelines.passes.propagation`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labeling.keys.arrays import Ints, Mask
from labeling.keys.runs import run_starts
from labeling.links.top_labels import ONE, Shares, State, scaled, strongest

FULL_WEIGHT = 1 << 20
"""The weight 1 of an edge, as an integer."""

BLOCK = 1 << 18
"""Labels of neighbours that are sorted at once: they stay in the cache of a core."""

LOOSE = 1.25
"""How many times as many neighbours as the first node of a block the last may have."""


class Graph(NamedTuple):
    """Edges into each node: those into node ``i`` are at ``first[i]`` to ``first[i + 1]``."""

    first: Ints
    """``int64[n + 1]``."""
    source: npt.NDArray[np.integer]
    """Integers ``[m]``: the row of the state at which an edge begins."""
    weight: npt.NDArray[np.uint32]
    """``uint32[m]``: how much an edge counts, in units of 1 / `FULL_WEIGHT`."""
    back: npt.NDArray[np.uint32]
    """``uint32[m]``: weight of the edge in the other direction, 0 where there is none."""


class Seeds(NamedTuple):
    """What some nodes are about by themselves."""

    node: Ints
    """``int64[s]``, ascending."""
    rows: State


class Round(NamedTuple):
    """The state after a round."""

    state: State
    norm: Shares
    """``uint64[n]``: weights of the edges from neighbours that spoke."""


@dataclass(frozen=True)
class Settings:
    """How labels are propagated.

    Parameters
    ----------
    rounds
        How many steps a label may go.
    damping
        Share of a node's state that is its neighbours', in (0, 1]; the rest is its seed's. What
        comes from n steps away counts at most ``damping ** n``.
    clamped
        Seeds stay as they are; nodes without one are wholly their neighbours'.
    """

    rounds: int = 2
    damping: float = 0.5
    clamped: bool = False

    @property
    def kept(self) -> int:
        """`damping` out of `ONE`; all of it where seeds are clamped."""
        return ONE if self.clamped else round(self.damping * ONE)


def build_graph(
    n_nodes: int,
    source: npt.NDArray[np.integer],
    target: npt.NDArray[np.integer],
    weight: npt.NDArray[np.floating],
) -> Graph:
    """Return the graph of some edges; those between the same nodes in one direction add up.

    Parameters
    ----------
    n_nodes
        How many nodes there are, below 2**31.
    source, target
        Integers ``[m]``: the node at which each edge begins and ends, in any order.
    weight
        ``float[m]`` in [0, 1]: how much each edge counts.
    """
    key = target.astype(np.int64) * n_nodes + source
    order = np.argsort(key)
    key = key[order]
    starts = run_starts(key)
    parts = as_weight(weight)[order]
    if len(starts) < len(key):
        parts = np.add.reduceat(parts, starts)
        key = key[starts]
    to, of = np.divmod(key, n_nodes)
    first = np.searchsorted(to, np.arange(n_nodes + 1))
    return Graph(first, of.astype(np.int32), parts, _backward(key, of * n_nodes + to, parts))


def as_weight(weight: npt.NDArray[np.floating]) -> npt.NDArray[np.uint32]:
    """Return weights in [0, 1] in units of 1 / `FULL_WEIGHT`."""
    parts: npt.NDArray[np.uint32] = np.rint(weight * FULL_WEIGHT).astype(np.uint32)
    return parts


def propagate(graph: Graph, seeds: Seeds, settings: Settings) -> State:
    """Return the state of all nodes after some rounds that begin with the seeds.

    Returns
    -------
    State
        ``uint64[n, k]`` for the k of the seeds; nodes that no seed reaches have rows of 0.
    """
    return run(graph, seeds, settings, settings.rounds)[0].state[:-1]


def run(graph: Graph, seeds: Seeds, settings: Settings, rounds: int) -> tuple[Round, Round]:
    """Return the last round and the one before it; their states have a row of 0 at the end."""
    n, k = len(graph.first) - 1, seeds.rows.shape[1]
    before = Round(np.zeros((n + 1, k), np.uint64), np.zeros(n + 1, np.uint64))
    now = Round(before.state.copy(), before.norm.copy())
    now.state[seeds.node] = seeds.rows
    for _ in range(rounds):
        changed = (now.state != before.state).any(axis=1)
        touched = _any_into(graph, changed)
        if not touched.any():
            return now, now
        np.copyto(before.state, now.state)
        np.copyto(before.norm, now.norm)
        advance(graph, now.state, seeds, settings, touched, before)
        now, before = before, now
    return now, before


def advance(
    graph: Graph,
    sources: State,
    seeds: Seeds,
    settings: Settings,
    touched: Mask,
    out: Round,
) -> None:
    """Compute the next state of the nodes that are touched; of the others `out` stays as it is.

    Parameters
    ----------
    graph
        The edges into n nodes.
    sources
        State at which the edges begin, with a row of 0 at the end.
    seeds
        What the n nodes are about by themselves.
    settings
        As for `propagate`.
    touched
        ``bool[n]``: nodes of which a neighbour has changed.
    out
        Room for the state and norm of the n nodes or more.
    """
    n, k = len(graph.first) - 1, seeds.rows.shape[1]
    slot = np.full(n, len(seeds.node), np.int32)
    slot[seeds.node] = np.arange(len(seeds.node))
    own = np.concatenate([seeds.rows, np.zeros((1, k), np.uint64)])
    if settings.clamped:
        touched = touched & (slot == len(seeds.node))
    for nodes, edge, here in blocks(graph, touched, k):
        rows, share, norm = _shares(graph, sources, edge, here, settings.kept)
        seeded = slot[nodes] < len(seeds.node)
        width = edge.shape[1]
        keys = np.empty((len(nodes), width + bool(seeded.any()), k), np.uint64)
        scaled(rows, share, keys[:, :width])
        if seeded.any():
            kept = np.where(norm > 0, ONE - settings.kept, ONE).astype(np.uint64)
            scaled(own[slot[nodes]], kept, keys[:, width])
        out.state[nodes] = strongest(keys.reshape(len(nodes), -1), k)
        out.norm[nodes] = norm


def blocks(graph: Graph, touched: Mask, k: int) -> Iterator[tuple[Ints, Ints, Mask]]:
    """Yield nodes with about as many edges each, their edges, and which of these are theirs."""
    n_edges = np.diff(graph.first)
    nodes = np.flatnonzero(touched & (n_edges > 0))
    nodes = nodes[np.argsort(n_edges[nodes], kind="stable")]
    ordered = n_edges[nodes]
    start = 0
    while start < len(nodes):
        stop = int(np.searchsorted(ordered, ordered[start] * LOOSE + 1, "right"))
        for _ in range(2):
            stop = min(stop, start + max(1, BLOCK // (k * int(ordered[stop - 1]))))
        width = np.arange(ordered[stop - 1])
        edge = graph.first[nodes[start:stop], None] + width
        here = width < ordered[start:stop, None]
        yield nodes[start:stop], np.minimum(edge, len(graph.source) - 1), here
        start = stop


def _shares(
    graph: Graph, sources: State, edge: Ints, here: Mask, kept: int
) -> tuple[State, Shares, Shares]:
    """Return what is at the other end of edges, the share of each, and the sum of weights."""
    rows = sources.take(np.where(here, graph.source[edge], len(sources) - 1), axis=0)
    weight = np.where(rows[:, :, 0] > 0, graph.weight[edge], 0)
    return rows, *divide(weight, kept)


def divide(weight: npt.NDArray[np.integer], total: int) -> tuple[Shares, Shares]:
    """Divide `total` by weight within each row; also return the sum of weights of each row."""
    weights = weight.astype(np.uint64)
    norm = weights.sum(axis=1)
    return weights * np.uint64(total) // np.maximum(norm, 1)[:, None], norm


def _any_into(graph: Graph, changed: Mask) -> Mask:
    """Return which nodes have an edge from a changed one."""
    n_changed = np.concatenate([[0], np.cumsum(changed[graph.source])])
    return np.diff(n_changed[graph.first]) > 0


def _backward(key: Ints, turned: Ints, weight: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Return the weight of the edge in the other direction, given keys in order."""
    order = np.argsort(turned)
    place = np.empty(len(key), np.int64)
    place[order] = np.searchsorted(key, turned[order])
    place = np.minimum(place, max(len(key) - 1, 0))
    return np.where(key[place] == turned, weight[place], 0).astype(np.uint32)
