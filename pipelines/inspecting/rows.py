"""The rows of a run's tables, in batches; row groups without a match are passed over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet as pq

from curation.runs.table_files import by_table
from labeling.errors import ConfigError, InputError, IntegrityError
from pipelines.inspecting.masks import Mask, Names, columns_of, for_row_groups, nearest, rows_of
from pipelines.inspecting.survey import Seen

BATCH_ROWS = 20_000


@dataclass(frozen=True)
class RunTable:
    """A table of a run: by what it is asked for, the stage that holds it, and its files."""

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


def tables(seen: Sequence[Seen]) -> list[RunTable]:
    """Return the tables of the stages of a run, in the order of the work.

    A table is asked for by its name; where an earlier stage has one of the same name, by
    ``stage/name``.
    """
    found: list[RunTable] = []
    for one in seen:
        if one.stage is None:
            continue
        taken = {table.name for table in found}
        entries = {entry["name"]: entry for entry in one.stage.manifest["files"]}
        for name, files in by_table(entries).items():
            found.append(
                RunTable(
                    name=f"{one.name}/{name}" if name in taken else name,
                    stage=one.name,
                    paths=tuple(one.stage.dir / file for file in files),
                    n_rows=sum(entries[file]["n_rows"] for file in files),
                    n_bytes=sum(entries[file]["n_bytes"] for file in files),
                )
            )
    return found


def find(found: Sequence[RunTable], name: str) -> RunTable:
    """Return a table by its name, or by ``stage/name``."""
    for table in found:
        if name in (table.name, f"{table.stage}/{table.name}"):
            return table
    known = [table.name for table in found]
    raise InputError(
        f'the run has no table "{name}"{nearest(name, known)}',
        facts={"tables": ", ".join(known) or "none yet"},
        help="`winnow inspect RUN` lists them with their columns",
    )


def label_names(found: Sequence[RunTable]) -> Names | None:
    """Return the ids of the run's labels and the name shown for each, if it has a taxonomy."""
    of_taxonomy = [table for table in found if table.name == "taxonomy"]
    if not of_taxonomy:
        return None
    (taxonomy,) = of_taxonomy
    ids: list[str] = []
    names: list[str] = []
    for path in taxonomy.paths:
        with reading(path):
            rows = pq.read_table(path, columns=["label_id", "names"]).to_pylist()
        ids += [row["label_id"] for row in rows]
        names += [row["names"][0]["name"] if row["names"] else row["label_id"] for row in rows]
    return pa.array(ids, pa.string()), pa.array(names, pa.string())


def check_columns(names: Sequence[str], known: Sequence[str]) -> None:
    """Raise `ConfigError` unless all names are columns."""
    for name in names:
        if name not in known:
            raise ConfigError(
                f'there is no column "{name}"{nearest(name, list(known))}',
                facts={"columns": ", ".join(known)},
            )


def batches(
    table: RunTable, columns: Sequence[str], mask: Mask | None, limit: int | None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows that a mask lets through, `limit` at most, in the order of the files."""
    needed = [n for n in table.schema.names if n in {*columns, *(columns_of(mask) if mask else ())}]
    at_once = BATCH_ROWS if mask is not None or limit is None else min(limit, BATCH_ROWS)
    n_left = limit
    for path in table.paths:
        if n_left == 0:
            return
        for batch in _of_file(path, needed, mask, max(1, at_once)):
            found = batch if mask is None else batch.filter(rows_of(mask, batch))
            found = found.select(list(columns)).slice(0, n_left)
            if n_left is not None:
                n_left -= found.num_rows
            if found.num_rows or not columns:
                yield found
            if n_left == 0:
                return


def count(table: RunTable, mask: Mask | None) -> int:
    """Return how many rows a mask lets through."""
    if mask is None:
        return table.n_rows
    needed = sorted(columns_of(mask))
    return sum(
        rows_of(mask, batch).true_count
        for path in table.paths
        for batch in _of_file(path, needed, mask, BATCH_ROWS)
    )


def _of_file(
    path: Path, columns: Sequence[str], mask: Mask | None, at_once: int
) -> Iterator[pa.RecordBatch]:
    weaker = None if mask is None else for_row_groups(mask)
    with reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        groups = None if weaker is None else _groups(path, weaker)
        yield from file.iter_batches(at_once, groups, list(columns), use_threads=False)


def _groups(path: Path, weaker: Any) -> list[int]:
    fragment = pa.dataset.ParquetFileFormat().make_fragment(str(path), pa.fs.LocalFileSystem())
    return [group.id for group in fragment.subset(weaker).row_groups]


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
