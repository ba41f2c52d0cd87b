"""The graph over which topics are propagated: pages, their hosts and their images.

Pages are linked to pages; hosts and images that several pages share are nodes, too, so that a host
of n pages has n edges and not n². All edges go both ways. An edge is kept if both of its ends keep
it, and a node keeps the neighbours of the lowest digests: caps do not depend on the order of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys import ids
from labeling.keys.hashing import GOLDEN, multiply
from labeling.keys.host_numbers import HOST, compact
from labeling.keys.runs import rank_in_run, run_numbers, run_starts
from labeling.links.links import MAX_DEGREE, MAX_SENDERS, TOP_TOPICS, count_over, keep_lowest
from labeling.links.top_labels import pack, unpack

LINK, NAV, OF_HOST, OF_IMAGE = 1, 2, 4, 8
"""Kinds of edges, as bits: two pages may be linked in several ways."""

N_DRAWS = 4
"""Labels that are drawn from a page to count agreement."""

EDGES = pa.schema([("page_id", ids.BINARY), ("other_page", ids.BINARY), ("kind", pa.int8())])
"""One neighbour of a node, which may be a page, host or image."""

HALF_EDGES = pa.schema(
    [
        ("page_id", ids.BINARY),
        ("other_page", ids.BINARY),
        ("kinds", pa.int8()),
        ("host", HOST),
        ("drawn", pa.binary(4 * N_DRAWS)),
    ]
)
"""One neighbour that a node keeps, with the node's host and ``int32[N_DRAWS]`` labels drawn from
it, or null."""

MUTUAL_EDGES = pa.schema(
    [
        ("page_id", ids.BINARY),
        ("other_page", ids.BINARY),
        ("kinds", pa.int8()),
        ("across", pa.bool_()),
    ]
)
"""One neighbour of a node; both keep the edge."""

NODES = pa.schema([("page_id", ids.BINARY), ("host", HOST), ("topics", pa.binary(8 * TOP_TOPICS))])
"""The topics of a page: a row of `labeling.links.top_labels.State`."""


def link_edges(links: pa.Table) -> pa.Table:
    """Return `EDGES` of links, both ways; links of a page to itself are left out."""
    links = links.filter(pc.not_equal(links["src_page"], links["dst_page"]))
    kind = pc.if_else(links["nav"], pa.scalar(NAV, pa.int8()), pa.scalar(LINK, pa.int8()))
    pages = compact(links.select(["src_page", "dst_page"]))
    return _both_ways(pages["src_page"], pages["dst_page"], kind)


def placement_edges(placements: pa.Table) -> pa.Table:
    """Return `EDGES` between pages and their hosts and images, both ways."""
    with_host = compact(placements.filter(pc.not_equal(placements["host"], "")))
    hosts = with_host["host"].to_numpy().view(np.uint64)
    host_nodes = np.stack([hosts, np.full_like(hosts, GOLDEN)], axis=1)
    rows = compact(placements.select(["image_id", "page_id"]))
    images = ids.to_halves(rows["image_id"])
    images[:, 1] ^= GOLDEN  # an image must not be the same node as a page of equal bytes
    parts = [(with_host["page_id"], host_nodes, OF_HOST), (rows["page_id"], images, OF_IMAGE)]
    return pa.concat_tables(
        _both_ways(page, ids.halves_to_binary(node), pa.array(np.full(len(node), kind, np.int8())))
        for page, node, kind in parts
    )


def hosts_of(rows: pa.Table) -> pa.Table:
    """Return ``page_id`` and ``host`` of links or placements."""
    rows = compact(rows)
    if "src_page" in rows.column_names:
        rows = rows.select(["src_page", "src_host"]).rename_columns(["page_id", "host"])
    return rows.group_by(["page_id", "host"]).aggregate([])


def kept_edges(edges: pa.Table, spare: int = 0) -> pa.Table:
    """Return the edges that each node keeps, of links and of others, and `spare` more of each."""
    edges = edges.group_by(EDGES.names).aggregate([]).cast(EDGES)
    return pa.concat_tables(
        keep_lowest(part, "other_page", cap + spare) for part, cap, _ in _by_cap(edges)
    )


def count_capped(edges: pa.Table) -> pa.Table:
    """Return `labeling.links.links.CAPS`: the number of nodes with more neighbours than the cap."""
    return pa.concat_tables(
        count_over(part, "other_page", cap, reason) for part, cap, reason in _by_cap(edges)
    )


def _by_cap(edges: pa.Table) -> Iterator[tuple[pa.Table, int, str]]:
    is_link = pc.less_equal(edges["kind"], NAV)
    yield edges.filter(is_link), MAX_DEGREE, "too_many_links"
    yield edges.filter(pc.invert(is_link)), MAX_SENDERS, "too_many_senders"


def nodes(topics: pa.Table) -> pa.Table:
    """Return `NODES` from `labeling.links.links.TOPICS`, sorted by page and rank.

    Each topic gets its strength of an equal part of the whole, whatever else the page names: a
    neighbour's share of the topic is then its share of this part.
    """
    halves = ids.to_halves(topics["page_id"])
    start, row, rank = run_starts(halves), run_numbers(halves), rank_in_run(halves)
    label = np.zeros((len(start), TOP_TOPICS), np.int64)
    share = np.zeros((len(start), TOP_TOPICS))
    label[row, rank] = topics["label"].to_numpy()
    share[row, rank] = np.minimum(topics["strength"].to_numpy(), 1) / TOP_TOPICS
    columns = [topics[name].take(pa.array(start)) for name in ("page_id", "host")]
    return pa.table([*columns, to_binary(pack(label, share))], schema=NODES)


def half_edges(edges: pa.Table, page_nodes: pa.Table, hosts: pa.Table) -> pa.Table:
    """Return `HALF_EDGES` for the edges that the nodes of a bucket keep.

    Hosts and images with a single edge connect nothing, and are left out.

    Parameters
    ----------
    edges
        `EDGES` that are kept, each once.
    page_nodes
        `NODES` of the same bucket.
    hosts
        ``page_id`` and ``host``, rows may repeat.
    """
    kinds = edges.group_by(["page_id", "other_page"]).aggregate([("kind", "sum")])
    degree = kinds.group_by("page_id").aggregate([("kind_sum", "count")])
    host = hosts.group_by("page_id").aggregate([("host", "min")])
    drawn = pa.table({"page_id": page_nodes["page_id"], "drawn": _drawn(page_nodes)})
    rows = kinds.join(host, keys="page_id").join(drawn, keys="page_id")
    rows = rows.join(degree, keys="page_id")
    is_single = pc.and_(pc.is_null(rows["host_min"]), pc.equal(rows["kind_sum_count"], 1))
    is_placement = pc.greater(rows["kind_sum"], NAV)
    rows = rows.filter(pc.invert(pc.and_(is_single, is_placement)))
    names = ["page_id", "other_page", "kind_sum", "host_min", "drawn"]
    return rows.select(names).rename_columns(HALF_EDGES.names).cast(HALF_EDGES)


def to_binary(rows: npt.NDArray[np.generic]) -> pa.Array:
    """Return each row of a matrix as its bytes."""
    kind = pa.binary(rows.shape[1] * rows.itemsize)
    content = pa.py_buffer(np.ascontiguousarray(rows))
    return pa.FixedSizeBinaryArray.from_buffers(kind, len(rows), [None, content])


def from_binary(column: pa.ChunkedArray, dtype: type[np.generic]) -> npt.NDArray[Any]:
    """Return a column of `to_binary` without nulls as a matrix."""
    joined = column.combine_chunks()
    width = column.type.byte_width // np.dtype(dtype).itemsize
    content = np.frombuffer(joined.buffers()[1], dtype) if len(joined) else np.empty(0, dtype)
    return content.reshape(-1, width)[joined.offset : joined.offset + len(joined)]


def _both_ways(
    page: pa.ChunkedArray | pa.Array, other: pa.ChunkedArray | pa.Array, kind: pa.Array
) -> pa.Table:
    return pa.concat_tables(
        pa.Table.from_arrays([*ends, kind], schema=EDGES) for ends in ((page, other), (other, page))
    )


def _drawn(page_nodes: pa.Table) -> pa.Array:
    """Draw labels so that two pages draw the same as often as their topics are the same.

    The label of the lowest hash, with a hash a draw: two sets agree with the probability of their
    Jaccard index (Broder 1997, "On the resemblance and containment of documents", §4).
    """
    label, _ = unpack(from_binary(page_nodes["topics"], np.uint64))
    drawn = np.full((len(label), N_DRAWS), -1, np.int32)
    for draw in range(N_DRAWS):
        mixed = (label.astype(np.uint64) + np.uint64(2 * draw + 1)) * GOLDEN
        mixed = multiply(mixed) >> np.uint64(16)
        mixed[label < 0] = np.uint64(2**64 - 1)
        least = mixed.argmin(axis=1)[:, None]
        drawn[:, draw] = np.take_along_axis(label, least, axis=1)[:, 0]
    return to_binary(drawn)
