"""What the neighbours of a node say that they do not have from the node itself."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labeling.keys.arrays import Ints, Ints32
from labeling.links.propagation import Graph, Seeds, Settings, blocks, divide, run
from labeling.links.top_labels import (
    BITS,
    HALF,
    LOW,
    ONE,
    Shares,
    State,
    ends,
    ranked,
    scaled,
    unranked,
)

LEAST_HEARD = ONE >> 10
"""The least share that is heard of a label, and that a node must say to count among neighbours.
What a node hears of its own words is taken out up to rounding and cutting, which stays below."""

_MINUS = np.uint64(1 << 31)


class Heard(NamedTuple):
    """What the neighbours of each node say, but for what they have from the node itself."""

    state: State
    n_senders: Ints32
    """``int32[n, k]``: neighbours that say so."""
    n_origins: Ints32
    """``int32[n, k]``: distinct origins of these."""


class Sources(NamedTuple):
    """The nodes at which edges begin, with a row of 0 at the end."""

    state: State
    norm: Shares
    origin: npt.NDArray[np.uint32]


def hear(
    graph: Graph, seeds: Seeds, settings: Settings, origin: npt.NDArray[np.uint32] | None = None
) -> Heard:
    """Return what the neighbours of each node say after all rounds but the last.

    A node does not hear its own seed: what a neighbour has from the node itself is taken out, and a
    neighbour that has nothing else to say does not count. In two rounds nothing of it comes back;
    in three it can over a triangle, damped twice.

    Parameters
    ----------
    graph, seeds, settings
        As for `propagate`; seeds are not clamped.
    origin
        ``uint32[n]``: a number above 0 for each node, such as one for its host; without it each
        node is an origin of its own.
    """
    now, before = run(graph, seeds, settings, settings.rounds - 1)
    n = len(graph.first) - 1
    if origin is None:
        origin = np.arange(1, n + 1, dtype=np.uint32)
    return listen(
        graph, Sources(now.state, now.norm, np.append(origin, np.uint32(0))), before.state, settings
    )


def listen(graph: Graph, sources: Sources, before: State, settings: Settings) -> Heard:
    """Return what sources say to the nodes of a graph, but for what they have from these.

    Parameters
    ----------
    graph
        The edges into n nodes.
    sources
        At which they begin, after the last but one round.
    before
        State of the n nodes in the round before that; more rows are not read.
    settings
        As for `hear`.
    """
    n, k = len(graph.first) - 1, before.shape[1]
    heard = Heard(
        np.zeros((n, k), np.uint64), np.zeros((n, k), np.int32), np.zeros((n, k), np.int32)
    )
    for nodes, edge, here in blocks(graph, np.ones(n, bool), k):
        mine = before[nodes]
        source = np.where(here, graph.source[edge], len(sources.state) - 1)
        echo = _back(graph, sources, edge, source, settings.kept)
        rows = sources.state[source]
        spoken = (rows & LOW).sum(axis=2) - ((echo * (mine & LOW).sum(axis=1)[:, None]) >> BITS)
        speaks = spoken.astype(np.int64) > LEAST_HEARD
        share, _ = divide(np.where(here & speaks, graph.weight[edge], 0), ONE)
        returned = ((share * echo) >> BITS).sum(axis=1)
        keys = np.empty((len(nodes), rows.shape[1] + 1, k), np.uint64)
        scaled(rows, share, keys[:, :-1])
        scaled(mine, returned, keys[:, -1])
        found = _hear(keys, sources.origin[source])
        heard.state[nodes] = found.state
        heard.n_senders[nodes] = found.n_senders
        heard.n_origins[nodes] = found.n_origins
    return heard


def _back(graph: Graph, sources: Sources, edge: Ints, source: Ints, kept: int) -> Shares:
    """Return the share that each source has from the node at the end of the edge."""
    norm = sources.norm[source]
    echo = graph.back[edge].astype(np.uint64) * np.uint64(kept) // np.maximum(norm, 1)
    return np.where(norm > 0, echo, np.uint64(0))


def _hear(keys: State, origin: npt.NDArray[np.uint32]) -> Heard:
    """Add up what is said less what is returned, the last, and count who says it."""
    n, n_said, k = keys.shape
    from_origin = np.where((keys[:, :-1] & LOW) > 0, keys[:, :-1] & ~LOW | origin[:, :, None], 0)
    keys[:, -1] |= _MINUS
    flat = keys.reshape(n, n_said * k)
    flat.sort(axis=1)
    label = flat >> HALF
    place = ends(label)
    labels = label.ravel()[place]
    said = flat.astype(np.int64) & (int(_MINUS) - 1)
    returned = (flat & _MINUS) > 0
    total = _sums(np.where(returned, -said, said), place)
    n_senders = _sums(np.where(returned, 0, said > 0), place)
    row = place // flat.shape[1]
    n_origins = _count_origins(from_origin.reshape(n, -1), row.astype(np.uint64) << HALF | labels)
    best = np.zeros(flat.shape, np.uint64)
    best.ravel()[place] = ranked(np.where(total > LEAST_HEARD, total, 0).astype(np.uint64), labels)
    order = np.argsort(best, axis=1)[:, ::-1][:, :k]
    state = unranked(np.sort(best, axis=1), k)
    counts = []
    for of_label in (n_senders, n_origins):
        count = np.zeros(flat.shape, np.int32)
        count.ravel()[place] = of_label
        counts.append(np.where(state > 0, np.take_along_axis(count, order, axis=1), 0))
    return Heard(state, *counts)


def _sums(values: npt.NDArray[np.integer], place: Ints) -> Ints:
    """Return the sum of each run of values that ends at a place."""
    return np.diff(np.cumsum(values.ravel(), dtype=np.int64)[place], prepend=0)


def _count_origins(from_origin: State, keys: npt.NDArray[np.uint64]) -> Ints:
    """Return how many distinct origins each of some (row, label), in order, has."""
    ordered = np.sort(from_origin, axis=1)
    is_new = (ordered & LOW) > 0
    is_new[:, 1:] &= ordered[:, 1:] != ordered[:, :-1]
    row, _ = np.nonzero(is_new)
    found = row.astype(np.uint64) << HALF | ordered[is_new] >> HALF
    return np.bincount(np.searchsorted(keys, found), minlength=len(keys))
