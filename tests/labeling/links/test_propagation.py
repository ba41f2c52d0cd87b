from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from labeling.links.edge_agreement import AGREEMENTS, count_agreement, kind_weights
from labeling.links.neighbour_votes import NeighbourVotes, neighbour_votes
from labeling.links.propagation import Graph, Seeds, Settings, build_graph, propagate
from labeling.links.top_labels import ONE, State, pack, unpack

N = 12
LABELS = 6
DAMPED = Settings(rounds=3, damping=0.6)

edges = st.lists(
    st.tuples(st.integers(0, N - 1), st.integers(0, N - 1), st.sampled_from([0.0, 0.1, 0.5, 1.0])),
    max_size=40,
)
seeds = st.dictionaries(
    st.integers(0, N - 1),
    st.dictionaries(st.integers(0, LABELS - 1), st.integers(1, 9), min_size=1, max_size=3),
    max_size=6,
)
Edges = list[tuple[int, int, float]]
Given = dict[int, dict[int, int]]


def graph_of(some: Edges) -> Graph:
    source, target = (np.array([e[i] for e in some], np.int64) for i in (0, 1))
    return build_graph(N, source, target, np.array([e[2] for e in some], np.float64))


def seeds_of(some: Given, k: int = LABELS) -> Seeds:
    node = np.array(sorted(some), np.int64)
    labels, shares = np.zeros((len(node), k), np.int64), np.zeros((len(node), k))
    for row, of_node in enumerate(node):
        for rank, (label, part) in enumerate(sorted(some[of_node].items())[:k]):
            labels[row, rank], shares[row, rank] = label, part / 27
    return Seeds(node, pack(labels, shares))


def votes_on(graph: Graph, start: Seeds, settings: Settings) -> NeighbourVotes:
    """Return the votes of neighbours, each node an origin of its own."""
    return neighbour_votes(graph, start, settings, np.arange(1, N + 1, dtype=np.uint32))


def dense(state: State) -> npt.NDArray[np.float64]:
    labels, shares = unpack(state)
    full = np.zeros((len(state), LABELS))
    for row, rank in zip(*np.nonzero(labels >= 0), strict=True):
        full[row, labels[row, rank]] = shares[row, rank]
    return full


def plain(some: Edges, given_seeds: Seeds, settings: Settings) -> npt.NDArray[np.float64]:
    """The same by dense matrices of floats."""
    weight = np.zeros((N, N))
    for source, target, w in some:
        weight[target, source] += w
    given_shares = np.zeros((N, LABELS))
    given_shares[given_seeds.node] = dense(given_seeds.rows)
    seeded = given_shares.any(axis=1, keepdims=True)
    state = given_shares
    for _ in range(settings.rounds):
        voting = weight * state.any(axis=1)
        norm = voting.sum(axis=1, keepdims=True)
        mean = voting @ state / np.where(norm > 0, norm, 1)
        if settings.clamped:
            state = np.where(seeded, given_shares, mean)
        else:
            kept = np.where(norm > 0, 1 - settings.damping, 1)
            state = settings.damping * mean + kept * given_shares
    return state


@limits(deadline=None)
@given(edges, seeds)
def test_it_is_what_dense_matrices_give(some: Edges, given_seeds: Given) -> None:
    start = seeds_of(given_seeds)
    for settings in (DAMPED, Settings(rounds=5, clamped=True)):
        shares = dense(propagate(graph_of(some), start, settings))
        assert np.allclose(shares, plain(some, start, settings), atol=1e-6)


@limits(deadline=None)
@given(edges, seeds, st.permutations(range(N)), st.randoms())
def test_the_order_of_nodes_and_edges_changes_nothing(
    some: Edges, given_seeds: Given, names: list[int], random: object
) -> None:
    settings = Settings(rounds=3, damping=0.6)
    before = propagate(graph_of(some), seeds_of(given_seeds, 2), settings)
    renamed = [(names[a], names[b], w) for a, b, w in some][::-1]
    other = {names[node]: labels for node, labels in given_seeds.items()}
    after = propagate(graph_of(renamed), seeds_of(other, 2), settings)
    assert np.array_equal(after[names], before)
    votes = votes_on(graph_of(some), seeds_of(given_seeds, 2), settings)
    again = votes_on(graph_of(renamed), seeds_of(other, 2), settings)
    for column, renamed_column in zip(votes, again, strict=True):
        assert np.array_equal(renamed_column[names], column)


@limits(deadline=None)
@given(edges, seeds)
def test_shares_add_up_to_at_most_one_and_silent_nodes_stay_silent(
    some: Edges, given_seeds: Given
) -> None:
    full = {n: {label: 27 if p == max(of.values()) else 0 for label, p in list(of.items())[:1]}
            for n, of in given_seeds.items()}  # fmt: skip
    for start in (seeds_of(given_seeds), seeds_of(full)):
        graph = graph_of(some)
        state = propagate(graph, start, DAMPED)
        assert ((state & np.uint64(2**32 - 1)).sum(axis=1) <= ONE).all()
        reached = set(start.node.tolist())
        for _ in range(DAMPED.rounds):
            reached |= {b for a, b, w in some if a in reached and w > 0}
        silent = sorted(set(range(N)) - reached)
        assert not state[silent].any()
        assert not votes_on(graph, start, DAMPED).state[silent].any()


def test_a_node_does_not_vote_for_itself() -> None:
    both: Edges = [(0, 1, 1.0), (1, 0, 0.5), (1, 2, 1.0), (2, 1, 1.0)]
    for rounds in (1, 2, 3):
        votes = votes_on(graph_of(both), seeds_of({0: {3: 27}}), Settings(rounds, 0.5))
        shares = dense(votes.state)
        assert not shares[0].any()
        assert shares[1, 3] == (1 if rounds < 3 else 0.5)
        assert (shares[2, 3] > 0) == (rounds > 1)


def test_votes_count_neighbours_and_their_origins() -> None:
    some: Edges = [(1, 0, 1.0), (2, 0, 1.0), (3, 0, 0.5), (4, 0, 1.0)]
    start = seeds_of({1: {0: 27}, 2: {0: 27}, 3: {1: 27}})
    origin = np.array([9, 7, 7, 7, 8] + [6] * (N - 5), np.uint32)
    votes = neighbour_votes(graph_of(some), start, Settings(rounds=1), origin)
    labels, shares = unpack(votes.state)
    assert labels[0, :3].tolist() == [0, 1, -1]
    assert np.allclose(shares[0, :2], [0.8, 0.2])
    assert votes.n_voters[0, :3].tolist() == [2, 1, 0]
    assert votes.n_origins[0, :3].tolist() == [1, 1, 0]


def test_equal_shares_are_kept_by_the_code_of_the_label() -> None:
    some: Edges = [(n, 0, 1.0) for n in range(1, 6)]
    start = seeds_of({n: {n: 27} for n in range(1, 6)}, 2)
    state = propagate(graph_of(some), start, Settings(rounds=1))
    assert unpack(state)[0][0].tolist() == [1, 2]


@limits(deadline=None)
@given(st.lists(st.tuples(*[st.integers(-1, 3)] * 2, st.integers(0, 2)), max_size=60))
def test_weights_of_edges_are_shares_of_the_largest(rows: list[tuple[int, int, int]]) -> None:
    table = np.array(rows, np.int64).reshape(-1, 3)
    here, there, kind = table[:, :1], table[:, 1:2], table[:, 2]
    weights = kind_weights(count_agreement(kind, here, there), 3)[0]
    assert ((weights >= 0) & (weights <= 1)).all()
    assert np.array_equal(weights, kind_weights(count_agreement(kind, there, here), 3)[0])


def test_edges_that_predict_weigh_more_and_few_edges_get_the_weight_of_all() -> None:
    counts = [(0, 10_000, 9_000, range(10)), (1, 10_000, 1_000, range(10)), (2, 2, 2, range(2))]
    rows = [(kind, 0, label, n, agree) for kind, n, agree, labels in counts for label in labels]
    weights, n_pairs = kind_weights(
        pa.table(list(map(list, zip(*rows, strict=True))), schema=AGREEMENTS), 3
    )
    assert n_pairs.tolist() == [50_000, 50_000, 2]
    assert weights[0] == 1
    assert weights[1] < 0.05
    assert weights[1] < weights[2] < weights[0]
    nothing = np.empty((0, 1), np.int64)
    unknown, _ = kind_weights(count_agreement(nothing[:, 0], nothing, nothing), 3)
    assert unknown.tolist() == [1, 1, 1]
