"""The tables of a run and their rows, in batches; row groups without a match are skipped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet as pq

from curation.runs.table_files import by_table
from labeling.errors import InputError, IntegrityError
from labeling.hints import did_you_mean
from pipelines.inspecting.survey import StageState
from pipelines.inspecting.where import Filter

BATCH_ROWS = 20_000

_FORMAT = pa.dataset.ParquetFileFormat(
    default_fragment_scan_options=pa.dataset.ParquetFragmentScanOptions(
        page_checksum_verification=True
    )
)


@dataclass(frozen=True)
class TableFiles:
    """A table of a run: its name, the stage that holds it, and its files."""

    name: str
    stage: str
    paths: tuple[Path, ...]
    n_rows: int
    n_bytes: int

    @property
    def schema(self) -> pa.Schema:
        """The columns, as the first file has them."""
        with reading(self.paths[0]):
            return pq.read_schema(self.paths[0]).remove_metadata()


def tables(states: Sequence[StageState]) -> list[TableFiles]:
    """Return the tables of the stages of a run, in the order of the work.

    The name of a table is that of its schema; where an earlier stage has a table of the same name,
    ``stage/name``.
    """
    listed: list[TableFiles] = []
    for stage in (state.stage for state in states if state.stage is not None):
        taken = {table.name for table in listed}
        entries = {entry["name"]: entry for entry in stage.manifest["files"]}
        for name, files in by_table(entries).items():
            listed.append(
                TableFiles(
                    name=f"{stage.name}/{name}" if name in taken else name,
                    stage=stage.name,
                    paths=tuple(stage.dir / file for file in files),
                    n_rows=sum(entries[file]["n_rows"] for file in files),
                    n_bytes=sum(entries[file]["n_bytes"] for file in files),
                )
            )
    return listed


def find_table(listed: Sequence[TableFiles], name: str) -> TableFiles:
    """Return a table by its name, or by ``stage/name``.

    Raises
    ------
    InputError
        If the run has no such table.
    """
    for table in listed:
        if name in (table.name, f"{table.stage}/{table.name}"):
            return table
    known = [table.name for table in listed]
    raise InputError(
        f'the run has no table "{name}"{did_you_mean(name, known)}',
        facts={"tables": ", ".join(known) or "none yet"},
        help="`winnow inspect RUN` lists them with their columns",
    )


def label_names(listed: Sequence[TableFiles]) -> pa.Table | None:
    """Return the run's labels as ``label_id`` and the ``label`` shown, if it has a taxonomy."""
    rows: list[dict[str, Any]] = []
    taxonomy = [table for table in listed if table.name == "taxonomy"]
    for path in (path for table in taxonomy for path in table.paths):
        with reading(path):
            rows += pq.read_table(path, columns=["label_id", "names"]).to_pylist()
    ids = [row["label_id"] for row in rows]
    names = [row["names"][0]["name"] if row["names"] else row["label_id"] for row in rows]
    columns = {"label_id": pa.array(ids, pa.string()), "label": pa.array(names, pa.string())}
    return pa.table(columns) if taxonomy else None


def origins(pages: TableFiles, page_id: pa.Array) -> pa.Array:
    """Return URL, file and record of each page as one text, null for pages that were not read.

    Parameters
    ----------
    pages
        The table ``pages``, sorted by its ids, so that only row groups with some of them are read.
    page_id
        Ids of the pages.
    """
    wanted = page_id.unique()
    columns = ["page_id", "url", "file", "record"]
    field = pa.dataset.field("page_id")
    low, high = (pc.min_max(wanted)[bound] for bound in ("min", "max"))
    # Arrow 25 skips row groups by comparisons, but not by `isin`.
    plain = (field >= low) & (field <= high) & field.isin(wanted)
    parts = list(batches(pages, columns, Filter(plain, ()), len(wanted)))
    rows = pa.Table.from_batches(parts, pages.schema).to_pylist()
    texts = {
        row["page_id"]: f"{row['url']} ({row['file']}"
        + (")" if row["record"] is None else f"#{row['record']})")
        for row in rows
    }
    return pa.array([texts.get(key) for key in page_id.to_pylist()], pa.string())


def batches(
    table: TableFiles, columns: Sequence[str], rows: Filter, limit: int | None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows that a filter keeps, `limit` at most, in the order of the files."""
    n_left = limit
    for path in table.paths:
        if n_left == 0:
            return
        for batch in _filtered(path, columns, rows):
            kept = batch.select(list(columns)).slice(0, n_left)
            if n_left is not None:
                n_left -= kept.num_rows
            yield kept
            if n_left == 0:
                return


def count(table: TableFiles, rows: Filter) -> int:
    """Return the number of rows that a filter keeps."""
    return sum(batch.num_rows for path in table.paths for batch in _filtered(path, (), rows))


def _filtered(path: Path, columns: Sequence[str], rows: Filter) -> Iterator[pa.RecordBatch]:
    needed = list(dict.fromkeys([*columns, *(condition.column for condition in rows.on_lists)]))
    with reading(path):
        fragment = _FORMAT.make_fragment(str(path), pa.fs.LocalFileSystem())
        for batch in fragment.to_batches(
            columns=needed, filter=rows.plain, batch_size=BATCH_ROWS, use_threads=False
        ):
            yield rows.of_lists(batch)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise `IntegrityError` that names a file of the run where it cannot be read."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise IntegrityError(
            "a file of the run cannot be read",
            facts={"file": path, "cause": str(error)[:300]},
            help="restore the file, or make the stage again in a new run folder",
        ) from error
