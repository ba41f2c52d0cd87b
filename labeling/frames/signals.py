"""Signals in memory: from a table of texts, or from one web archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from labeling.arguments import Text, checks_arguments
from labeling.checks import check, refuse_repeated_columns
from labeling.errors import InputError
from labeling.frames.frames import Frame, first_refused, like, pandas_or_arrow
from labeling.keys import ids
from labeling.keys.missing import is_missing
from labeling.keys.urls import host_of, url_id
from labeling.objects.paths import path_of
from labeling.readers.image_files import Located
from labeling.readers.web_archives.archives import read_archive
from labeling.schemas import SIGNALS, Batch

_TEXT = (pa.types.is_null, pa.types.is_string, pa.types.is_large_string)


@checks_arguments
def signals_from_texts(
    texts: Frame,
    *,
    image: Text = "image",
    text: Text = "text",
    page: Text | None = None,
    source: Text = "alt",
) -> Frame:
    """Return texts about images as signals, all of one labeling source.

    Parameters
    ----------
    texts
        A row for each text; several rows may be about one image. Rows without a text, an image
        or a page (null, empty, ``N/A``, …) are left out.
    image
        Column with the URL, or any other stable name, of the image. Its digest is the ``image_id``,
        as in `winnow label` for an image without a file.
    text
        Column with the text.
    page
        Column with the URL of the page; by default, each image is on a page of its own.
    source
        Kind of the texts: alt, caption, title, ….

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        `labeling.schemas.SIGNALS` with weight 1, of the kind of `texts`.

    Raises
    ------
    InputError
        For a column that is missing or does not contain texts.

    Examples
    --------
    >>> rows = signals_from_texts(pa.table({"image": ["https://a.org/1.jpg"], "text": ["A cat"]}))
    >>> rows.select(["host", "source", "text"]).to_pylist()
    [{'host': 'a.org', 'source': 'alt', 'text': 'A cat'}]
    """
    page = page or image
    rows = _texts(texts, list(dict.fromkeys((image, text, page))))
    rows = rows.filter(pc.fill_null(pc.not_equal(rows[text], ""), False))
    for name in dict.fromkeys((image, page)):
        rows = rows.filter(pa.array(~is_missing(pc.fill_null(rows[name], "").to_pylist())))
    pages = rows[page].to_pylist()
    n = len(rows)
    signals = {
        "image_id": pa.array(map(url_id, rows[image].to_pylist()), pa.string()),
        "page_id": pa.array(map(url_id, pages), pa.string()),
        "host": pa.array(map(host_of, pages), pa.string()),
        "source": pa.repeat(pa.scalar(source, pa.string()), n),
        "text": rows[text],
        "weight": pa.repeat(pa.scalar(1, pa.float32()), n),
        "lang": pa.nulls(n, pa.string()),
    }
    table = pa.table(signals, schema=SIGNALS.arrow)
    check(table, SIGNALS, "signals")
    return like(table, texts)


def _texts(frame: object, names: list[str]) -> pa.Table:
    """Return columns of texts of a frame."""
    table = pandas_or_arrow(frame, "texts")
    columns = list(table.schema.names if isinstance(table, Batch) else table.columns)
    missing = [name for name in names if name not in columns]
    if missing:
        raise InputError(
            "columns are missing from the texts",
            facts={"missing": ", ".join(missing), "found": ", ".join(map(str, columns))},
            help="name the columns of your table: signals_from_texts(table, image=..., text=...)",
        )
    refuse_repeated_columns(columns, names, "texts")
    return pa.table([_as_strings(table[name], name) for name in names], names=names)


def _as_strings(column: Any, name: str) -> pa.Array | pa.ChunkedArray:
    """Return a column of any type of text, dictionaries included, as ``string``."""
    try:
        is_arrow = isinstance(column, pa.Array | pa.ChunkedArray)
        values = column if is_arrow else pa.array(column, from_pandas=True)
        dtype = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
        if not any(is_text(dtype) for is_text in _TEXT):
            raise TypeError(f"expected texts, found {dtype}")
        return values.cast(pa.string())
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(
            "a column does not contain texts",
            facts={"column": name, "cause": error} | first_refused(column, pa.string()),
            help="turn its values into texts, or leave these rows out",
        ) from error


@checks_arguments
def signals_from_warc(path: Path | str) -> pa.Table:
    """Read the texts about the images of a web archive.

    Parameters
    ----------
    path
        A WARC, ARC or WAT file, by its ending.

    Returns
    -------
    pyarrow.Table
        `labeling.schemas.SIGNALS`. The id of an image in the archive is the digest of its bytes,
        that of other images the digest of their URL. Damaged records are left out; `winnow label`
        counts them.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    file = path_of(path)

    def locate(url: str) -> Located:
        return Located(ids.digest(url), url, 0)

    tables = [table for name, table in read_archive(file, file.name, locate) if name == "signals"]
    return pa.concat_tables([SIGNALS.empty(), *tables])
