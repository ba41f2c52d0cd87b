"""Edges that both ends keep, and what each kind of them is worth."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys import ids
from labeling.keys.arrays import Floats, Ints32, Mask
from labeling.keys.runs import run_begins
from labeling.links.edge_weights import Agreement, count_agreement, edge_weights
from labeling.links.graph import ARCS, LINK, N_DRAWS, NAV, OF_HOST, OF_IMAGE

KINDS = ("link", "nav", "link_across", "nav_across", "host", "image")
"""Kinds that are weighted, each by itself; links across go from one host to another."""

AGREEMENTS = pa.schema([("what", pa.string()), ("number", pa.int64()), ("n", pa.int64())])
"""Parts of `labeling.links.edge_weights.Agreement`: ``pairs`` and ``agree`` by place in `KINDS`,
and ``ends`` by draw times 2**32 plus label."""

WEIGHTS = pa.schema([("kind", pa.string()), ("weight", pa.float64()), ("n_pairs", pa.int64())])
"""What each of `KINDS` is worth, and how many drawn labels say so."""

_BITS = (LINK, NAV, LINK, NAV, OF_HOST, OF_IMAGE)
_ACROSS = np.array([False, False, True, True, False, False])


def pair_keys(ends: pa.Table) -> pa.Array:
    """Return an id for each of `labeling.links.graph.ENDS` that the other end's row has, too.

    It is that of the host or image, and of two pages the lower.
    """
    one, other = ids.to_halves(ends["page_id"]), ids.to_halves(ends["other_page"])
    lower = (one[:, 0] < other[:, 0]) | ((one[:, 0] == other[:, 0]) & (one[:, 1] < other[:, 1]))
    first = np.where(_is_held(ends), ~_is_page(ends), lower)
    return ids.halves_to_binary(np.where(first[:, None], one, other))


def meet(ends: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the edges whose other end keeps them, too, and how often the ends agree.

    Parameters
    ----------
    ends
        `labeling.links.graph.ENDS`, those of one of `pair_keys` together.

    Returns
    -------
    arcs, agreements
        `labeling.links.graph.ARCS` and `AGREEMENTS`.
    """
    at = ends.select(["page_id", "other_page"])
    at = at.append_column("row", pa.array(np.arange(len(ends))))
    mates = at.rename_columns(["other_page", "page_id", "mate"])
    met = at.join(mates, keys=["page_id", "other_page"], join_type="inner")
    both, mate = ends.take(met["row"]), ends.take(met["mate"])
    across = pc.fill_null(pc.not_equal(both["host"], mate["host"]), False)
    arcs = both.append_column("across", across).select(ARCS.names).cast(ARCS)
    return arcs, _agreements(both, mate, arcs)


def kinds_of(arcs: pa.Table) -> Mask:
    """Return ``bool[n, n_kinds]``: which of `KINDS` each of `labeling.links.graph.ARCS` is of."""
    kinds = arcs["kinds"].to_numpy()[:, None]
    across = np.asarray(arcs["across"].combine_chunks(), bool)[:, None]
    held = np.array(_BITS) > NAV
    of_kind: Mask = ((kinds & np.array(_BITS)) > 0) & (held | (across == _ACROSS))
    return of_kind


def weights_from(agreements: pa.Table) -> pa.Table:
    """Return `WEIGHTS` from `AGREEMENTS` of all parts of a graph, in any order."""
    number, n = agreements["number"].to_numpy(), agreements["n"].to_numpy()
    what = agreements["what"].to_pylist()
    part = {name: np.array([w == name for w in what], bool) for name in ("pairs", "agree", "ends")}
    pairs, agree = (
        np.bincount(number[part[name]], n[part[name]], len(KINDS)) for name in ("pairs", "agree")
    )
    draw, label = np.divmod(number[part["ends"]], 1 << 32)
    ends = np.zeros((N_DRAWS, int(label.max(initial=0)) + 1), np.int64)
    np.add.at(ends, (draw, label), n[part["ends"]])
    counted = Agreement(pairs.astype(np.int64), agree.astype(np.int64), ends)
    columns = [list(KINDS), edge_weights(counted), counted.n_pairs]
    return pa.Table.from_arrays([pa.array(column) for column in columns], schema=WEIGHTS)


def weigh(arcs: pa.Table, weights: pa.Table) -> Floats:
    """Return the weight of each arc: of several kinds the sum, up to 1."""
    sums: Floats = kinds_of(arcs) @ weights["weight"].to_numpy()
    return np.minimum(sums, 1)


def _agreements(both: pa.Table, mate: pa.Table, arcs: pa.Table) -> pa.Table:
    """Count links once, and of a host or image its pages two by two in the order of their ids."""
    page, other = ids.to_halves(both["page_id"]), ids.to_halves(both["other_page"])
    drawn, of_mate, member = _draws(both), _draws(mate), kinds_of(arcs)
    found = []
    for place, bit in enumerate(_BITS):
        if bit <= NAV:
            rows = np.flatnonzero(member[:, place] & (page[:, 0] < other[:, 0]))
            found.append((np.full(len(rows), place), drawn[rows], of_mate[rows]))
        else:
            rows = np.flatnonzero(member[:, place] & _is_page(both))
            rows = rows[np.lexsort((*page[rows].T[::-1], *other[rows].T[::-1]))]
            of_one = np.flatnonzero(~run_begins(other[rows])[1:])
            pair = rows[of_one], rows[of_one + 1]
            found.append((np.full(len(of_one), place), drawn[pair[0]], drawn[pair[1]]))
    kind, one, two = (np.concatenate(column) for column in zip(*found, strict=True))
    n_labels = max(int(drawn.max(initial=0)), 0) + 1
    return _to_table(count_agreement(kind, one, two, len(KINDS), n_labels))


def _to_table(counted: Agreement) -> pa.Table:
    draw, label = np.nonzero(counted.n_ends)
    kinds = np.arange(len(KINDS))
    number = np.concatenate([kinds, kinds, (draw << 32) + label])
    n = np.concatenate([counted.n_pairs, counted.n_agree, counted.n_ends[draw, label]])
    what = np.repeat(["pairs", "agree", "ends"], [len(KINDS), len(KINDS), len(draw)])
    columns = [pa.array(what.tolist(), pa.string()), pa.array(number), pa.array(n)]
    return pa.Table.from_arrays(columns, schema=AGREEMENTS)


def _draws(ends: pa.Table) -> Ints32:
    """Return ``int32[n, N_DRAWS]`` labels, -1 where there are none."""
    column = ends["drawn"].combine_chunks()
    known = np.asarray(pc.is_valid(column), bool)
    drawn = np.full((len(column), N_DRAWS), -1, np.int32)
    content = b"".join(column.drop_null().to_pylist())
    drawn[known] = np.frombuffer(content, np.int32).reshape(-1, N_DRAWS)
    return drawn


def _is_held(ends: pa.Table) -> Mask:
    held: Mask = ends["kinds"].to_numpy() > (LINK | NAV)
    return held


def _is_page(ends: pa.Table) -> Mask:
    return np.asarray(pc.is_valid(ends["host"]), bool)
