"""CSV, Parquet and JSON Lines files to signals and links, by a mapping of columns."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from labeling.checks import check
from labeling.keys.arrays import Floats
from labeling.keys.missing import is_missing, is_null
from labeling.keys.runs import distinct_rows
from labeling.keys.urls import host_of, url_id
from labeling.readers.image_files import Locator
from labeling.readers.skips import NO_TEXT, skipped_rows
from labeling.readers.table_files.csv_files import GUESSED, Format
from labeling.readers.table_files.row_values import (
    bad_images,
    given,
    located_images,
    mapped,
    rejects_of,
    texts_of,
)
from labeling.readers.table_files.rows import refuse_bad
from labeling.readers.table_files.tabular import Batch, Columns, read_batches
from labeling.schemas import (
    IMAGES,
    LINKS,
    PAGES,
    PLACEMENTS,
    SIGNALS,
)


def read_signals(
    path: Path, columns: Columns, source: str, locator: Locator, form: Format = GUESSED
) -> Iterator[tuple[str, pa.Table]]:
    """Read texts about images.

    Parameters
    ----------
    path
        The file.
    columns
        ``image`` (path or URL) and ``text``; optionally ``page`` (URL or any name; without one an
        image is a page of its own), ``source``, ``weight`` in [0, 1] (without one 1) and ``lang``.
    source
        Labeling source of the rows that do not give it.
    locator
        Finds the files of the images.
    form
        Delimiter and encoding of the file, if they are not to be guessed.

    Yields
    ------
    name, table
        Tables of `labeling.schemas` by name: images, signals, placements, pages, rejects and skips.
        Rows without an image are rejects (``no_image``), those whose image is a path without a
        file (``image_missing``), with an empty one (``empty_image``) or a pointer of Git LFS
        (``lfs_pointer``), with a weight that is not a
        number in [0, 1] (``bad_weight``) or that cannot be read (``bad_row``), and the end of a
        compressed file that is cut (``truncated``). Rows without a text are skips (``no_text``).

    Raises
    ------
    InputError
        For a file that cannot be read.
    """
    for batch in read_batches(path, columns, required=("image", "text"), form=form):
        yield from _signals(batch, source, locator)


def _signals(batch: Batch, source: str, locator: Locator) -> Iterator[tuple[str, pa.Table]]:
    located = located_images(batch.table, locator)
    weight = _weights(batch.table)
    bad = bad_images(batch.table, located) | {
        "bad_weight": ~((weight >= 0) & (weight <= 1)),
    }
    yield "rejects", rejects_of(batch, bad, {"bad_weight": ("weight",)})
    good = ~np.any(list(bad.values()), axis=0)
    kept = batch._replace(table=batch.table.filter(pa.array(good)), rows=batch.rows[good])
    rows = [image._asdict() for image in itertools.compress(located, good) if image is not None]
    images = pa.Table.from_pylist(rows, schema=IMAGES.arrow)
    yield "images", images
    page = _page_names(kept.table)
    key = {
        "image_id": images["image_id"],
        "page_id": mapped(url_id, page),
        "host": mapped(host_of, page),
    }
    signals = {
        **key,
        "source": pc.fill_null(given(kept.table, "source"), source),
        "text": pc.fill_null(kept.table["text"], ""),
        "weight": pa.array(weight[good], pa.float32()),
        "lang": given(kept.table, "lang"),
    }
    checked = pa.table(signals, schema=SIGNALS.arrow)
    check(checked, SIGNALS, str(batch.path))
    has_text = pc.not_equal(pc.utf8_trim_whitespace(checked["text"]), "")
    with_text = checked.filter(has_text)
    yield "signals", with_text
    yield "placements", pa.table(key, schema=PLACEMENTS.arrow)
    yield "pages", _pages(kept, key["page_id"], page)
    yield from skipped_rows(batch.name, NO_TEXT, len(checked) - len(with_text))


def _page_names(table: pa.Table) -> list[str]:
    """Return the page of each row; an image without one is a page of its own."""
    pairs = zip(texts_of(table, "page"), texts_of(table, "image"), strict=True)
    return [image if is_null(page) else page for page, image in pairs]


def _pages(batch: Batch, page_id: pa.Array, page: list[str]) -> pa.Table:
    """Return the pages of some rows, each with its first row."""
    columns = {
        "page_id": page_id,
        "url": pa.array(page, pa.string()),
        "file": pa.repeat(batch.name, len(page)),
        "record": batch.rows + 1,
    }
    return distinct_rows(pa.table(columns, schema=PAGES.arrow), ["page_id"])


def read_links(
    path: Path, columns: Columns, form: Format = GUESSED
) -> Iterator[tuple[str, pa.Table]]:
    """Read links between pages: ``src``, ``dst`` and optionally ``anchor``.

    Yields
    ------
    name, table
        ``links``, and ``rejects`` for rows without one of the pages.
    """
    for batch in read_batches(path, columns, required=("src", "dst"), form=form):
        ends = (texts_of(batch.table, name) for name in ("src", "dst"))
        no_page = np.any([*map(is_missing, ends)], axis=0)
        yield "rejects", rejects_of(batch, {"no_page": no_page}, {"no_page": ("src", "dst")})
        table = batch.table.filter(pa.array(~no_page))
        source = texts_of(table, "src")
        links = {
            "src_page": mapped(url_id, source),
            "dst_page": mapped(url_id, texts_of(table, "dst")),
            "src_host": mapped(host_of, source),
            "anchor": table["anchor"] if "anchor" in columns else pa.nulls(len(table), pa.string()),
            "rel": pa.nulls(len(table), pa.string()),
            "nav": pa.repeat(False, len(table)),
        }
        yield "links", pa.table(links, schema=LINKS.arrow)


def read_pairs(path: Path) -> pa.Table:
    """Read a table that names images and labels by their ids: columns image_id and label_id."""
    names = ("image_id", "label_id")
    batches = list(read_batches(path, {name: name for name in names}, names))
    refuse_bad(path, batches)
    return pa.concat_tables(batch.table for batch in batches)


def _weights(table: pa.Table) -> Floats:
    """Return ``float64[n]``: the weights of some rows, 1 where none is given, NaN for no number."""
    texts = pc.fill_null(given(table, "weight"), "1").to_pandas()
    weights: Floats = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
    return weights
