"""Hashes of texts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys.hashing import Hashes


def hash_texts(texts: pa.Array | pa.ChunkedArray) -> Hashes:
    """Return a hash of each text, the same whatever its case and the spaces around it.

    Examples
    --------
    >>> menu, same, other = hash_texts(pa.array(["Menu", "menu ", "Me nu"]))
    >>> bool(menu == same), bool(menu == other)
    (True, False)
    """
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    return np.asarray(pd.util.hash_array(np.asarray(plain, object), categorize=False), np.uint64)
