"""CSV, Parquet and JSON Lines files to signals, links and feedback, by a mapping of columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from labeling import ids
from labeling.errors import InputError
from labeling.locate import Locator, host_of
from labeling.schemas import (
    FEEDBACK,
    FEEDBACK_KINDS,
    IMAGES,
    LINKS,
    PLACEMENTS,
    REJECTS,
    SIGNALS,
    check,
)

TABLE_SUFFIXES = (".csv", ".parquet", ".jsonl")

Columns = Mapping[str, str]
"""What winnow calls a column, to what the file calls it."""


def read_signals(
    path: Path, columns: Columns, source: str, locator: Locator
) -> Iterator[tuple[str, pa.Table]]:
    """Read texts about images.

    Parameters
    ----------
    path
        The file.
    columns
        ``image`` (path or URL) and ``text``; optionally ``page`` (URL or any name; else each image
        is a page of its own), ``source``, ``weight`` in [0, 1] and ``lang``.
    source
        Labeling source of all rows where no column gives it.
    locator
        Finds the files of the images.

    Yields
    ------
    name, table
        Tables of `labeling.schemas` by name: images, signals, placements and rejects. Rows whose
        image is a path without a file are rejects.
    """
    table = _read(path, columns, required=("image", "text"))
    found = [locator.locate(reference) for reference in _texts(table, "image")]
    here = np.array([f is not None for f in found], bool)
    yield "rejects", _rejects(path, table, "image", {"image_missing": ~here})
    table = table.filter(pa.array(here))
    images = [f._asdict() for f in found if f is not None]
    located = pa.Table.from_pylist(images, schema=IMAGES.arrow)
    yield "images", located
    n = len(table)
    page = _texts(table, "page") if "page" in columns else _texts(table, "image")
    key = {
        "image_id": located["image_id"],
        "page_id": pa.array([ids.digest(p) for p in page], pa.string()),
        "host": pa.array([host_of(p) for p in page], pa.string()),
    }
    signals = {
        **key,
        "source": table["source"] if "source" in columns else pa.array([source] * n, pa.string()),
        "text": pc.fill_null(table["text"], ""),
        "weight": _weights(table, path) if "weight" in columns else np.ones(n, np.float32),
        "lang": table["lang"] if "lang" in columns else pa.nulls(n, pa.string()),
    }
    rows = pa.table(signals, schema=SIGNALS.arrow)
    check(rows, SIGNALS, str(path))
    yield "signals", rows.filter(pc.not_equal(rows["text"], ""))
    yield "placements", pa.table(key, schema=PLACEMENTS.arrow)


def read_links(path: Path, columns: Columns) -> Iterator[tuple[str, pa.Table]]:
    """Read links between pages: ``src``, ``dst`` and optionally ``anchor``.

    Yields
    ------
    name, table
        ``links``.
    """
    table = _read(path, columns, required=("src", "dst"))
    source = _texts(table, "src")
    links = {
        "src_page": pa.array([ids.digest(p) for p in source], pa.string()),
        "dst_page": pa.array([ids.digest(p) for p in _texts(table, "dst")], pa.string()),
        "src_host": pa.array([host_of(p) for p in source], pa.string()),
        "anchor": table["anchor"] if "anchor" in columns else pa.nulls(len(table), pa.string()),
        "rel": pa.nulls(len(table), pa.string()),
        "nav": pa.repeat(False, len(table)),
    }
    yield "links", pa.table(links, schema=LINKS.arrow)


def read_feedback(
    path: Path, columns: Columns, locator: Locator, known_label: Callable[[str], bool]
) -> Iterator[tuple[str, pa.Table]]:
    """Read what users did.

    Parameters
    ----------
    path
        The file.
    columns
        ``event_id``, ``image``, ``kind``, ``user``, ``time`` (ISO 8601, or seconds since 1970), one
        or both of ``label`` and ``query``, and optionally ``position`` from 1.
    locator
        Finds the files of the images.
    known_label
        Whether a label is in the taxonomy.

    Yields
    ------
    name, table
        ``feedback``, and ``rejects`` for rows with an image, a kind or a label that is unknown.
    """
    table = _read(path, columns, required=("event_id", "image", "kind", "user", "time"))
    found = [locator.locate(reference) for reference in _texts(table, "image")]
    label = _texts(table, "label") if "label" in columns else [""] * len(table)
    query = _texts(table, "query") if "query" in columns else [""] * len(table)
    kinds = pc.is_in(table["kind"], value_set=pa.array(FEEDBACK_KINDS))
    bad = {
        "image_missing": np.array([f is None for f in found], bool),
        "unknown_kind": ~np.asarray(kinds, bool),
        "unknown_label": np.array([bool(x) and not known_label(x) for x in label], bool),
        "no_label": np.array([not x and not q for x, q in zip(label, query, strict=True)], bool),
    }
    yield "rejects", _rejects(path, table, "image", bad)
    rows = {
        "event_id": pc.fill_null(table["event_id"], ""),
        "image_id": pa.array([f.image_id if f else "0" * 32 for f in found], pa.string()),
        "label_id": pa.array([x or None for x in label], pa.string()),
        "query": pa.array([q or None for q in query], pa.string()),
        "kind": table["kind"],
        "user_id": pc.fill_null(table["user"], ""),
        "position": _positions(table, path) if "position" in columns else pa.nulls(len(table)),
        "time": _seconds(table, path),
    }
    good = ~np.any(list(bad.values()), axis=0) if len(table) else np.empty(0, bool)
    columns_of = {
        n: pa.chunked_array([c]) if isinstance(c, pa.Array) else c for n, c in rows.items()
    }
    feedback = pa.table(columns_of).filter(pa.array(good)).cast(FEEDBACK.arrow)
    check(feedback, FEEDBACK, str(path))
    yield "feedback", feedback


def read_pairs(path: Path) -> pa.Table:
    """Read a table that names images and labels by their ids: columns image_id and label_id."""
    return _read(path, {"image_id": "image_id", "label_id": "label_id"}, ("image_id", "label_id"))


def _read(path: Path, columns: Columns, required: tuple[str, ...]) -> pa.Table:
    """Return the mapped columns of a file under our names; all of them are text."""
    missing = [name for name in required if name not in columns]
    if missing:
        raise InputError(
            f"the column mapping of an input lacks {', '.join(missing)}",
            facts={"file": path, "mapped": ", ".join(columns)},
            help="name the file's columns under `columns` in the configuration",
        )
    try:
        table = _READERS[path.suffix](path, columns)
    except KeyError:
        raise InputError(
            "the kind of an input file is not known",
            facts={"file": path, "known": ", ".join(_READERS)},
        ) from None
    except FileNotFoundError:
        raise InputError("an input file does not exist", facts={"file": path}) from None
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            "an input file cannot be read", facts={"file": path, "cause": error}
        ) from error
    absent = [theirs for theirs in columns.values() if theirs not in table.column_names]
    if absent:
        raise InputError(
            f"an input file has no column {absent[0]!r}",
            facts={"file": path, "columns": ", ".join(table.column_names)},
            help="correct `columns` in the configuration",
        )
    mapped = [_as_text(table[theirs], theirs, path) for theirs in columns.values()]
    return pa.Table.from_arrays(mapped, names=list(columns))


def _read_csv(path: Path, columns: Columns) -> pa.Table:
    types = {theirs: pa.string() for theirs in columns.values()}
    convert = pa.csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
    parse = pa.csv.ParseOptions(newlines_in_values=True)
    return pa.csv.read_csv(path, parse_options=parse, convert_options=convert)


def _read_parquet(path: Path, columns: Columns) -> pa.Table:
    found = pa.parquet.read_schema(path).names
    return pa.parquet.read_table(path, columns=[c for c in found if c in set(columns.values())])


def _read_jsonl(path: Path, columns: Columns) -> pa.Table:
    return pa.json.read_json(path)


_READERS: Mapping[str, Callable[[Path, Columns], pa.Table]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
    ".jsonl": _read_jsonl,
}


def _as_text(column: pa.ChunkedArray, name: str, path: Path) -> pa.ChunkedArray:
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(
            f"column {name!r} of an input file is not text, a number or a time",
            facts={"file": path, "found": column.type},
        ) from error


def _texts(table: pa.Table, name: str) -> list[str]:
    texts: list[str] = pc.fill_null(table[name], "").to_pylist()
    return texts


def _weights(table: pa.Table, path: Path) -> pa.Array:
    return _numbers(table, "weight", path, np.float32)


def _positions(table: pa.Table, path: Path) -> pa.Array:
    given = table["position"]
    blank = np.asarray(pc.is_null(given), bool)
    filled = table.set_column(
        table.column_names.index("position"), "position", pc.fill_null(given, "1")
    )
    numbers = _numbers(filled, "position", path, np.int32)
    return pa.array(np.asarray(numbers), pa.int32(), mask=blank)


def _seconds(table: pa.Table, path: Path) -> pa.Array:
    texts = pd.Series(_texts(table, "time"), dtype=str)
    numeric = pd.to_numeric(texts, errors="coerce")
    parsed = pd.to_datetime(
        texts.where(numeric.isna()), errors="coerce", utc=True, format="ISO8601"
    )
    epoch = pd.Timestamp(0, tz="UTC")
    seconds = numeric.fillna((parsed - epoch) // pd.Timedelta(seconds=1))
    _refuse_first(seconds.isna().to_numpy(), table, "time", path, "a time")
    return pa.array(seconds.to_numpy().astype(np.int64))


def _numbers(
    table: pa.Table, name: str, path: Path, dtype: type[np.float32] | type[np.int32]
) -> pa.Array:
    numbers = pd.to_numeric(pd.Series(_texts(table, name), dtype=str), errors="coerce").to_numpy()
    bad = ~np.isfinite(numbers.astype(np.float64))
    _refuse_first(bad, table, name, path, "a finite number")
    return pa.array(numbers.astype(dtype))


def _refuse_first(
    bad: npt.NDArray[np.bool_], table: pa.Table, name: str, path: Path, expected: str
) -> None:
    if bad.any():
        first = int(np.argmax(bad))
        value = table[name][first].as_py()
        raise InputError(
            f"column {name}: {int(bad.sum()):,} of {len(bad):,} values are not {expected}",
            facts={"file": path, "first": f"row {first + 1}: {value!r}"},
            help="mend the file, or leave the column out of `columns`",
        )


def _rejects(
    path: Path, table: pa.Table, name: str, bad: Mapping[str, npt.NDArray[np.bool_]]
) -> pa.Table:
    """Return one reject for each bad row, under its first reason."""
    rows: list[dict[str, str]] = []
    seen = np.zeros(len(table), bool)
    for reason, flags in bad.items():
        values = table[name]
        rows += [
            {
                "where": f"{path.name}:{row + 1}",
                "reason": reason,
                "value": str(values[int(row)].as_py())[:200],
            }
            for row in np.flatnonzero(flags & ~seen)
        ]
        seen |= flags
    return pa.Table.from_pylist(rows, schema=REJECTS.arrow)
