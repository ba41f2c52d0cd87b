"""Candidates that were not kept but follow from one that was: what is a husky is a dog."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.pairs.label_hierarchy import find_relatives
from curation.pairs.pair_keys import codes_of
from curation.selection.selection import Selection
from labeling.keys.arrays import Ints
from labeling.taxonomy.taxonomy import Taxonomy

N_AT_ONCE = 200_000
"""Candidates whose relatives are looked for together, about."""


def flag_implied(chosen: Selection, taxonomy: Taxonomy) -> Selection:
    """Give candidates that are not kept the reason ``implied`` where a kept label implies them.

    A label implies its ancestors, for the same image. The rows of an image may lie anywhere.
    """
    table = chosen.table
    kept = np.asarray(table["kept"], bool)
    image, label = codes_of(table["image_id"]), taxonomy.codes(table["label_id"])
    implied = np.zeros(len(kept), bool)
    for rows in _whole_images(image, N_AT_ONCE):
        relatives = find_relatives(image[rows], label[rows], taxonomy)
        implied[rows] = relatives.max_below(kept[rows].astype(np.float64)) > 0
    reason = pc.if_else(pa.array(implied & ~kept), "implied", table["reason"])
    place = table.schema.get_field_index("reason")
    return replace(chosen, table=table.set_column(place, table.schema.field(place), reason))


def _whole_images(image: Ints, n_at_once: int) -> Iterator[Ints]:
    """Yield all rows in parts, of about as many rows each, that cut no image."""
    order = np.argsort(image, kind="stable")
    ordered = image[order]
    start = 0
    while start < len(order):
        last = ordered[min(start + n_at_once, len(order)) - 1]
        end = int(np.searchsorted(ordered, last, side="right"))
        yield order[start:end]
        start = end
