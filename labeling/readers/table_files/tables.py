"""CSV, Parquet and JSON Lines files to signals, links and feedback, by a mapping of columns."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from labeling.checks import check
from labeling.keys import ids
from labeling.keys.arrays import Floats, Mask
from labeling.keys.missing import is_missing, is_null
from labeling.keys.runs import distinct_rows
from labeling.keys.urls import host_of, url_id
from labeling.readers.image_files import Located, Locator, named
from labeling.readers.skips import NO_TEXT, skipped_rows
from labeling.readers.table_files.cells import to_seconds
from labeling.readers.table_files.csv_files import GUESSED, Format
from labeling.readers.table_files.rows import folded, refuse_bad
from labeling.readers.table_files.tabular import Batch, Columns, read_batches
from labeling.schemas import (
    FEEDBACK,
    FEEDBACK_KINDS,
    IMAGES,
    LINKS,
    PAGES,
    PLACEMENTS,
    REJECTS,
    SIGNALS,
)

MAX_SECONDS = 2**40
"""Seconds before or after 1970, some thirty thousand years, beyond which a time is invalid."""

MAX_NUMBER = 2**31
"""Numbers as large as this are treated as infinite."""

EMPTY = ids.digest(b"")
"""Id of every image of 0 bytes."""


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
        file (``image_missing``) or with an empty one (``empty_image``), with a weight that is not a
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
    located = _located(batch.table, locator)
    weight = _weights(batch.table)
    bad = _bad_images(batch.table, located) | {
        "bad_weight": ~((weight >= 0) & (weight <= 1)),
    }
    yield "rejects", _rejects(batch, bad, {"bad_weight": ("weight",)})
    good = ~np.any(list(bad.values()), axis=0)
    kept = batch._replace(table=batch.table.filter(pa.array(good)), rows=batch.rows[good])
    rows = [image._asdict() for image in itertools.compress(located, good) if image is not None]
    images = pa.Table.from_pylist(rows, schema=IMAGES.arrow)
    yield "images", images
    page = _page_names(kept.table)
    key = {
        "image_id": images["image_id"],
        "page_id": _mapped(url_id, page),
        "host": _mapped(host_of, page),
    }
    signals = {
        **key,
        "source": pc.fill_null(_given(kept.table, "source"), source),
        "text": pc.fill_null(kept.table["text"], ""),
        "weight": pa.array(weight[good], pa.float32()),
        "lang": _given(kept.table, "lang"),
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
    pairs = zip(_texts(table, "page"), _texts(table, "image"), strict=True)
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
        no_page = is_missing(_texts(batch.table, "src")) | is_missing(_texts(batch.table, "dst"))
        yield "rejects", _rejects(batch, {"no_page": no_page}, {"no_page": ("src", "dst")})
        table = batch.table.filter(pa.array(~no_page))
        source = _texts(table, "src")
        links = {
            "src_page": _mapped(url_id, source),
            "dst_page": _mapped(url_id, _texts(table, "dst")),
            "src_host": _mapped(host_of, source),
            "anchor": table["anchor"] if "anchor" in columns else pa.nulls(len(table), pa.string()),
            "rel": pa.nulls(len(table), pa.string()),
            "nav": pa.repeat(False, len(table)),
        }
        yield "links", pa.table(links, schema=LINKS.arrow)


def read_feedback(
    path: Path,
    columns: Columns,
    locator: Locator,
    known_label: Callable[[str], bool],
    form: Format = GUESSED,
) -> Iterator[tuple[str, pa.Table]]:
    """Read clicks, votes, flags and impressions.

    Parameters
    ----------
    path
        The file.
    columns
        ``image``, ``kind``, ``user``, ``time`` (see
        `labeling.readers.table_files.cells.to_seconds`), one or both of ``label`` and ``query``,
        and optionally ``position`` from 1 and ``event_id``: a row without one is an event of its
        own.
    locator
        Finds the files of the images.
    known_label
        Returns True for a label of the taxonomy.

    Yields
    ------
    name, table
        ``feedback``; ``rejects`` for rows with an image, a kind or a label that is unknown, without
        a user, or with a time or a position that cannot be read; and ``skips``: the rows of a file
        without an optional column that has one of a near name.

    Raises
    ------
    InputError
        For a file that cannot be read.
    """
    required = ("image", "kind", "user", "time")
    optional = ("event_id", "label", "query", "position")
    for batch in read_batches(path, columns, required, optional, form):
        yield from _feedback(batch, locator, known_label)


def _feedback(
    batch: Batch, locator: Locator, known_label: Callable[[str], bool]
) -> Iterator[tuple[str, pa.Table]]:
    table = batch.table
    images = _located(table, locator)
    kind = pa.array(map(folded, _texts(table, "kind")), pa.string())
    user, query = _texts(table, "user"), _given(table, "query").to_pylist()
    label = _labels(table, known_label)
    seconds, position = to_seconds(_texts(table, "time")), _texts(table, "position")
    rank = pd.to_numeric(pd.Series(position, dtype=str), errors="coerce").to_numpy(np.float64)
    bad = _bad_images(table, images) | {
        "unknown_kind": ~np.asarray(pc.is_in(kind, pa.array(FEEDBACK_KINDS)), bool),
        "unknown_label": np.array([bool(x) and not known_label(x) for x in label], bool),
        "no_label": np.array([not x and not q for x, q in zip(label, query, strict=True)], bool),
        "no_user": is_missing(user),
        "bad_row": _is_bad_row(seconds, rank, position),
    }
    shown = {
        "bad_row": ("time", "position"),
        "unknown_kind": ("kind",),
        "unknown_label": ("label",),
    }
    yield "rejects", _rejects(batch, bad, shown)
    rows = {
        "event_id": _event_ids(batch, locator),
        "image_id": pa.array([i.image_id if i else "0" * 32 for i in images], pa.string()),
        "label_id": pa.array([x or None for x in label], pa.string()),
        "query": pa.array(query, pa.string()),
        "kind": kind,
        "user_id": pa.array(user, pa.string()),
        "position": pa.array(np.nan_to_num(rank), mask=np.isnan(rank)),
        "time": pa.array(np.floor(np.nan_to_num(seconds)).astype(np.int64)),
    }
    good = ~np.any(list(bad.values()), axis=0)
    feedback = pa.table(rows).filter(pa.array(good)).cast(FEEDBACK.arrow)
    check(feedback, FEEDBACK, str(batch.path))
    yield "feedback", feedback
    for column in batch.left_out:
        yield from skipped_rows(batch.name, column, len(table))


def _labels(table: pa.Table, known_label: Callable[[str], bool]) -> list[str]:
    """Return the labels of events, empty where none is given; one may be called "none"."""
    labels = _texts(table, "label")
    return [label if known_label(label) or not is_null(label) else "" for label in labels]


def _is_bad_row(seconds: Floats, rank: Floats, position: Sequence[str]) -> Mask:
    """Return ``bool[n]``: events before 1970, or with a bad time or position."""
    is_given = ~is_missing(position)
    is_rank = (rank >= 1) & (rank < MAX_NUMBER) & (rank == np.floor(rank))
    bad: Mask = ~((seconds >= 0) & (seconds < MAX_SECONDS)) | (is_given & ~is_rank)
    return bad


def _event_ids(batch: Batch, locator: Locator) -> pa.Array:
    """Return the ids of events; a row without one is an event of its own, named by its place."""
    given = _texts(batch.table, "event_id")
    file = named(locator.base, batch.path)
    rows = batch.rows.tolist()
    event_ids = (
        f"{file}:{row}" if is_null(event) else event for event, row in zip(given, rows, strict=True)
    )
    return pa.array(event_ids, pa.string())


def read_pairs(path: Path) -> pa.Table:
    """Read a table that names images and labels by their ids: columns image_id and label_id."""
    names = ("image_id", "label_id")
    batches = list(read_batches(path, {name: name for name in names}, names))
    refuse_bad(path, batches)
    return pa.concat_tables(batch.table for batch in batches)


def _texts(table: pa.Table, name: str) -> list[str]:
    """Return a column of texts, empty ones where it has nulls or is missing."""
    if name not in table.column_names:
        return [""] * len(table)
    texts: list[str] = pc.fill_null(table[name], "").to_pylist()
    return texts


def _located(table: pa.Table, locator: Locator) -> list[Located | None]:
    """Return the images of some rows; None for one that is missing."""
    references = _texts(table, "image")
    return [None if is_null(reference) else locator.locate(reference) for reference in references]


def _bad_images(table: pa.Table, located: Sequence[Located | None]) -> dict[str, Mask]:
    """Return the rows without an image that can be used, by reason."""
    is_empty = [image is not None and image.image_id == EMPTY for image in located]
    return {
        "no_image": is_missing(_texts(table, "image")),
        "image_missing": np.array([image is None for image in located], bool),
        "empty_image": np.array(is_empty, bool),
    }


def _mapped(function: Callable[[str], str], texts: list[str]) -> pa.Array:
    return pa.array(map(function, texts), pa.string())


def _weights(table: pa.Table) -> Floats:
    """Return ``float64[n]``: the weights of some rows, 1 where none is given, NaN for no number."""
    texts = pc.fill_null(_given(table, "weight"), "1").to_pandas()
    weights: Floats = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
    return weights


def _given(table: pa.Table, name: str) -> pa.ChunkedArray:
    """Return a column of texts with nulls for missing ones, or nulls alone if it is missing."""
    texts = _texts(table, name)
    return pa.chunked_array([pa.array(texts, pa.string(), mask=is_missing(texts))])


def _where(batch: Batch, position: int) -> str:
    """Return the file and the line of a row; for a Parquet file, the number of the row."""
    return f"{batch.name}:{position + 1}"


def _rejects(
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
        values = zip(*(_texts(table, name) for name in names), strict=True)
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
