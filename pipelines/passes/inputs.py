"""The first pass: inputs of every kind to signals, placements, links, feedback and images."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from labeling.keys import ids
from labeling.keys.runs import distinct_rows
from labeling.readers.image_files import Locator
from labeling.schemas import FEEDBACK, IMAGES, LINKS, PLACEMENTS, REJECTS, SIGNALS
from labeling.taxonomy.published import TaxonomyFiles, pinned, read_taxonomy
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.inputs.input import ReadContext
from pipelines.passes.cached import Once
from pipelines.passes.splits import input_of
from pipelines.run.config import Config
from pipelines.shuffle.engine import Split, Tables

MAX_ROWS = 100_000
"""Rows of a table that one image, page or user may have; of more, the first in `_ORDER`."""

SCHEMAS = (SIGNALS, PLACEMENTS, LINKS, FEEDBACK, IMAGES, REJECTS)

KEYS = {
    "signals": "image_id",
    "placements": "image_id",
    "images": "image_id",
    "links": "dst_page",
    "feedback": "user_key",
    "rejects": "key",
}
"""What each table is shuffled by: all events of one user meet in one file, for instance."""

_TAXONOMIES: Once[Taxonomy] = Once()

_ORDER = {
    "signals": ["image_id", "page_id", "source", "text"],
    "placements": ["image_id", "page_id"],
    "images": ["image_id", "location"],
    "links": ["dst_page", "src_page", "anchor"],
    "feedback": ["user_id", "event_id", "image_id", "label_id", "query", "kind"],
    "rejects": ["where", "reason"],
}


@dataclass(frozen=True)
class ReadInputs:
    """Read one split of the inputs that a configuration names, with the labels of its taxonomy."""

    config: Config
    taxonomy: TaxonomyFiles

    def __call__(self, split: Split) -> Iterator[tuple[str, pa.Table]]:
        """Yield (table name, rows) with the columns that the shuffle needs."""
        for name, rows in self._read(split):
            if name == "feedback":
                rows = rows.append_column("user_key", ids.digests(rows["user_id"]))
            if name == "rejects":
                rows = rows.append_column("key", ids.digests(rows["where"]))
            yield name, rows

    def _read(self, split: Split) -> Iterator[tuple[str, pa.Table]]:
        base = Path(self.config.base)
        locator = Locator(base, [site.path for site in self.config.site])
        label_ids = functools.partial(_label_ids, self.taxonomy)
        entry, files = input_of(self.config, split)
        yield from entry.read(files, ReadContext(base, locator, label_ids))


def combine_inputs(table: str, rows: pa.Table) -> pa.Table:
    """Keep `MAX_ROWS` of each image, page and user, and one more to tell that there were more."""
    return rows if table == "rejects" else _first_rows(table, rows, MAX_ROWS + 1)


def reduce_inputs(tables: Tables) -> Tables:
    """Sort the rows of a bucket, and leave out images and placements met before.

    What has more than `MAX_ROWS` is a reject, ``too_many_rows``.
    """
    reduced = {}
    rejects = [tables.get("rejects", REJECTS.empty()).select(REJECTS.arrow.names)]
    for schema in SCHEMAS:
        if schema.name in tables and schema is not REJECTS:
            rows = combine_inputs(schema.name, tables[schema.name])
            rejects.append(_too_many(schema.name, rows))
            rows = _first_rows(schema.name, rows, MAX_ROWS)
            rows = _sorted(schema.name, rows.select(schema.arrow.names))
            if schema.name in ("images", "placements"):
                key = ["image_id"] if schema.name == "images" else ["image_id", "page_id"]
                rows = distinct_rows(rows, key)
            reduced[schema.name] = rows.cast(schema.arrow)
    if any(map(len, rejects)):
        reduced["rejects"] = _sorted("rejects", pa.concat_tables(rejects)).cast(REJECTS.arrow)
    return reduced


def taxonomy_at(files: TaxonomyFiles) -> Taxonomy:
    """Return the taxonomy of some files, read once in each process.

    With digests in `files` that content is returned or an `InputError` raised, and no file is read
    that was read before; without, the files are digested at every call.
    """
    files = pinned(files)
    return _TAXONOMIES.get(files, lambda: read_taxonomy(files))


def _label_ids(files: TaxonomyFiles) -> frozenset[str]:
    return frozenset(taxonomy_at(files).label_ids)


def _sorted(table: str, rows: pa.Table) -> pa.Table:
    return rows.sort_by([(column, "ascending") for column in _ORDER[table]])


def _crowded(table: str, rows: pa.Table, n: int) -> pa.Array:
    """Return the keys with more than `n` rows."""
    if len(rows) <= n:
        return pa.array([], pa.string())
    counts = rows[KEYS[table]].value_counts()
    return counts.field("values").filter(pc.greater(counts.field("counts"), n))


def _first_rows(table: str, rows: pa.Table, n: int) -> pa.Table:
    """Return the first `n` rows of each key in the table's order, of equal ones only the first."""
    crowded = _crowded(table, rows, n)
    if not len(crowded):
        return rows
    is_crowded = pc.is_in(rows[KEYS[table]], value_set=crowded)
    parts = [rows.filter(pc.invert(is_crowded))]
    for key in crowded.to_pylist():
        of_key = rows.filter(pc.equal(rows[KEYS[table]], key))
        parts.append(distinct_rows(_sorted(table, of_key), _ORDER[table]).slice(0, n))
    return pa.concat_tables(parts)


def _too_many(table: str, rows: pa.Table) -> pa.Table:
    value = f"{table} beyond {MAX_ROWS:,}"
    found = [
        {"where": key, "reason": "too_many_rows", "value": value}
        for key in _crowded(table, rows, MAX_ROWS).to_pylist()
    ]
    return pa.Table.from_pylist(found, schema=REJECTS.arrow)
