"""Names that several labels share, read by what else their page names.

A page that names a heron speaks of cranes that are birds. Every sense of a shared name gets more
where the page names a relative of it by a name of its own, and the others less.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from labeling.keys.arrays import Ints
from labeling.keys.runs import ranges
from labeling.taxonomy.taxonomy import Codes, Taxonomy

NEAR = 2
"""Levels up to a label that relatives are both below: siblings and cousins, not further. What only
a label without parents is above is not related."""

SUPPORTED = 5.0
"""How many times as likely a sense with a relative on its page is meant as it is without one."""


def in_context(mentions: pa.Table, taxonomy: Taxonomy) -> pa.Table:
    """Return the mentions of some pages with the strength of shared names divided anew.

    What the labels of one name have together stays as it is. Mentions of a label by a name that it
    does not share stay as they are.

    Parameters
    ----------
    mentions
        `labeling.evidence.evidence.MENTIONS`, all of each page, in any order.
    taxonomy
        What the label codes mean.
    """
    shared = np.flatnonzero(mentions["ambiguity"].to_numpy() > 1)
    if not len(shared):
        return mentions
    page = _codes(mentions, ["page_id"])
    label: Codes = mentions["label"].to_numpy()
    own = np.flatnonzero(mentions["ambiguity"].to_numpy() == 1)
    named = _near(page[own], label[own], taxonomy)[1]
    asked, keys = _near(page[shared], label[shared], taxonomy)
    supported = np.bincount(asked[np.isin(keys, named)], minlength=len(shared)) > 0
    strength = mentions["strength"].to_numpy().astype(np.float64)
    group = _codes(mentions.take(pa.array(shared)), ["image_id", "page_id", "source", "name"])
    before = strength[shared]
    after = np.where(supported, SUPPORTED, 1.0) * before
    total_before, total_after = np.bincount(group, before), np.bincount(group, after)
    strength[shared] = after * (total_before / total_after)[group]
    place = mentions.schema.get_field_index("strength")
    column = pa.array(np.minimum(strength, 1), pa.float32())
    return mentions.set_column(place, mentions.schema.field("strength"), column)


def _near(page: Ints, label: Codes, taxonomy: Taxonomy) -> tuple[Ints, Ints]:
    """Return for each (page, label) itself and the labels `NEAR` above it, as row and key."""
    n = len(taxonomy)
    codes, which = np.unique(label, return_inverse=True)
    above = [
        sorted(upper for upper in taxonomy.above(code, NEAR) if taxonomy.parents[upper])
        for code in codes.tolist()
    ]
    first = np.cumsum([0, *map(len, above)])
    flat = np.array([upper for of_label in above for upper in of_label], np.int64)
    rows, place = ranges(first[which], first[which + 1])
    return rows, page[rows] * n + flat[place]


def _codes(table: pa.Table, columns: list[str]) -> Ints:
    """Return a number for each row, the same for rows that are equal in some columns."""
    codes = np.zeros(len(table), np.int64)
    for name in columns:
        column = table[name].combine_chunks().dictionary_encode()
        code = codes * (len(column.dictionary) + 1) + np.asarray(column.indices)
        _, codes = np.unique(code, return_inverse=True)
    return codes
