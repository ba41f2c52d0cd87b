"""Parquet files of unknown origin to batches of text columns, read in a separate process.

A Parquet reader is large and written in a memory-unsafe language, and a file can be crafted to
crash it or to fill the memory. So each file is read by a child process with limited memory and
time, which returns text columns. Whatever happens to the child, the parent gets rows or an
`InputError` that names the file. Rows of a damaged row group, and those with a value that is not
text, are bad rows.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from labeling.errors import ConfigError, InputError, StoreError, UnreadableFile, WinnowError
from labeling.objects.object_file import ObjectFile
from labeling.objects.paths import ObjectPath, path_of
from labeling.readers.guard import cause as cause_of
from labeling.readers.table_files.rows import BadRow, MissingColumn, Rows, unreadable

MAX_MEMORY = 3 << 30
"""Bytes of address space of the child; libraries take about half a gigabyte of them."""

MAX_COLUMNS = 10_000
"""Columns of a file, counted without nesting."""

MAX_NAME = 1_000
"""Characters of the name of a column in an error."""

MAX_RATIO = 500
"""Bytes that a byte of the file may unpack to; columns of real tables give a tenth at most."""

FREE_BYTES = 64 << 20
"""Bytes that any file may unpack to."""

MAX_BAD_ROWS = 1_000_000
"""Rows of a file that may be bad."""

_POSITION, _PROBLEM = "\0position", "\0problem"
"""Further columns that the child sends; the second is null for a good row."""

_DAMAGE = (pa.ArrowException, OSError, ValueError, KeyError, OverflowError)
_KINDS = {kind.__name__: kind for kind in (InputError, UnreadableFile, StoreError, ConfigError)}
"""Errors of the child that the parent raises."""

_SECONDS, _BYTES_PER_SECOND = 60, 1 << 20
_DO_NOT_TRUST = "do not trust the file; write it again from its source"
_COMMAND = (sys.executable, "-P", "-m", "labeling.readers.table_files.sandboxed_parquet")


def read_parquet(
    path: Path, columns: Sequence[str], batch_rows: int, batch_bytes: int
) -> Iterator[Rows]:
    """Yield some columns of a Parquet file as text, in batches; one batch at least.

    Parameters
    ----------
    path
        The file.
    columns
        Names of columns that hold texts, numbers or times.
    batch_rows, batch_bytes
        Approximate size of a batch.

    Raises
    ------
    InputError
        For a file of which no row can be read, or that is hostile, lacks a column, or has a nested
        column or one of an extension type in its place.
    """
    request = {
        "path": str(path),
        "columns": list(columns),
        "batch_rows": batch_rows,
        "batch_bytes": batch_bytes,
        "n_bytes": path.stat().st_size,
    }
    with tempfile.TemporaryFile() as errors:
        pipe = subprocess.PIPE
        child = subprocess.Popen(
            _COMMAND, stdin=pipe, stdout=pipe, stderr=errors, env=environment()
        )
        assert child.stdin is not None and child.stdout is not None
        try:
            child.stdin.write(json.dumps(request).encode())
            child.stdin.close()
            yield from _received(child.stdout)
            if child.wait():
                raise _error_of(path, child.returncode, errors)
        finally:
            child.kill()
            child.wait()
            child.stdout.close()


def _received(stream: IO[bytes]) -> Iterator[Rows]:
    """Yield the rows of a stream; its early end shows in the child's exit status."""
    try:
        with pa.ipc.open_stream(stream) as reader:
            for batch in reader:
                yield _rows_of(pa.Table.from_batches([batch]))
    except (pa.ArrowInvalid, OSError):
        return


def _rows_of(sent: pa.Table) -> Rows:
    positions, problem = sent[_POSITION].to_numpy(), sent[_PROBLEM]
    table = sent.drop_columns([_POSITION, _PROBLEM])
    if problem.null_count == len(problem):
        return Rows(table, positions)
    good = pc.is_null(problem)
    bad = zip(positions.tolist(), problem.to_pylist(), strict=True)
    rejected = [BadRow(position, "bad_row", text) for position, text in bad if text is not None]
    return Rows(table.filter(good), positions[np.asarray(good)], rejected)


def environment() -> dict[str, str]:
    """Return an environment in which the child imports the same modules and stays small."""
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    return {**os.environ, **single, **path, "ARROW_DEFAULT_MEMORY_POOL": "system"}


def _error_of(path: Path, status: int, errors: IO[bytes]) -> WinnowError:
    errors.seek(0)
    try:
        answer = json.loads(errors.read())
        if "known" in answer:
            return MissingColumn(path, **answer)
        return _KINDS[answer.pop("kind")](**answer)
    except ValueError:
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else "failed"
        return crashing(path, cause=f"its reader {how}")


def crashing(path: Path, **facts: str) -> UnreadableFile:
    """Return the error for a file that crashes its reader, or exceeds the limits."""
    return UnreadableFile(
        "an input file crashes the reader of Parquet files, or exceeds its limits",
        facts={"file": path, **facts},
        help=_DO_NOT_TRUST,
    )


def _serve() -> int:
    """Answer the request on stdin: write rows to stdout, or an error as JSON to stderr."""
    request = json.load(sys.stdin)
    limit(request["n_bytes"])
    try:
        _send(request, sys.stdout.buffer)
    except WinnowError as error:
        facts = {name: str(value) for name, value in error.facts.items()}
        answer = {
            "message": error.message,
            "facts": facts,
            "help": error.help,
            "kind": type(error).__name__,
        }
        if isinstance(error, MissingColumn):
            answer = {"name": error.name, "known": [name[:MAX_NAME] for name in error.known]}
        sys.stderr.write(json.dumps(answer))
        return 1
    return 0


def limit(n_bytes: int) -> None:
    """Limit the time and the memory of this process to those of a file of so many bytes."""
    seconds = _SECONDS + n_bytes // _BYTES_PER_SECOND
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))


def _send(request: dict[str, Any], stream: IO[bytes]) -> None:
    path, columns = request["path"], request["columns"]
    schema = _schema(columns)
    most = max(FREE_BYTES, MAX_RATIO * request["n_bytes"])
    n_sent = 0
    with pa.ipc.new_stream(stream, schema) as writer:
        # Not from empty lists, for which Arrow would import pandas.
        empty = [pa.nulls(0, field.type) for field in schema]
        writer.write_batch(pa.RecordBatch.from_arrays(empty, schema=schema))
        for batch in read_here(path, columns, request["batch_rows"], request["batch_bytes"]):
            n_sent += batch.nbytes
            if n_sent > most:
                raise InputError(
                    f"an input file unpacks to more than {MAX_RATIO:,} times its size",
                    facts={"file": path, "size": f"{request['n_bytes']:,} bytes"},
                    help=_DO_NOT_TRUST,
                )
            writer.write_batch(batch)


def read_here(
    path: str, columns: Sequence[str], batch_rows: int, batch_bytes: int
) -> Iterator[pa.RecordBatch]:
    """Yield the batches of `read_parquet` in this process, which a hostile file may crash.

    Each has two more columns: the position of the row, and the problem of a bad one.
    """
    pa.set_cpu_count(1)
    try:
        with pa.parquet.ParquetFile(
            readable(path), buffer_size=1 << 20, pre_buffer=False, page_checksum_verification=True
        ) as file:
            _check(file, columns, path)
            n_rows, n_read, n_bad, problem = file.metadata.num_rows, 0, 0, ""
            size = _batch_size(file.metadata, batch_rows, batch_bytes)
            for group in range(file.metadata.num_row_groups):
                for batch in _read_group(file, group, columns, size, n_read):
                    n_read += len(batch)
                    n_bad += len(batch) - batch[_PROBLEM].null_count
                    problem = problem or next(filter(None, batch[_PROBLEM].to_pylist()), "")
                    if n_bad > MAX_BAD_ROWS:
                        raise unreadable(path, problem)
                    yield batch
    except (*_DAMAGE, MemoryError) as error:
        raise unreadable(path, cause_of(error)) from error
    if n_read != n_rows:
        raise unreadable(path, f"its footer declares {n_rows:,} rows, it contains {n_read:,}")
    if n_bad and n_bad == n_read:
        raise unreadable(path, problem)


def readable(path: str) -> str | ObjectFile:
    """Return what Arrow reads a file from: its path, or an open object."""
    located = path_of(path)
    return ObjectFile(path, located.facts) if isinstance(located, ObjectPath) else path


def _read_group(
    file: pa.parquet.ParquetFile, group: int, columns: Sequence[str], size: int, start: int
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a row group; those that cannot be read as bad ones."""
    n_rows, n_read = file.metadata.row_group(group).num_rows, 0
    batches = file.iter_batches(size, row_groups=[group], columns=list(columns), use_threads=False)
    try:
        for batch in batches:
            yield _as_texts(batch, columns, start + n_read)
            n_read += len(batch)
    except MemoryError:  # also an `ArrowException`
        raise
    except _DAMAGE as error:
        for first in range(n_read, n_rows, size):
            n = min(size, n_rows - first)
            problems = pa.repeat(pa.scalar(cause_of(error)), n)
            texts = [pa.nulls(n, pa.string()) for _ in columns]
            yield _sent(texts, columns, start + first, problems)


def _as_texts(batch: pa.RecordBatch, columns: Sequence[str], start: int) -> pa.RecordBatch:
    """Return columns as text with their positions, and the problem of each row that is not text."""
    problems = pa.nulls(len(batch), pa.string())
    try:
        texts = [_as_text(batch.column(name)) for name in columns]
    except _DAMAGE as error:
        if isinstance(error, MemoryError):
            raise
        texts, problems = _row_by_row(batch, columns)
    return _sent(texts, columns, start, problems)


def _row_by_row(batch: pa.RecordBatch, columns: Sequence[str]) -> tuple[list[pa.Array], pa.Array]:
    problems: list[str | None] = [None] * len(batch)
    texts = []
    for name in columns:
        values: list[str | None] = []
        for row in range(len(batch)):
            try:
                values += _as_text(batch.column(name).slice(row, 1)).to_pylist()
            except _DAMAGE as error:
                values.append(None)
                problems[row] = f"{name}: {cause_of(error)}"
        texts.append(pa.array(values, pa.string()))
    return texts, pa.array(problems, pa.string())


def _sent(
    texts: list[pa.Array], columns: Sequence[str], start: int, problems: pa.Array
) -> pa.RecordBatch:
    positions = pa.array(np.arange(start, start + len(problems)))
    return pa.RecordBatch.from_arrays([*texts, positions, problems], schema=_schema(columns))


def _schema(columns: Sequence[str]) -> pa.Schema:
    texts = [(name, pa.string()) for name in columns]
    return pa.schema([*texts, (_POSITION, pa.int64()), (_PROBLEM, pa.string())])


def _check(file: pa.parquet.ParquetFile, columns: Sequence[str], path: str) -> None:
    """Raise unless the file has each column once, of a type that can be text."""
    if file.metadata.num_columns > MAX_COLUMNS:
        raise InputError(
            "an input file has too many columns",
            facts={"file": path, "columns": file.metadata.num_columns, "most": MAX_COLUMNS},
            help="write the file again with the columns that `columns` names",
        )
    schema = file.schema_arrow
    wrong = {}
    for name in dict.fromkeys(columns):
        indices = schema.get_all_field_indices(name)
        if not indices:
            raise MissingColumn(path, name, schema.names)
        types = " and ".join(str(schema.field(index).type)[:200] for index in indices)
        if len(indices) > 1 or not _is_plain(schema.field(indices[0])):
            wrong[f"column {name!r}"] = f"expected text, a number or a time, found {types}"
    if wrong:
        raise InputError(
            "columns of an input file are not text, a number or a time",
            facts={"file": path, **wrong},
            help="name other columns, or write the file again with plain ones",
        )


def _is_plain(field: pa.Field) -> bool:
    dtype = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if isinstance(dtype, pa.BaseExtensionType) or b"ARROW:extension:name" in (field.metadata or {}):
        return False
    return not pa.types.is_nested(dtype)


def _batch_size(metadata: pa.parquet.FileMetaData, batch_rows: int, batch_bytes: int) -> int:
    """Return the number of rows of a batch, by the size of rows that the footer declares."""
    groups = range(metadata.num_row_groups)
    n_bytes = sum(metadata.row_group(group).total_byte_size for group in groups)
    of_row: int = max(1, n_bytes // max(1, metadata.num_rows))
    return max(1, min(batch_rows, batch_bytes // of_row))


def _as_text(column: pa.Array) -> pa.Array:
    column.validate(full=True)
    if pa.types.is_floating(column.type):  # pandas writes a missing number as NaN
        column = pc.if_else(pc.is_nan(column), None, column)
    text = column.cast(pa.string())
    text.validate(full=True)
    return text


if __name__ == "__main__":
    sys.exit(_serve())
