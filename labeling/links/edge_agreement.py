"""Edges that both ends keep, and the weight of each kind of edge."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys import ids
from labeling.keys.arrays import Floats, Ints32, Mask
from labeling.keys.runs import run_begins
from labeling.links.edge_weights import Agreement, count_agreement, kind_weights
from labeling.links.graph import (
    LINK,
    MUTUAL_EDGES,
    N_DRAWS,
    NAV,
    OF_HOST,
    OF_IMAGE,
    from_binary,
)

KINDS = ("link", "nav", "link_across", "nav_across", "host", "image")
"""Kinds that have a weight each; links across go from one host to another."""

AGREEMENTS = pa.schema([("what", pa.string()), ("number", pa.int64()), ("n", pa.int64())])
"""Parts of `labeling.links.edge_weights.Agreement`: ``pairs`` and ``agree`` by index in `KINDS`,
and ``ends`` by draw times 2**32 plus label."""

WEIGHTS = pa.schema([("kind", pa.string()), ("weight", pa.float64()), ("n_pairs", pa.int64())])
"""The weight of each of `KINDS`, and the number of drawn pairs of labels that it is based on."""

_BITS = (LINK, NAV, LINK, NAV, OF_HOST, OF_IMAGE)
_ACROSS = np.array([False, False, True, True, False, False])


def edge_keys(half_edges: pa.Table) -> pa.Array:
    """Return a key for each of `labeling.links.graph.HALF_EDGES` that its other half has, too.

    It is the id of the host or image, and of two pages the lower.
    """
    one, other = ids.to_halves(half_edges["page_id"]), ids.to_halves(half_edges["other_page"])
    lower = (one[:, 0] < other[:, 0]) | ((one[:, 0] == other[:, 0]) & (one[:, 1] < other[:, 1]))
    is_placement = half_edges["kinds"].to_numpy() > (LINK | NAV)
    first = np.where(is_placement, ~_is_page(half_edges), lower)
    return ids.halves_to_binary(np.where(first[:, None], one, other))


def mutual_edges(half_edges: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the edges whose other half exists, and the agreement of their ends.

    Parameters
    ----------
    half_edges
        `labeling.links.graph.HALF_EDGES`, those of one of `edge_keys` together.

    Returns
    -------
    edges, agreements
        `labeling.links.graph.MUTUAL_EDGES` and `AGREEMENTS`.
    """
    halves = half_edges.select(["page_id", "other_page"])
    halves = halves.append_column("row", pa.array(np.arange(len(half_edges))))
    others = halves.rename_columns(["other_page", "page_id", "other_row"])
    met = halves.join(others, keys=["page_id", "other_page"], join_type="inner")
    here, there = half_edges.take(met["row"]), half_edges.take(met["other_row"])
    across = pc.fill_null(pc.not_equal(here["host"], there["host"]), False)
    edges = here.append_column("across", across).select(MUTUAL_EDGES.names).cast(MUTUAL_EDGES)
    return edges, _agreements(here, there, edges)


def kinds_of(edges: pa.Table) -> Mask:
    """Return ``bool[n, n_kinds]``: the `KINDS` of each of `labeling.links.graph.MUTUAL_EDGES`."""
    kinds = edges["kinds"].to_numpy()[:, None]
    across = np.asarray(edges["across"].combine_chunks(), bool)[:, None]
    is_placement = np.array(_BITS) > NAV
    of_kind: Mask = ((kinds & np.array(_BITS)) > 0) & (is_placement | (across == _ACROSS))
    return of_kind


def weights_from(agreements: pa.Table) -> pa.Table:
    """Return `WEIGHTS` from `AGREEMENTS` of all parts of a graph, in any order."""
    number, n = agreements["number"].to_numpy(), agreements["n"].to_numpy()
    part = {
        name: np.asarray(pc.equal(agreements["what"], name), bool)
        for name in ("pairs", "agree", "ends")
    }
    pairs, agree = (
        np.bincount(number[part[name]], n[part[name]], len(KINDS)) for name in ("pairs", "agree")
    )
    draw, label = np.divmod(number[part["ends"]], 1 << 32)
    ends = np.zeros((N_DRAWS, int(label.max(initial=0)) + 1), np.int64)
    np.add.at(ends, (draw, label), n[part["ends"]])
    counted = Agreement(pairs.astype(np.int64), agree.astype(np.int64), ends)
    return pa.table([list(KINDS), kind_weights(counted), counted.n_pairs], schema=WEIGHTS)


def edge_weights(edges: pa.Table, weights: pa.Table) -> Floats:
    """Return the weight of each edge: of several kinds the sum, up to 1."""
    sums: Floats = kinds_of(edges) @ weights["weight"].to_numpy()
    return np.minimum(sums, 1)


def _agreements(here: pa.Table, there: pa.Table, edges: pa.Table) -> pa.Table:
    """Count links once, and the pages of a host or image in pairs of neighbours by their ids."""
    page, other = ids.to_halves(here["page_id"]), ids.to_halves(here["other_page"])
    drawn, drawn_there, member = _draws(here), _draws(there), kinds_of(edges)
    found = []
    for kind, bit in enumerate(_BITS):
        if bit <= NAV:
            rows = np.flatnonzero(member[:, kind] & (page[:, 0] < other[:, 0]))
            found.append((np.full(len(rows), kind), drawn[rows], drawn_there[rows]))
        else:
            rows = np.flatnonzero(member[:, kind] & _is_page(here))
            rows = rows[np.lexsort((*page[rows].T[::-1], *other[rows].T[::-1]))]
            same = np.flatnonzero(~run_begins(other[rows])[1:])
            found.append((np.full(len(same), kind), drawn[rows[same]], drawn[rows[same + 1]]))
    kinds, one, two = (np.concatenate(column) for column in zip(*found, strict=True))
    n_labels = max(int(drawn.max(initial=0)), 0) + 1
    return _to_table(count_agreement(kinds, one, two, len(KINDS), n_labels))


def _to_table(counted: Agreement) -> pa.Table:
    draw, label = np.nonzero(counted.n_ends)
    kinds = np.arange(len(KINDS))
    number = np.concatenate([kinds, kinds, (draw << 32) + label])
    n = np.concatenate([counted.n_pairs, counted.n_agree, counted.n_ends[draw, label]])
    what = np.repeat(["pairs", "agree", "ends"], [len(KINDS), len(KINDS), len(draw)])
    return pa.table([what.tolist(), number, n], schema=AGREEMENTS)


def _draws(half_edges: pa.Table) -> Ints32:
    """Return ``int32[n, N_DRAWS]`` labels, -1 for nodes without labels."""
    none = np.full((1, N_DRAWS), -1, np.int32).tobytes()
    draws: Ints32 = from_binary(pc.fill_null(half_edges["drawn"], none), np.int32)
    return draws


def _is_page(half_edges: pa.Table) -> Mask:
    return np.asarray(pc.is_valid(half_edges["host"]), bool)
