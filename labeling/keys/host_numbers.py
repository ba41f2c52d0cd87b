"""Tables on their way through the passes: ids of 16 bytes, hosts as numbers, sources as codes.

Public tables (`labeling.schemas`) hold ids as 32 digits and names as text. What passes hand to each
other is half as large or less, and is converted once, where it is read.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from labeling.keys import ids

SOURCE = pa.dictionary(pa.int16(), pa.string())
"""Arrow type of a labeling source inside the passes: tables of different files that are joined
into one may number their sources differently, so concatenate, then ``combine_chunks``."""

HOST = pa.int64()
"""Arrow type of a host inside the passes, where it only matters whether hosts are the same."""

COMPACT_PLACEMENTS = pa.schema([("image_id", ids.BINARY), ("page_id", ids.BINARY), ("host", HOST)])
"""`labeling.schemas.PLACEMENTS`, compact."""

_IDS = frozenset({"image_id", "page_id", "src_page", "dst_page"})
_HOSTS = frozenset({"host", "src_host"})


def compact(rows: pa.Table) -> pa.Table:
    """Return rows of a public table with compact ids, hosts and sources, other columns as they are.

    Examples
    --------
    >>> rows = {"image_id": ["0" * 32], "host": ["a.org"], "source": ["alt"], "text": ["cat"]}
    >>> [str(t) for t in compact(pa.table(rows)).schema.types[:2]]
    ['fixed_size_binary[16]', 'int64']
    """
    for place, name in enumerate(rows.column_names):
        if name in _IDS:
            rows = rows.set_column(place, name, ids.to_binary(rows[name]))
        elif name in _HOSTS:
            rows = rows.set_column(place, name, host_numbers(rows[name]))
        elif name == "source":
            rows = rows.set_column(place, name, rows[name].dictionary_encode().cast(SOURCE))
    return rows


def host_numbers(hosts: pa.ChunkedArray) -> pa.Array:
    """Return a number for each host: the first 8 bytes of its digest."""
    return pa.array(ids.digest_halves(hosts)[:, 0].view(np.int64), HOST)


def one_source(source: str, n_rows: int) -> pa.DictionaryArray:
    """Return a column that names one source in every row."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n_rows, np.int16)), [source])
