"""Number of rows of Parquet files of unknown origin, from footers read in a separate process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from labeling.errors import WinnowError
from labeling.readers.table_files.rows import unreadable
from labeling.readers.table_files.sandboxed_parquet import crashing, environment, limit, readable

_COMMAND = (sys.executable, "-P", "-m", "labeling.readers.table_files.parquet_footers")


def rows_of(paths: Sequence[Path]) -> list[int]:
    """Return the number of rows that the footer of each Parquet file declares.

    One process reads them all, so that thousands take about a second; see
    `labeling.readers.table_files.sandboxed_parquet` for why.

    Raises
    ------
    InputError
        With the first file whose footer cannot be read, or crashes its reader.
    """
    if not paths:
        return []
    request = json.dumps([str(path) for path in paths])
    done = subprocess.run(
        _COMMAND, input=request, capture_output=True, text=True, env=environment()
    )
    answers = [
        json.loads(line) for line in done.stdout.splitlines(keepends=True) if line[-1:] == "\n"
    ]
    for path, answer in zip(paths, answers, strict=False):
        if isinstance(answer, str):
            raise unreadable(path, answer)
    if len(answers) < len(paths):
        raise crashing(paths[len(answers)])
    return answers


def _serve() -> None:
    """Write a line for each path on stdin: its number of rows, or the error."""
    paths = json.load(sys.stdin)
    limit(len(paths) << 20)
    for path in paths:
        try:
            answer: int | str = pa.parquet.read_metadata(readable(path)).num_rows
        except (pa.ArrowException, OSError, ValueError, MemoryError, WinnowError) as error:
            answer = f"{type(error).__name__}: {error}"[:500]
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
