"""Quality and speed of the propagation of labels over links.

    python tests/benchmarks/links.py [--data DIR] [--nodes N --edges M] [--peer-path SITE_PACKAGES]

Cora (Planetoid split): accuracy of plain clamped propagation, and of the settings and weights that
are best on the validation nodes, on the test nodes. Flickr8k: each photo is linked to the photos
whose captions people were shown with it; candidates are the nouns in its own first caption and in
those of its neighbours, ranked by their share after propagation: precision of the top third with
edges weighted by what thirds of yes prove to be worth (how often the first captions of both ends
name the same), with all edges alike, and without edges. A noun is right where two of the other
captions have it; these and the experts are not seen. Synthetic: a random graph
with labels on a tenth of its nodes, ten rounds, the 16 strongest labels, each method in a process
of its own: CPU seconds of the rounds, and the peak of memory over what holds the graph. The last
line is JSON.
"""

from __future__ import annotations

import argparse
import io
import json
import multiprocessing
import os
import pickle
import resource
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import scipy.sparse

from labeling.links.edge_agreement import count_agreement, kind_weights
from labeling.links.propagation import Graph, Seeds, Settings, build_graph, propagate
from labeling.links.top_labels import pack, unpack
from labeling.matching.matcher import compile_matcher
from labeling.matching.texts import match_texts
from labeling.taxonomy.taxonomy import Label, build_taxonomy

Longs = npt.NDArray[np.int64]

TOP, N_LABELS, ROUNDS, DAMPING = 16, 18_291, 10, 0.8
SETTINGS = (
    Settings(50, clamped=True),
    *(Settings(10, damping) for damping in (0.8, 0.9, 0.95, 0.99)),
)


class Cora(NamedTuple):
    edges: Longs
    labels: Longs
    train: Longs
    validation: Longs
    test: Longs


class Flickr(NamedTuple):
    n_photos: int
    edges: Longs
    share_of_yes: npt.NDArray[np.float64]
    first_nouns: Longs
    """Photo and noun of first captions."""
    true: Longs


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the propagation of labels.")
    parser.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("WINNOW_DATA"),
        help="folder of graph_cora.tar.gz, flickr8k_dev.tar; by default $WINNOW_DATA",
    )
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--edges", type=int, default=10_000_000)
    parser.add_argument("--peer-path", help="site-packages folder that holds igraph")
    arguments = parser.parse_args()
    result: dict[str, float] = {}
    if arguments.data:
        result |= cora_accuracy(read_cora(arguments.data / "graph_cora.tar.gz"))
        result |= flickr_precision(read_flickr(arguments.data / "flickr8k_dev.tar"))
    result |= compare(arguments.nodes, arguments.edges, arguments.peer_path)
    for name, value in result.items():
        print(f"{name:32} {value:10.4g}")
    print(json.dumps({key: round(float(value), 4) for key, value in result.items()}))


def read_cora(path: Path) -> Cora:
    with tarfile.open(path) as tar:
        graph, y, ty, ally = (
            pickle.loads(content(tar, f"cora/ind.cora.{name}"), encoding="latin1")
            for name in ("graph", "y", "ty", "ally")
        )
        test = np.loadtxt(io.BytesIO(content(tar, "cora/ind.cora.test.index")), dtype=np.int64)
    labels = np.full(len(graph), -1)
    labels[: len(ally)] = ally.argmax(axis=1)
    labels[test] = ty.argmax(axis=1)
    pairs = np.array([(a, b) for a, others in graph.items() for b in others if a != b])
    edges = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
    n = len(y)
    return Cora(edges, labels, np.arange(n), np.arange(n, n + 500), test)


def cora_accuracy(cora: Cora) -> dict[str, float]:
    """Return the accuracy of plain settings, and of those that validation nodes choose."""
    seeds = seeds_of(cora.train, cora.labels[cora.train], 8)
    n = len(cora.labels)
    linked = scipy.sparse.csr_array((np.ones(len(cora.edges)), cora.edges.T), shape=(n, n))
    shared = np.asarray((linked @ linked)[cora.edges[:, 0], cora.edges[:, 1]]).ravel()
    tried = []
    for triangles in (0, 0.5, 1, 2):
        weight = (1 + triangles * shared) / (1 + triangles * shared.max())
        graph = build_graph(n, cora.edges[:, 0], cora.edges[:, 1], weight)
        for settings in SETTINGS:
            is_right = unpack(propagate(graph, seeds, settings))[0][:, 0] == cora.labels
            tried.append((is_right[cora.validation].mean(), is_right[cora.test].mean()))
    chosen = max(range(len(tried)), key=lambda number: tried[number][0])
    return {
        "cora_accuracy": tried[0][1],
        "cora_accuracy_damped": tried[2][1],
        "cora_accuracy_chosen": tried[chosen][1],
    }


def read_flickr(path: Path) -> Flickr:
    with tarfile.open(path) as tar:
        photos = [json.loads(row) for row in content(tar, "flickr8k/images.jsonl").splitlines()]
        votes = [json.loads(v) for v in content(tar, "flickr8k/crowd_judgments.jsonl").splitlines()]
        nouns = json.loads(content(tar, "flickr8k/vocab_suggested.json"))
    labels = [
        Label(
            noun["label"].replace(" ", "_"),
            tuple((name, "") for name in noun["names"]),
            (),
            None,
            line,
        )
        for line, noun in enumerate(nouns, 1)
    ]
    matcher = compile_matcher(build_taxonomy(labels, "nouns"))
    number = {photo["image"]: rank for rank, photo in enumerate(photos)}
    captions = [photo["captions"] for photo in photos]
    first_nouns = named([c[0] for c in captions], matcher)
    others = [named([c[rank] for c in captions], matcher) for rank in range(1, 5)]
    pairs, times = np.unique(np.concatenate(others), axis=0, return_counts=True)
    edges = [
        (number[v["query_source_image"]], number[v["image"]], v["yes"] / (v["yes"] + v["no"]))
        for v in votes
        if v["query_source_image"] in number and v["query_source_image"] != v["image"]
    ]
    ends = np.array([edge[:2] for edge in edges])
    both = np.concatenate([ends, ends[:, ::-1]])
    yes = np.array([edge[2] for edge in edges])
    return Flickr(len(photos), both, np.tile(yes, 2), first_nouns, pairs[times >= 2])


def named(texts: list[str], matcher: object) -> Longs:
    """Return each (text, label) once."""
    matches = match_texts(matcher, pa.chunked_array([texts]))
    return np.unique(np.stack([matches.row, matches.label], axis=1), axis=0)


def flickr_precision(flickr: Flickr) -> dict[str, float]:
    """Return the precision of the top third of the same candidates, ranked in three ways."""
    n, k = flickr.n_photos, 64
    judged = np.zeros(n, bool)
    judged[flickr.edges[:, 1]] = True
    seeds = equal_seeds(flickr.first_nouns, k)
    alike = np.ones(len(flickr.edges))
    everything = ranked(flickr, seeds, Settings(1, 0.5), alike)
    pool = judged[:, None] & (everything > 0)
    true = np.zeros(pool.shape, bool)
    true[flickr.true[:, 0], flickr.true[:, 1]] = True
    ties = np.random.Generator(np.random.PCG64(0)).permutation(pool.size).reshape(pool.shape)
    shares = {
        "weighted": ranked(flickr, seeds, Settings(1, 0.5), worth_of_yes(flickr)),
        "unweighted": everything,
        "no_graph": ranked(flickr, seeds, Settings(0), alike),
    }
    result = {"flickr_candidates": float(pool.sum()), "flickr_precision_of_all": true[pool].mean()}
    for name, share in shares.items():
        order = np.lexsort((ties[pool], -share[pool]))
        for part, top in (("third", 1 / 3), ("tenth", 0.1)):
            chosen = order[: round(top * len(order))]
            result[f"flickr_{part}_{name}"] = true[pool][chosen].mean()
    return result


def worth_of_yes(flickr: Flickr) -> npt.NDArray[np.float64]:
    """Return weights of edges by thirds of yes, as first captions prove them to be."""
    names = np.zeros((flickr.n_photos, int(flickr.first_nouns[:, 1].max()) + 1), bool)
    names[flickr.first_nouns[:, 0], flickr.first_nouns[:, 1]] = True
    kind = np.rint(flickr.share_of_yes * 3).astype(np.int64)
    edge, noun = np.nonzero(names[flickr.edges[:, 0]])
    target = flickr.edges[edge, 1]
    first = np.where(names[target].any(axis=1), names[target].argmax(axis=1), -1)
    other = np.where(names[target, noun], noun, first)
    ends = noun[:, None], other[:, None]
    return kind_weights(count_agreement(kind[edge], *ends), 4)[0][kind]


def ranked(
    flickr: Flickr, seeds: Seeds, settings: Settings, weight: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Return the share of each (photo, label)."""
    graph = build_graph(flickr.n_photos, flickr.edges[:, 0], flickr.edges[:, 1], weight)
    labels, shares = unpack(propagate(graph, seeds, settings))
    full = np.zeros((flickr.n_photos, int(flickr.true[:, 1].max()) + 2), np.float32)
    np.put_along_axis(full, labels.astype(np.int64), shares, axis=1)
    full[:, -1] = 0
    return full


def equal_seeds(first_nouns: Longs, k: int) -> Seeds:
    """Return seeds in which each label of a node has the same share."""
    node, start, n_labels = np.unique(first_nouns[:, 0], return_index=True, return_counts=True)
    rank = np.arange(len(first_nouns)) - np.repeat(start, n_labels)
    row = np.repeat(np.arange(len(node)), n_labels)
    labels, shares = np.zeros((len(node), k), np.int64), np.zeros((len(node), k))
    labels[row, rank], shares[row, rank] = first_nouns[:, 1], 1 / k
    return Seeds(node, pack(labels, shares))


def seeds_of(node: Longs, label: Longs, k: int) -> Seeds:
    """Return seeds with one label each."""
    labels, shares = np.zeros((len(node), k), np.int64), np.zeros((len(node), k))
    labels[:, 0], shares[:, 0] = label, 1
    return Seeds(node, pack(labels, shares))


def compare(n_nodes: int, n_edges: int, peer_path: str | None) -> dict[str, float]:
    """Return time and memory of ten rounds, each method in a process of its own."""
    result = {}
    runs = {"winnow": (winnow, n_nodes, n_edges), "scipy": (by_scipy, n_nodes, n_edges)}
    if peer_path:
        few = max(n_nodes // 50, 1), max(n_edges // 50, 1)
        runs |= {"winnow_small": (winnow, *few), "igraph_small": (by_igraph, *few)}
    for name, (method, nodes, edges) in runs.items():
        seconds, mb = apart(method, nodes, edges, peer_path)
        result[f"{name}_cpu_s_per_round"] = seconds
        result[f"{name}_peak_mb"] = mb
        print(f"{name:16} {nodes:>9,} nodes {edges:>10,} edges {seconds:8.2f} CPU-s a round")
    for peer, ours in (("scipy", "winnow"), ("igraph_small", "winnow_small")):
        if f"{peer}_peak_mb" in result:
            for what in ("cpu_s_per_round", "peak_mb"):
                ratio = result[f"{peer}_{what}"] / result[f"{ours}_{what}"]
                result[f"ratio_{peer.removesuffix('_small')}_{what.split('_')[0]}"] = ratio
    return result


def apart(
    method: Callable[[Longs, Longs, Longs, Longs, int], None],
    nodes: int,
    edges: int,
    peer_path: str | None,
) -> tuple[float, float]:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(measured, (method, nodes, edges, peer_path))


def measured(
    method: Callable[[Longs, Longs, Longs, Longs, int], Callable[[], None]],
    nodes: int,
    edges: int,
    peer_path: str | None,
) -> tuple[float, float]:
    """Return CPU seconds of a round and the peak of the process in MB."""
    if peer_path:
        sys.path.append(peer_path)
    random = np.random.Generator(np.random.PCG64(0))
    source = random.integers(0, nodes, edges, dtype=np.int32)
    target = (nodes * random.random(edges) ** 1.5).astype(np.int32)
    node = np.flatnonzero(random.random(nodes) < 0.1)
    label = (N_LABELS * random.random(len(node)) ** 3).astype(np.int64)
    rounds = method(source, target, node, label, nodes)
    del source, target
    began = time.process_time()
    rounds()
    seconds = (time.process_time() - began) / ROUNDS
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def winnow(source: Longs, target: Longs, node: Longs, label: Longs, n: int) -> Callable[[], None]:
    graph: Graph = build_graph(n, source, target, np.ones(len(source), np.float32))
    seeds = seeds_of(node, label, TOP)
    return lambda: [propagate(graph, seeds, Settings(ROUNDS, DAMPING))].clear()


def by_scipy(source: Longs, target: Longs, node: Longs, label: Longs, n: int) -> Callable[[], None]:
    """Sparse matrix times sparse matrix, then the strongest of each row."""
    ones = np.ones(len(source), np.float32)
    graph = scipy.sparse.csr_array((ones, (target, source)), shape=(n, n))
    shape = (n, N_LABELS)
    first_nouns = scipy.sparse.csr_array(
        (np.ones(len(node), np.float32), (node, label)), shape=shape
    )

    def rounds() -> None:
        state = first_nouns
        for _ in range(ROUNDS):
            votes = (np.diff(state.indptr) > 0).astype(np.float32)
            norm = np.maximum(graph @ votes, 1e-9)
            mean = graph @ state
            mean.data *= np.repeat(DAMPING / norm, np.diff(mean.indptr))
            state = strongest(mean + first_nouns * np.float32(1 - DAMPING))

    return rounds


def strongest(matrix: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((-matrix.data, row))
    kept = np.arange(len(row)) - matrix.indptr[:-1][row] < TOP
    chosen = order[kept]
    parts = (matrix.data[chosen], (row[chosen], matrix.indices[chosen]))
    return scipy.sparse.csr_array(parts, shape=matrix.shape)


def by_igraph(
    source: Longs, target: Longs, node: Longs, label: Longs, n: int
) -> Callable[[], None]:
    """Python over the neighbours that igraph gives."""
    import igraph

    graph = igraph.Graph(n, np.stack([source, target], axis=1).tolist(), directed=True)
    first_nouns = dict(zip(node.tolist(), label.tolist(), strict=True))

    def rounds() -> None:
        state = {of: {named: 1.0} for of, named in first_nouns.items()}
        for _ in range(ROUNDS):
            state = {i: best for i in range(n) if (best := of_node(i, state))}

    def of_node(i: int, state: dict[int, dict[int, float]]) -> dict[int, float]:
        received_states = [state[j] for j in graph.predecessors(i) if j in state]
        received = (
            {first_nouns[i]: 1 - DAMPING if received_states else 1.0} if i in first_nouns else {}
        )
        for labels in received_states:
            for named, share in labels.items():
                received[named] = received.get(named, 0.0) + DAMPING * share / len(received_states)
        return dict(sorted(received.items(), key=lambda item: (-item[1], item[0]))[:TOP])

    return rounds


def content(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.extractfile(name)
    assert member is not None
    return member.read()


if __name__ == "__main__":
    main()
