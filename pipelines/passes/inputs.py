"""The first pass: inputs of all kinds to the tables of the stage ``signals``.

Rows meet by image, by page that is linked to, and by user. Of a table the first `MAX_ROWS` rows of
each are kept.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from labeling.errors import UnreadableFile, WinnowError
from labeling.keys import ids
from labeling.keys.runs import distinct_rows
from labeling.objects.paths import path_of
from labeling.readers.image_files import Locator
from labeling.schemas import FEEDBACK, IMAGES, LINKS, PAGES, PLACEMENTS, REJECTS, SIGNALS, SKIPS
from labeling.taxonomy.published import TaxonomyFiles
from pipelines.inputs.input import Input, ReadContext
from pipelines.inputs.splits import has_first_file, input_of
from pipelines.passes.labeling_pass import Pass
from pipelines.passes.stored import image_index
from pipelines.run.config import Config
from pipelines.shuffle.engine import Split, Tables
from pipelines.workers.taxonomies import taxonomy_at

MAX_ROWS = 100_000
"""Rows of a table that one image, page or user may have; of more, the first in `_ORDER`."""

BAD_FILE = "bad_file"
"""Reason of a file that cannot be read at all."""

SCHEMAS = (SIGNALS, PLACEMENTS, PAGES, LINKS, FEEDBACK, IMAGES, REJECTS, SKIPS)

_KEYS = {
    "signals": "image_id",
    "placements": "image_id",
    "images": "image_id",
    "pages": "page_id",
    "links": "dst_page",
    "feedback": "user_key",
    "rejects": "key",
    "skips": "key",
}

_ORDER = {
    "signals": ["image_id", "page_id", "source", "text"],
    "placements": ["image_id", "page_id"],
    "images": ["image_id", "location"],
    "pages": ["page_id", "file", "record", "url"],
    "links": ["dst_page", "src_page", "anchor"],
    "feedback": ["user_id", "event_id", "image_id", "label_id", "query", "kind"],
    "rejects": ["where", "reason"],
    "skips": ["file", "kind", "n_records"],
}

_UNIQUE = {
    "images": ["image_id"],
    "placements": ["image_id", "page_id"],
    "pages": ["page_id"],
}
"""Columns of which the first of equal rows is kept."""

GROWTH = 4
"""Rows for each row of the inputs: signals, placements, pages and images."""


def make_pass(read: Callable[[Split], Iterator[tuple[str, pa.Table]]]) -> Pass:
    """Return the pass; `read` is `ReadInputs`, or yields the same tables from elsewhere."""
    return Pass(
        "inputs",
        inputs=(),
        read=read,
        keys=_KEYS,
        reduce=_reduce,
        outputs={schema.name: schema.arrow for schema in SCHEMAS},
        combine=_combine,
        growth=GROWTH,
    )


@dataclass(frozen=True)
class ReadInputs:
    """Reads a split of the inputs that a configuration names.

    Parameters
    ----------
    config
        The settings.
    labels
        The taxonomy.
    stored
        Folder of the output of the pass ``stored``; None if no input stores images.
    """

    config: Config
    labels: TaxonomyFiles
    stored: Path | None

    def __call__(self, split: Split) -> Iterator[tuple[str, pa.Table]]:
        """Yield the tables of a split."""
        for name, rows in self._read(split):
            if name == "feedback":
                rows = rows.append_column("user_key", ids.digests(rows["user_id"]))
            if name in ("rejects", "skips"):  # of which the first column is a place
                rows = rows.append_column("key", ids.digests(rows[0]))
            yield name, rows

    def _read(self, split: Split) -> Iterator[tuple[str, pa.Table]]:
        if split.kind == REJECTS.name:
            yield split.kind, pq.read_table(*split.arguments)
            return
        base = path_of(self.config.base)
        index = None if self.stored is None else image_index(self.stored)
        sites = [site.path for site in self.config.site]
        locator = Locator(base, sites) if index is None else Locator(base, sites, index.find)
        label_ids = functools.partial(_label_ids, self.labels)
        entry, files = input_of(self.config, split)
        context = ReadContext(base, locator, index, label_ids, has_first_file(split))
        tables = _tables(entry, files, context)
        limit = self.config.label.limit
        yield from tables if limit is None else sample_of(tables, entry.counted, limit)


def _tables(
    entry: Input, files: Sequence[str], context: ReadContext
) -> Iterator[tuple[str, pa.Table]]:
    """Yield the tables of some files; one that cannot be read is a reject."""
    for start in range(0, len(files), entry.files_per_split):
        some = files[start : start + entry.files_per_split]
        try:
            is_first = context.is_first and start == 0
            yield from entry.read(some, replace(context, is_first=is_first))
        except UnreadableFile as error:
            # Inputs that raise it are read one file at a time.
            reject = {"where": f"{some[0]}#", "reason": BAD_FILE, "value": one_line(error)[:200]}
            yield "rejects", pa.Table.from_pylist([reject], schema=REJECTS.arrow)


def one_line(error: WinnowError) -> str:
    """Return the message of an error and its cause in one line."""
    cause = error.facts.get("cause")
    return " ".join(f"{error.message}{': ' if cause else ''}{cause or ''}".split())


def sample_of(
    tables: Iterator[tuple[str, pa.Table]], counted: str, limit: int
) -> Iterator[tuple[str, pa.Table]]:
    """Yield tables until `limit` rows of one of them, or of rejects, are read.

    Texts that are left out take their images along, so that every image has a text. Rows that the
    last batch skips are not counted: they may come after the sample.
    """
    read: dict[str, list[pa.Table]] = defaultdict(list)
    n_rows = {counted: 0, "rejects": 0}
    since: set[str] = set()
    for name, rows in tables:
        if name in since:  # the batch that filled the sample is read to its end
            break
        if name == SKIPS.name and max(n_rows.values()) == limit:
            continue
        if name in n_rows:
            rows = rows.slice(0, limit - n_rows[name])
            n_rows[name] += len(rows)
        read[name].append(rows)
        if max(n_rows.values()) == limit:
            since.add(name)
    whole = {name: pa.concat_tables(parts) for name, parts in read.items()}
    if n_rows[counted] == limit and counted == "signals":
        for name in {"images", "placements"} & whole.keys():
            in_sample = pc.is_in(whole[name]["image_id"], value_set=whole[counted]["image_id"])
            whole[name] = whole[name].filter(in_sample)
    yield from whole.items()


def _combine(table: str, rows: pa.Table) -> pa.Table:
    """Keep `MAX_ROWS` of each key, and one more so that `_reduce` sees that there were more."""
    return rows if table == "rejects" else _sample_of(table, rows, MAX_ROWS + 1)


def _reduce(tables: Tables) -> Tables:
    """Sort the rows of a bucket; more than `MAX_ROWS` of a key are a reject, ``too_many_rows``."""
    reduced = {}
    rejects = [tables.get("rejects", REJECTS.empty()).select(REJECTS.arrow.names)]
    for schema in SCHEMAS:
        name = schema.name
        if name in tables and schema is not REJECTS:
            rows = _combine(name, tables[name])
            rejects.append(_too_many(name, rows))
            rows = _sample_of(name, rows, MAX_ROWS).select(schema.arrow.names)
            rows = _sorted(name, rows)
            reduced[name] = distinct_rows(rows, _UNIQUE[name]) if name in _UNIQUE else rows
            reduced[name] = reduced[name].cast(schema.arrow)
    if any(map(len, rejects)):
        reduced["rejects"] = _sorted("rejects", pa.concat_tables(rejects)).cast(REJECTS.arrow)
    return reduced


def _label_ids(files: TaxonomyFiles) -> frozenset[str]:
    return frozenset(taxonomy_at(files).label_ids)


def _sorted(table: str, rows: pa.Table) -> pa.Table:
    return rows.sort_by([(column, "ascending") for column in _ORDER[table]])


def _crowded(table: str, rows: pa.Table, n: int) -> pa.Array:
    """Return the keys with more than `n` rows."""
    if len(rows) <= n:
        return pa.array([], pa.string())
    counts = rows[_KEYS[table]].value_counts()
    return counts.field("values").filter(pc.greater(counts.field("counts"), n))


def _sample_of(table: str, rows: pa.Table, n: int) -> pa.Table:
    """Return the first `n` rows of each key in the table's order, of equal ones only the first."""
    crowded = _crowded(table, rows, n)
    if not len(crowded):
        return rows
    is_crowded = pc.is_in(rows[_KEYS[table]], value_set=crowded)
    parts = [rows.filter(pc.invert(is_crowded))]
    for key in crowded.to_pylist():
        of_key = rows.filter(pc.equal(rows[_KEYS[table]], key))
        parts.append(distinct_rows(_sorted(table, of_key), _ORDER[table]).slice(0, n))
    return pa.concat_tables(parts)


def _too_many(table: str, rows: pa.Table) -> pa.Table:
    value = f"{table} beyond {MAX_ROWS:,}"
    rejects = [
        {"where": key, "reason": "too_many_rows", "value": value}
        for key in _crowded(table, rows, MAX_ROWS).to_pylist()
    ]
    return pa.Table.from_pylist(rejects, schema=REJECTS.arrow)
