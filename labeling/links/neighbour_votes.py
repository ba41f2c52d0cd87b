"""Votes of the neighbours of a node, without the labels that they have from the node itself."""

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
    ranked,
    run_ends,
    scaled,
    unranked,
)

MIN_VOTE = ONE >> 10
"""Smallest share of a label that is a vote, and smallest sum of a neighbour that counts. A node's
own contribution is subtracted up to rounding and truncation, whose remains are below this."""

_MINUS = np.uint64(1 << 31)


class NeighbourVotes(NamedTuple):
    """Labels of the neighbours of each node, minus the share that came from the node itself."""

    state: State
    n_voters: Ints32
    """``int32[n, k]``: neighbours with the label."""
    n_origins: Ints32
    """``int32[n, k]``: distinct origins of these."""


class Sources(NamedTuple):
    """The nodes at which edges begin, with a row of 0 at the end.

    `norm` is as in `labeling.links.propagation.Round`; for `origin` see `neighbour_votes`.
    """

    state: State
    norm: Shares
    origin: npt.NDArray[np.uint32]


def neighbour_votes(
    graph: Graph, seeds: Seeds, settings: Settings, origin: npt.NDArray[np.uint32]
) -> NeighbourVotes:
    """Return the votes of the neighbours of each node after all rounds except the last.

    A node does not vote for itself: the labels that a neighbour has from the node are subtracted,
    and a neighbour without other labels does not count. In two rounds nothing of a seed returns to
    its node; in three it can over a triangle, damped twice.

    Parameters
    ----------
    graph, seeds, settings
        As for `propagate`; seeds are not clamped.
    origin
        ``uint32[n]``: a number above 0 for each node, such as one for its host.
    """
    now, before = run(graph, seeds, settings, settings.rounds - 1)
    sources = Sources(now.state, now.norm, np.append(origin, np.uint32(0)))
    return votes_from(graph, sources, before.state, settings)


def votes_from(graph: Graph, sources: Sources, before: State, settings: Settings) -> NeighbourVotes:
    """Return the votes of sources on the nodes of a graph, without the nodes' own contribution.

    Parameters
    ----------
    graph
        The edges into n nodes.
    sources
        The nodes at which they begin, after the last round but one.
    before
        State of the n nodes in the round before that; more rows are not read.
    settings
        As for `neighbour_votes`.
    """
    n, k = len(graph.first) - 1, before.shape[1]
    votes = NeighbourVotes(*(np.zeros((n, k), dtype) for dtype in (np.uint64, np.int32, np.int32)))
    for nodes, edge, here in blocks(graph, np.ones(n, bool), k):
        earlier = before[nodes]
        source = np.where(here, graph.source[edge], len(sources.state) - 1)
        echo = _echo(graph, sources, edge, source, settings.kept)
        rows = sources.state[source]
        total = (rows & LOW).sum(axis=2) - ((echo * (earlier & LOW).sum(axis=1)[:, None]) >> BITS)
        is_voter = total.astype(np.int64) > MIN_VOTE  # signed: rounding may leave less than 0
        share, _ = divide(np.where(here & is_voter, graph.weight[edge], 0), ONE)
        returned = ((share * echo) >> BITS).sum(axis=1)
        keys = np.empty((len(nodes), rows.shape[1] + 1, k), np.uint64)
        scaled(rows, share, keys[:, :-1])
        scaled(earlier, returned, keys[:, -1])
        of_block = _count(keys, sources.origin[source])
        votes.state[nodes] = of_block.state
        votes.n_voters[nodes] = of_block.n_voters
        votes.n_origins[nodes] = of_block.n_origins
    return votes


def _echo(graph: Graph, sources: Sources, edge: Ints, source: Ints, kept: int) -> Shares:
    """Return the share of each source's state that is from the node at the end of the edge."""
    norm = sources.norm[source]
    echo = graph.back[edge].astype(np.uint64) * np.uint64(kept) // np.maximum(norm, 1)
    return np.where(norm > 0, echo, np.uint64(0))


def _count(keys: State, origin: npt.NDArray[np.uint32]) -> NeighbourVotes:
    """Add up the shares of neighbours, subtract those of the last column, and count voters."""
    n, n_columns, k = keys.shape
    from_origin = np.where((keys[:, :-1] & LOW) > 0, keys[:, :-1] & ~LOW | origin[:, :, None], 0)
    keys[:, -1] |= _MINUS
    flat = keys.reshape(n, n_columns * k)
    flat.sort(axis=1)
    label = flat >> HALF
    last = run_ends(label)
    labels = label.ravel()[last]
    share = flat.astype(np.int64) & (int(_MINUS) - 1)
    is_returned = (flat & _MINUS) > 0
    total = _run_sums(np.where(is_returned, -share, share), last)
    n_voters = _run_sums(np.where(is_returned, 0, share > 0), last)
    row = last // flat.shape[1]
    n_origins = _count_origins(from_origin.reshape(n, -1), row.astype(np.uint64) << HALF | labels)
    best = np.zeros(flat.shape, np.uint64)
    best.ravel()[last] = ranked(np.where(total > MIN_VOTE, total, 0).astype(np.uint64), labels)
    order = np.argsort(best, axis=1)[:, ::-1][:, :k]
    state = unranked(np.sort(best, axis=1), k)
    counts = []
    for of_label in (n_voters, n_origins):
        count = np.zeros(flat.shape, np.int32)
        count.ravel()[last] = of_label
        counts.append(np.where(state > 0, np.take_along_axis(count, order, axis=1), 0))
    return NeighbourVotes(state, *counts)


def _run_sums(values: npt.NDArray[np.integer], last: Ints) -> Ints:
    """Return the sum of each run of values, given the last index of each."""
    return np.diff(np.cumsum(values.ravel(), dtype=np.int64)[last], prepend=0)


def _count_origins(from_origin: State, keys: npt.NDArray[np.uint64]) -> Ints:
    """Return the number of distinct origins of each key (row, label); the keys are in order."""
    ordered = np.sort(from_origin, axis=1)
    is_new = (ordered & LOW) > 0
    is_new[:, 1:] &= ordered[:, 1:] != ordered[:, :-1]
    row, _ = np.nonzero(is_new)
    of_origin = row.astype(np.uint64) << HALF | ordered[is_new] >> HALF
    return np.bincount(np.searchsorted(keys, of_origin), minlength=len(keys))
