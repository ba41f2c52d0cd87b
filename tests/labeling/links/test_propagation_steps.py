from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.keys import ids
from labeling.links import edge_agreement, graph, links, propagation_steps
from labeling.schemas import LINKS, PLACEMENTS

CAT, DOG = 0, 1
HOSTS = {page: "one" if page < "e" else "two" for page in "abcdefgh"}

Pair = tuple[str, str]


def page(name: str) -> str:
    return ids.digest(f"page {name}")


def link_table(pairs: list[Pair], nav: bool = False) -> pa.Table:
    rows = [
        {"src_page": page(a), "dst_page": page(b), "src_host": HOSTS[a], "nav": nav}
        for a, b in pairs
    ]
    return pa.Table.from_pylist(rows, schema=LINKS.arrow)


def placement_table(pairs: list[Pair]) -> pa.Table:
    rows = [
        {"image_id": ids.digest(f"image {i}"), "page_id": page(p), "host": HOSTS[p]}
        for p, i in pairs
    ]
    return pa.Table.from_pylist(rows, schema=PLACEMENTS.arrow)


def node_table(labels: dict[str, list[int]]) -> pa.Table:
    rows = [
        {"page_id": bytes.fromhex(page(p)), "host": len(HOSTS[p]), "label": label}
        | {"n_images": 1, "strength": 1.0}
        for p, of_page in sorted(labels.items(), key=lambda item: page(item[0]))
        for label in of_page
    ]
    return graph.nodes(pa.Table.from_pylist(rows, schema=links.TOPICS))


def graph_of(
    linked: list[Pair], placed: list[Pair], labels: dict[str, list[int]]
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Return nodes, edges and weights."""
    nodes = node_table(labels)
    shown = placement_table(placed)
    table = link_table(linked)
    edges = graph.kept_edges(
        pa.concat_tables([graph.link_edges(table), graph.placement_edges(shown)])
    )
    hosts = pa.concat_tables([graph.hosts_of(table), graph.hosts_of(shown)])
    edges, agreements = edge_agreement.mutual_edges(graph.half_edges(edges, nodes, hosts))
    return nodes, edges, edge_agreement.weights_from(agreements)


def by_buckets(nodes: pa.Table, edges: pa.Table, weights: pa.Table, n: int) -> pa.Table:
    """All rounds with nodes in so many buckets."""

    def bucket(rows: pa.Table, number: int) -> pa.Table:
        if len(rows) == 0:
            return rows
        of = ids.bucket(ids.to_halves(rows["page_id"]), n)
        return rows.filter(pa.array(of == number))

    states, before = propagation_steps.first_states(nodes), propagation_steps.first_states(nodes)
    for turn in range(propagation_steps.SETTINGS.rounds):
        messages = pa.concat_tables(
            propagation_steps.send(bucket(states, b), bucket(nodes, b), bucket(edges, b), weights)
            for b in range(n)
        )
        if turn < propagation_steps.SETTINGS.rounds - 1:
            before = states
            states = pa.concat_tables(
                propagation_steps.next_states(bucket(messages, b), bucket(nodes, b))
                for b in range(n)
            )
    return pa.concat_tables(
        propagation_steps.collect_votes(bucket(messages, b), bucket(before, b)) for b in range(n)
    )


pages = st.sampled_from("abcdefgh")


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(pages, pages), max_size=20),
    st.lists(st.tuples(pages, st.sampled_from("123")), max_size=12),
    st.dictionaries(pages, st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True)),
    st.sampled_from([1, 2, 4]),
)
def test_rounds_by_bucket_are_equal_to_rounds_in_memory(
    linked: list[Pair], placed: list[Pair], labels: dict[str, list[int]], n: int
) -> None:
    nodes, edges, weights = graph_of(linked, placed, labels)
    topics = propagation_steps.propagate_topics(nodes, edges, weights)
    assert by_buckets(nodes, edges, weights, n).equals(topics)
    again = propagation_steps.propagate_topics(
        nodes, edges.take(np.arange(len(edges))[::-1]), weights
    )
    assert again.equals(topics)


def votes(topics: pa.Table, name: str) -> dict[int, tuple[float, int, int]]:
    of_page = topics.filter(
        pc.equal(topics["page_id"], pa.scalar(bytes.fromhex(page(name)), ids.BINARY))
    )
    return {
        r["label"]: (round(r["strength"], 2), r["n_pages"], r["n_hosts"])
        for r in of_page.to_pylist()
    }


def test_topics_come_over_links_and_from_pages_with_the_same_image() -> None:
    labels = {"a": [CAT], "b": [CAT], "e": [DOG]}
    topics = propagation_steps.propagate_topics(
        *graph_of([("a", "c"), ("c", "b"), ("e", "f")], [], labels)
    )
    assert votes(topics, "c") == {CAT: (1.0, 2, 1)}
    assert votes(topics, "f") == {DOG: (1.0, 1, 1)}
    assert votes(topics, "e") == {}
    assert votes(topics, "a") == {CAT: (0.25, 1, 1)}
    shown = propagation_steps.propagate_topics(
        *graph_of([], [("a", "1"), ("h", "1")], {"a": [CAT]})
    )
    assert votes(shown, "h") == {CAT: (0.5, 1, 1)}
    assert votes(shown, "a") == {}


def test_a_hub_and_its_neighbours_keep_the_same_edges_in_any_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(graph, "MAX_DEGREE", 3)
    pairs = [("a", other) for other in "bcdefgh"]
    topics = []
    for order in (pairs, pairs[::-1]):
        _, edges, _ = graph_of(order, [], {"a": [CAT]})
        topics.append(sorted(map(str, edges.to_pylist())))
    assert topics[0] == topics[1]
    assert len(topics[0]) == 6


def test_links_that_join_pages_of_one_topic_weigh_more() -> None:
    labels = {name: [ord(name) // 2] for name in "abcdefgh"}
    pairs = [("b", "c"), ("f", "g")]
    across = [("a", "e"), ("a", "f"), ("a", "g"), ("a", "h")]
    _, _, weights = graph_of(pairs + across, [], labels)
    by_kind = {row["kind"]: row["weight"] for row in weights.to_pylist()}
    assert by_kind["link"] > by_kind["link_across"]
