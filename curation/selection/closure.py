"""Candidates that a kept one implies: an image of a husky is an image of a dog."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from curation.pairs.label_hierarchy import find_relatives
from curation.pairs.pair_keys import image_codes
from curation.selection.selection import Selection
from labeling.keys.arrays import Ints, Ints32, Mask
from labeling.taxonomy.taxonomy import Taxonomy

N_AT_ONCE = 200_000
"""Candidates whose relatives are looked up together, about; bounds the memory."""


def flag_implied(selection: Selection, taxonomy: Taxonomy) -> Selection:
    """Give candidates that are not kept the reason ``implied`` if a kept label implies them.

    A label implies its ancestors, for the same image. The rows of an image may lie anywhere.
    """
    table = selection.table
    kept = np.asarray(table["kept"], bool)
    image, label = image_codes(table["image_id"]), taxonomy.codes(table["label_id"])
    implied = np.zeros(len(kept), bool)
    for rows in _whole_images(image, N_AT_ONCE):
        relatives = find_relatives(image[rows].astype(np.int64), label[rows], taxonomy)
        implied[rows] = relatives.max_below(kept[rows].astype(np.float64)) > 0
    reason = _with_reason(table["reason"], implied & ~kept, "implied")
    index = table.schema.get_field_index("reason")
    return replace(selection, table=table.set_column(index, table.schema.field(index), reason))


def _with_reason(reason: pa.ChunkedArray, rows: Mask, name: str) -> pa.Array:
    """Return a column of reasons, packed or not, with another reason in some rows."""
    coded = reason.combine_chunks().dictionary_encode()
    names = coded.dictionary.to_pylist()
    names = names if name in names else [*names, name]
    codes = np.where(rows, names.index(name), np.asarray(coded.indices)).astype(np.int8)
    changed = pa.DictionaryArray.from_arrays(codes, pa.array(names, pa.string()))
    return changed if pa.types.is_dictionary(reason.type) else changed.cast(pa.string())


def _whole_images(image: Ints32, n_at_once: int) -> Iterator[Ints]:
    """Yield all rows in parts of whole images, of about `n_at_once` rows each."""
    # Rows of a run lie in the order of their images: then there is nothing to sort.
    is_ordered = bool(np.all(image[1:] >= image[:-1]))
    order = None if is_ordered else np.argsort(image, kind="stable")
    ordered = image if order is None else image[order]
    start = 0
    while start < len(ordered):
        last = ordered[min(start + n_at_once, len(ordered)) - 1]
        end = int(np.searchsorted(ordered, last, side="right"))
        yield np.arange(start, end) if order is None else order[start:end]
        start = end
