"""Rows of Parquet files of unknown origin, from their footers, read in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from labeling.errors import InputError
from labeling.readers.sandboxed_parquet import environment, limit

_COMMAND = (sys.executable, "-P", "-m", "labeling.readers.parquet_footers")


def rows_of(paths: Sequence[Path]) -> list[int]:
    """Return how many rows each of some Parquet files promises.

    One process reads them all, so that thousands take about a second; see
    `labeling.readers.sandboxed_parquet` for why.

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
            raise InputError("an input file cannot be read", facts={"file": path, "cause": answer})
    if len(answers) < len(paths):
        raise InputError(
            "an input file crashes the reader of Parquet files, or asks too much of it",
            facts={"file": paths[len(answers)]},
            help="do not trust the file; write it anew from its source",
        )
    return answers


def _serve() -> None:
    """Answer for each path on stdin with a line: its rows, or why they cannot be told."""
    paths = json.load(sys.stdin)
    limit(len(paths) << 20)
    for path in paths:
        try:
            answer: int | str = pa.parquet.read_metadata(path).num_rows
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            answer = f"{type(error).__name__}: {error}"[:500]
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
