"""Labels of nodes of a graph, propagated from their neighbours.

Every node holds a distribution over labels, its strongest labels only, so that memory does not
depend on the number of labels (Ravi & Diao 2016, "Large Scale Distributed Semi-Supervised Learning
Using Streaming Approximation", §3). A round replaces it by a mean of its neighbours' and its own
seed: damped (Zhou et al. 2004, "Learning with Local and Global Consistency") or with clamped seeds
(Zhu & Ghahramani 2002, "Learning from Labeled and Unlabeled Data with Label Propagation").
Neighbours without labels do not count in the mean: a missing label is not evidence.

All arithmetic is on integers, with ties broken by the label's code, so that the result does not
depend on the order of nodes or edges, or on the worker that computes a round: `Graph` may be a
whole graph or the edges into some of its nodes (see `pipelines.passes.propagation`).
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
"""Largest ratio of the numbers of neighbours of two nodes of a block."""


class Graph(NamedTuple):
    """Edges into each node: those into node ``i`` are at ``first[i]`` to ``first[i + 1]``."""

    first: Ints
    """``int64[n + 1]``."""
    source: npt.NDArray[np.integer]
    """Integers ``[m]``: the row of the state at which an edge begins."""
    weight: npt.NDArray[np.uint32]
    """``uint32[m]``: weight of an edge, in units of 1 / `FULL_WEIGHT`."""
    back: npt.NDArray[np.uint32]
    """``uint32[m]``: weight of the edge in the other direction, 0 without one."""


class Seeds(NamedTuple):
    """The labels of some nodes by themselves."""

    node: Ints
    """``int64[s]``, ascending."""
    rows: State


class Round(NamedTuple):
    """The state after a round."""

    state: State
    norm: Shares
    """``uint64[n]``: sum of weights of the edges from neighbours with labels."""


@dataclass(frozen=True)
class Settings:
    """Settings of the propagation.

    Parameters
    ----------
    rounds
        Number of steps that a label is propagated.
    damping
        Share of a node's state that is its neighbours', in (0, 1]; the rest is its seed's. Labels
        from n steps away count at most ``damping ** n``.
    clamped
        Seeds do not change; the state of other nodes is only their neighbours'.
    """

    rounds: int = 2
    damping: float = 0.5
    clamped: bool = False

    @property
    def kept(self) -> int:
        """`damping` out of `ONE`; all of it if seeds are clamped."""
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
        Number of nodes, below 2**31.
    source, target
        Integers ``[m]``: the nodes of each edge, in any order.
    weight
        ``float[m]`` in [0, 1]: weight of each edge.
    """
    key = target.astype(np.int64) * n_nodes + source
    order = np.argsort(key)
    key = key[order]
    starts = run_starts(key)
    parts = as_weight(weight)[order]
    if len(starts) < len(key):
        parts = np.add.reduceat(parts, starts)
        key = key[starts]
    end, begin = np.divmod(key, n_nodes)
    first = np.searchsorted(end, np.arange(n_nodes + 1))
    back = _backward(key, begin * n_nodes + end, parts)
    return Graph(first, begin.astype(np.int32), parts, back)


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
    last = before = _first_round(graph, seeds)
    for _ in range(rounds):
        before = last
        last = advance(graph, before.state, seeds, settings)
    return last, before


def advance(graph: Graph, sources: State, seeds: Seeds, settings: Settings) -> Round:
    """Return the next round of n nodes, with a row of 0 at the end.

    Parameters
    ----------
    graph
        The edges into n nodes.
    sources
        State of the nodes at which the edges begin, with a row of 0 at the end.
    seeds
        The labels of the n nodes by themselves.
    settings
        As for `propagate`.
    """
    out, k = _first_round(graph, seeds), seeds.rows.shape[1]
    reached = _reached(graph, sources)
    if settings.clamped:
        reached[seeds.node] = False
    for nodes, edge, here in blocks(graph, reached, k):
        rows, share, norm = _shares(graph, sources, edge, here, settings.kept)
        keys = np.empty((len(nodes), edge.shape[1] + 1, k), np.uint64)
        scaled(rows, share, keys[:, :-1])
        kept = np.where(norm > 0, ONE - settings.kept, ONE).astype(np.uint64)
        scaled(out.state[nodes], kept, keys[:, -1])
        out.state[nodes] = strongest(keys.reshape(len(nodes), -1), k)
        out.norm[nodes] = norm
    return out


def _first_round(graph: Graph, seeds: Seeds) -> Round:
    n, k = len(graph.first), seeds.rows.shape[1]
    state = np.zeros((n, k), np.uint64)
    state[seeds.node] = seeds.rows
    return Round(state, np.zeros(n, np.uint64))


def blocks(graph: Graph, reached: Mask, k: int) -> Iterator[tuple[Ints, Ints, Mask]]:
    """Yield nodes with similar numbers of edges, their edges, and a mask of the padding."""
    n_edges = np.diff(graph.first)
    nodes = np.flatnonzero(reached & (n_edges > 0))
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
    """Return the states at the beginning of edges, the share of each, and the sum of weights."""
    rows = sources.take(np.where(here, graph.source[edge], len(sources) - 1), axis=0)
    weight = np.where(rows[:, :, 0] > 0, graph.weight[edge], 0)
    return rows, *divide(weight, kept)


def divide(weight: npt.NDArray[np.integer], total: int) -> tuple[Shares, Shares]:
    """Divide `total` by weight within each row; also return the sum of weights of each row."""
    weights = weight.astype(np.uint64)
    norm = weights.sum(axis=1)
    return weights * np.uint64(total) // np.maximum(norm, 1)[:, None], norm


def _reached(graph: Graph, sources: State) -> Mask:
    """Return ``bool[n]``: nodes with an edge from a source with labels."""
    n_labelled = np.concatenate([[0], np.cumsum(sources[graph.source, 0] > 0)])
    reached: Mask = np.diff(n_labelled[graph.first]) > 0
    return reached


def _backward(key: Ints, turned: Ints, weight: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Return the weight of the edge in the other direction, given keys in order."""
    order = np.argsort(turned)
    row = np.empty(len(key), np.int64)
    # In order, since searchsorted is slow for needles that jump about in a long array.
    row[order] = np.searchsorted(key, turned[order])
    row = np.minimum(row, max(len(key) - 1, 0))
    return np.where(key[row] == turned, weight[row], 0).astype(np.uint32)
