"""Edges that both ends keep, and the weight of each kind of edge.

Among edges whose ends both have a drawn label, the agreement above chance, as in Cohen's kappa
(1960, "A Coefficient of Agreement for Nominal Scales"), measures how well one end predicts the
other. Kinds with few such edges are shrunk towards all kinds together, and these towards `PRIOR`.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys import ids
from labeling.keys.arrays import Floats, Ints, Ints32, Mask
from labeling.keys.runs import run_begins
from labeling.links.graph import (
    LINK,
    MUTUAL_EDGES,
    N_DRAWS,
    NAV,
    OF_HOST,
    OF_IMAGE,
    from_binary,
)

PRIOR = 0.25
"""Prior agreement above chance."""

PRIOR_PAIRS = 200
"""Number of pairs of drawn labels that a prior is worth."""

KINDS = ("link", "nav", "link_across", "nav_across", "host", "image")
"""Kinds that have a weight each; links across go from one host to another."""

AGREEMENTS = pa.schema(
    [
        ("kind", pa.int64()),
        ("draw", pa.int64()),
        ("label", pa.int64()),
        ("n_ends", pa.int64()),
        ("n_agree", pa.int64()),
    ]
)
"""Number of ends of edges with a label, by kind of edge and draw, and of those whose other end has
the same label. Both ends of an edge count, if both have labels."""

WEIGHTS = pa.schema([("kind", pa.string()), ("weight", pa.float64()), ("n_pairs", pa.int64())])
"""The weight of each of `KINDS`, and the number of drawn pairs of labels that it is based on."""

_BITS = (LINK, NAV, LINK, NAV, OF_HOST, OF_IMAGE)
_ACROSS = np.array([False, False, True, True, False, False])


def edge_keys(half_edges: pa.Table) -> pa.Array:
    """Return a key for each of `labeling.links.graph.HALF_EDGES` that its other half has, too.

    It is the id of the host or image, and of two pages the lower.
    """
    page, other = ids.to_halves(half_edges["page_id"]), ids.to_halves(half_edges["other_page"])
    lower = (page[:, 0] < other[:, 0]) | ((page[:, 0] == other[:, 0]) & (page[:, 1] < other[:, 1]))
    is_placement = half_edges["kinds"].to_numpy() > (LINK | NAV)
    first = np.where(is_placement, ~_is_page(half_edges), lower)
    return ids.halves_to_binary(np.where(first[:, None], page, other))


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


def count_agreement(kind: Ints, here: Ints, there: Ints) -> pa.Table:
    """Return `AGREEMENTS` of some edges.

    Parameters
    ----------
    kind
        ``int64[m]``: kind of each edge, from 0.
    here, there
        ``int64[m, n_draws]``: labels of each end, negative if it has none.
    """
    edge, draw = np.nonzero((here >= 0) & (there >= 0))
    labels = here[edge, draw], there[edge, draw]
    agree = (labels[0] == labels[1]).astype(np.int64)
    columns = [np.tile(kind[edge], 2), np.tile(draw, 2), np.concatenate(labels)]
    columns += [np.ones(2 * len(edge), np.int64), np.tile(agree, 2)]
    rows = pa.table(columns, schema=AGREEMENTS)
    sums = rows.group_by(AGREEMENTS.names[:3]).aggregate([("n_ends", "sum"), ("n_agree", "sum")])
    return sums.rename_columns(AGREEMENTS.names)


def kind_weights(agreements: pa.Table, n_kinds: int) -> tuple[Floats, Ints]:
    """Return the weight of each kind of edge, in [0, 1], the largest 1; and its number of pairs.

    With ``c`` the chance that two ends drawn at random agree, the agreement above chance of kinds
    taken together is ``(n_agree / n_pairs - c) / (1 - c)``, mixed with `PRIOR` as if that were
    `PRIOR_PAIRS` pairs more; that of each kind is mixed with this in the same way. Kinds below
    chance have weight 0.

    Parameters
    ----------
    agreements
        `AGREEMENTS` of all parts of a graph, in any order.
    n_kinds
        Number of kinds.

    Examples
    --------
    >>> here, there = np.array([[0], [1], [0], [1]]), np.array([[0], [1], [1], [0]])
    >>> counted = count_agreement(np.array([0, 0, 1, 1]), here, there)
    >>> kind_weights(counted, 3)[0].round(2).tolist()
    [1.0, 0.92, 0.97]
    """
    kind, draw, label, n, agree = (column.to_numpy() for column in agreements.columns)
    n_pairs, n_agree = (
        np.bincount(kind, counts, n_kinds).astype(np.int64) // 2 for counts in (n, agree)
    )
    ends = np.zeros((int(draw.max(initial=0)) + 1, int(label.max(initial=0)) + 1), np.int64)
    np.add.at(ends, (draw, label), n)
    n_ends = np.maximum(ends.sum(axis=1, keepdims=True), 1)
    chance = float(((ends / n_ends) ** 2).sum(axis=1).mean())
    room = max(1 - chance, 1 / float(n_ends.max()))
    above = n_agree - n_pairs * chance
    together = (above.sum() / room + PRIOR * PRIOR_PAIRS) / (n_pairs.sum() + PRIOR_PAIRS)
    each = (above / room + max(together, 0) * PRIOR_PAIRS) / (n_pairs + PRIOR_PAIRS)
    each = np.maximum(each, 0)
    return each / max(float(each.max(initial=0)), 1e-300), n_pairs


def weights_from(agreements: pa.Table) -> pa.Table:
    """Return `WEIGHTS` from `AGREEMENTS` of all parts of a graph, in any order."""
    return pa.table([list(KINDS), *kind_weights(agreements, len(KINDS))], schema=WEIGHTS)


def edge_weights(edges: pa.Table, weights: pa.Table) -> Floats:
    """Return the weight of each edge: of several kinds the sum, up to 1."""
    sums: Floats = kinds_of(edges) @ weights["weight"].to_numpy()
    return np.minimum(sums, 1)


def _agreements(here: pa.Table, there: pa.Table, edges: pa.Table) -> pa.Table:
    """Count links once, and the pages of a host or image in pairs of neighbours by their ids."""
    page, other = ids.to_halves(here["page_id"]), ids.to_halves(here["other_page"])
    drawn, drawn_there, member = _draws(here), _draws(there), kinds_of(edges)
    parts = []
    for kind, bit in enumerate(_BITS):
        if bit <= NAV:
            rows = np.flatnonzero(member[:, kind] & (page[:, 0] < other[:, 0]))
            parts.append((np.full(len(rows), kind), drawn[rows], drawn_there[rows]))
        else:
            rows = np.flatnonzero(member[:, kind] & _is_page(here))
            rows = rows[np.lexsort((*page[rows].T[::-1], *other[rows].T[::-1]))]
            same = np.flatnonzero(~run_begins(other[rows])[1:])
            parts.append((np.full(len(same), kind), drawn[rows[same]], drawn[rows[same + 1]]))
    return count_agreement(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _draws(half_edges: pa.Table) -> Ints32:
    """Return ``int32[n, N_DRAWS]`` labels, -1 for nodes without labels."""
    none = np.full((1, N_DRAWS), -1, np.int32).tobytes()
    draws: Ints32 = from_binary(pc.fill_null(half_edges["drawn"], none), np.int32)
    return draws


def _is_page(half_edges: pa.Table) -> Mask:
    return np.asarray(pc.is_valid(half_edges["host"]), bool)
