"""The inputs that a configuration names, sized without reading them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labeling.errors import InputError
from labeling.readers import parquet_footers
from pipelines.passes.splits import input_of, input_paths
from pipelines.run.config import Config
from pipelines.run.dependencies import taxonomy_files
from pipelines.shuffle.engine import Split


@dataclass(frozen=True)
class Source:
    """One input: its kind, path, files, bytes, and rows; whether these are counted or guessed."""

    kind: str
    path: str
    n_files: int
    n_bytes: int
    n_rows: int
    is_exact: bool


def sources(config: Config, splits: Sequence[Split]) -> list[Source]:
    """Return the inputs in the order of the configuration, the taxonomy last.

    Rows are those of the footers for Parquet files, and else guessed by size, as for the buckets.

    Raises
    ------
    InputError
        If a file is missing, or the footer of one cannot be read.
    """
    of_input: dict[tuple[str, str], list[Split]] = {}
    for split in splits:
        path = input_of(config, split)[0].path_names[0]
        of_input.setdefault((split.kind, path), []).append(split)
    files = {key: input_paths(config, some) for key, some in of_input.items()}
    parquet = sorted({p for rows in files.values() for p in rows if p.suffix == ".parquet"})
    counted = dict(zip(parquet, parquet_footers.rows_of(parquet), strict=True))
    made = [_source(kind, path, rows, counted) for (kind, path), rows in files.items()]
    return [*made, _taxonomy(config)]


def _source(kind: str, path: str, guessed: dict[Path, int], counted: dict[Path, int]) -> Source:
    n_rows = sum(counted.get(file, n) for file, n in guessed.items())
    n_bytes = sum(file.stat().st_size for file in guessed)
    return Source(kind, path, len(guessed), n_bytes, n_rows, counted.keys() >= guessed.keys())


def _taxonomy(config: Config) -> Source:
    named = taxonomy_files(config)
    for path in named.paths:
        if not path.is_file():
            raise InputError(
                "an input is missing",
                facts={"path": path},
                help="correct the path in the configuration; paths start from `base`",
            )
    n_bytes = sum(path.stat().st_size for path in named.paths)
    return Source("taxonomy", config.taxonomy.path, len(named.paths), n_bytes, 0, True)
