"""Names that several labels share, decided by the other names on the page.

On a page that names a heron, "crane" more probably means the bird. Each sense of a shared name gets
a larger share if the page names a relative of it by a name of its own.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from labeling.keys.arrays import Ints
from labeling.keys.runs import ranges
from labeling.taxonomy.taxonomy import Codes, Taxonomy

NEAR = 2
"""Levels up to a label that is above both relatives: siblings and cousins, no more. Labels that are
only below the same label without parents are not relatives."""

SUPPORTED = 5.0
"""Odds of a sense with a relative on its page, relative to the odds without one."""


def disambiguate(mentions: pa.Table, taxonomy: Taxonomy) -> pa.Table:
    """Return the mentions of some pages with the strength of shared names divided again.

    The sum over the labels of one name does not change, and neither do mentions by a name of one
    label alone.

    Parameters
    ----------
    mentions
        `labeling.evidence.evidence.MENTIONS`, all of each page, in any order.
    taxonomy
        The taxonomy of the label codes.
    """
    shared = np.flatnonzero(mentions["ambiguity"].to_numpy() > 1)
    if not len(shared):
        return mentions
    page = _codes(mentions, ["page_id"])
    label: Codes = mentions["label"].to_numpy()
    sole = np.flatnonzero(mentions["ambiguity"].to_numpy() == 1)
    _, named = _with_ancestors(page[sole], label[sole], taxonomy)
    row, keys = _with_ancestors(page[shared], label[shared], taxonomy)
    supported = np.bincount(row[np.isin(keys, named)], minlength=len(shared)) > 0
    strength = mentions["strength"].to_numpy().astype(np.float64)
    group = _codes(mentions.take(pa.array(shared)), ["image_id", "page_id", "source", "name"])
    before = strength[shared]
    after = np.where(supported, SUPPORTED, 1.0) * before
    total_before, total_after = np.bincount(group, before), np.bincount(group, after)
    strength[shared] = after * (total_before / total_after)[group]
    index = mentions.schema.get_field_index("strength")
    column = pa.array(np.minimum(strength, 1), pa.float32())
    return mentions.set_column(index, mentions.schema.field("strength"), column)


def _with_ancestors(page: Ints, label: Codes, taxonomy: Taxonomy) -> tuple[Ints, Ints]:
    """Return a row and a key of its page for each label and the labels up to `NEAR` above it."""
    codes, index = np.unique(label, return_inverse=True)
    above = [
        sorted(upper for upper in taxonomy.above(code, NEAR) if taxonomy.parents[upper])
        for code in codes.tolist()
    ]
    first = np.cumsum([0, *map(len, above)])
    flat = np.array([upper for of_label in above for upper in of_label], np.int64)
    rows, entries = ranges(first[index], first[index + 1])
    return rows, page[rows] * len(taxonomy) + flat[entries]


def _codes(table: pa.Table, columns: list[str]) -> Ints:
    """Return a number for each row, the same for rows that are equal in the columns."""
    codes = np.zeros(len(table), np.int64)
    for name in columns:
        column = table[name].combine_chunks().dictionary_encode()
        code = codes * (len(column.dictionary) + 1) + np.asarray(column.indices)
        # Numbered again after each column, so that the product cannot overflow.
        _, codes = np.unique(code, return_inverse=True)
    return codes
