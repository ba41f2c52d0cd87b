"""The inputs that a configuration names, sized without reading them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labeling.errors import InputError
from labeling.readers import parquet_footers
from pipelines.passes.label import rows_taken
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
    base = Path(config.base)
    files: dict[tuple[str, str], list[Path]] = {}
    for split in splits:
        number, named = split.arguments
        if split.kind == "site":
            path = config.site[number].path
            root = base / path
            found = [root] if root.is_file() else [root / page for page in named]
        else:
            entry = getattr(config, split.kind)[number]
            path = entry.edges if split.kind == "graph" else entry.path
            found = [base / named]
        files.setdefault((split.kind, path), []).extend(found)
    for graph in config.graph:
        files["graph", graph.edges].append(base / graph.vertices)
    parquet = sorted({p for paths in files.values() for p in paths if p.suffix == ".parquet"})
    counted = dict(zip(parquet, parquet_footers.rows_of(parquet), strict=True))
    made = [_source(kind, path, found, counted) for (kind, path), found in files.items()]
    return [*made, _taxonomy(config)]


def _source(kind: str, path: str, files: list[Path], counted: dict[Path, int]) -> Source:
    distinct = dict.fromkeys(files)
    n_rows = sum(counted[p] if p in counted else rows_taken(p) for p in distinct)
    n_bytes = sum(p.stat().st_size for p in distinct)
    return Source(kind, path, len(distinct), n_bytes, n_rows, all(p in counted for p in distinct))


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
