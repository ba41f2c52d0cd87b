"""Compact tables within the passes: ids of 16 bytes, hosts as numbers, sources as codes.

Public tables (`labeling.schemas`) contain ids as 32 digits and names as text. Compact tables need
at most half the memory; rows are converted once, when they are read.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from labeling.keys import ids

SOURCE = pa.dictionary(pa.int16(), pa.string())
"""Arrow type of a labeling source within the passes. Tables of different files may number their
sources differently: concatenate them, then ``combine_chunks``."""

HOST = pa.int64()
"""Arrow type of a host within the passes, which only compare hosts."""

COMPACT_PLACEMENTS = pa.schema([("image_id", ids.BINARY), ("page_id", ids.BINARY), ("host", HOST)])
"""`labeling.schemas.PLACEMENTS`, compact."""

_IDS = frozenset({"image_id", "page_id", "src_page", "dst_page"})
_HOSTS = frozenset({"host", "src_host"})


def compact(rows: pa.Table) -> pa.Table:
    """Return rows of a public table with compact ids, hosts and sources, other columns unchanged.

    Examples
    --------
    >>> rows = {"image_id": ["0" * 32], "host": ["a.org"], "source": ["alt"], "text": ["cat"]}
    >>> [str(t) for t in compact(pa.table(rows)).schema.types[:2]]
    ['fixed_size_binary[16]', 'int64']
    """
    for index, name in enumerate(rows.column_names):
        if name in _IDS:
            rows = rows.set_column(index, name, ids.to_binary(rows[name]))
        elif name in _HOSTS:
            rows = rows.set_column(index, name, host_numbers(rows[name]))
        elif name == "source":
            rows = rows.set_column(index, name, rows[name].dictionary_encode().cast(SOURCE))
    return rows


def host_numbers(hosts: pa.ChunkedArray) -> pa.Array:
    """Return a number for each host: the first 8 bytes of its digest."""
    return pa.array(ids.digest_halves(hosts)[:, 0].view(np.int64), HOST)


def one_source(source: str, n_rows: int) -> pa.DictionaryArray:
    """Return a column that names one source in every row."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n_rows, np.int16)), [source])
