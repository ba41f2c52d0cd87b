"""Columns of a batch of rows by our names: texts, images, and the rejects of bad rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import filterfalse

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys import ids
from labeling.keys.arrays import Mask
from labeling.keys.missing import is_missing, is_null
from labeling.objects.ahead import in_order
from labeling.readers.image_files import LFS_POINTER, POINTER, Located, Locator
from labeling.readers.table_files.tabular import Batch
from labeling.schemas import REJECTS

EMPTY = ids.digest(b"")
"""Id of every image of 0 bytes."""


def texts_of(table: pa.Table, name: str) -> list[str]:
    """Return a column of texts, empty ones where it has nulls or is missing."""
    if name not in table.column_names:
        return [""] * len(table)
    texts: list[str] = pc.fill_null(table[name], "").to_pylist()
    return texts


def located_images(table: pa.Table, locator: Locator) -> list[Located | None]:
    """Return the images of some rows; None for one that is missing."""
    references = texts_of(table, "image")
    if locator.reads_objects:  # each once, before the rows ask for it
        distinct = dict.fromkeys(filterfalse(is_null, references))
        located = dict(zip(distinct, in_order(locator.locate, distinct, True), strict=True))
        return [located.get(reference) for reference in references]
    return [None if is_null(reference) else locator.locate(reference) for reference in references]


def bad_images(table: pa.Table, located: Sequence[Located | None]) -> dict[str, Mask]:
    """Return the rows without an image that can be used, by reason."""
    image_ids = [image.image_id if image else "" for image in located]
    return {
        "no_image": is_missing(texts_of(table, "image")),
        "image_missing": np.array([image is None for image in located], bool),
        "empty_image": np.array([image_id == EMPTY for image_id in image_ids], bool),
        LFS_POINTER: np.array([image_id == POINTER for image_id in image_ids], bool),
    }


def mapped(function: Callable[[str], str], texts: list[str]) -> pa.Array:
    """Return a function's values of texts as an Arrow text array."""
    return pa.array(map(function, texts), pa.string())


def given(table: pa.Table, name: str) -> pa.ChunkedArray:
    """Return a column of texts with nulls for missing ones, or nulls alone if it is missing."""
    texts = texts_of(table, name)
    return pa.chunked_array([pa.array(texts, pa.string(), mask=is_missing(texts))])


def _where(batch: Batch, position: int) -> str:
    """Return the file and the line of a row; for a Parquet file, the number of the row."""
    return f"{batch.name}:{position + 1}"


def rejects_of(
    batch: Batch, bad: Mapping[str, Mask], shown: Mapping[str, Sequence[str]] | None = None
) -> pa.Table:
    """Return one reject for each bad row, under its first reason.

    Its value is that of the columns which `shown` names for the reason, or the image's. Rows that
    could not be read come first, with their content.
    """
    rows = [
        {
            "where": f"{batch.name}#" if row.reason == "truncated" else _where(batch, row.position),
            "reason": row.reason,
            "value": row.value[:200].rstrip(),
        }
        for row in batch.bad
    ]
    seen = np.zeros(len(batch.table), bool)
    for reason, flags in bad.items():
        new = np.flatnonzero(flags & ~seen)
        table = batch.table.take(pa.array(new))
        names = (shown or {}).get(reason, ("image",))
        values = zip(*(texts_of(table, name) for name in names), strict=True)
        rows += [
            {
                "where": _where(batch, position),
                "reason": reason,
                "value": ", ".join(filter(None, texts))[:200],
            }
            for position, texts in zip(batch.rows[new].tolist(), values, strict=True)
        ]
        seen |= flags
    return pa.Table.from_pylist(rows, schema=REJECTS.arrow)
