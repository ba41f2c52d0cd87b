"""Matchers of a run: compiled once, known by what they are compiled from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from labeling import usage
from labeling.matcher_cache import cached_matcher
from labeling.matching import Matcher
from labeling.names import NO_USAGE
from labeling.taxonomies import TaxonomyFiles
from pipelines.extract import taxonomy_at
from pipelines.once import Once


@dataclass(frozen=True)
class MatcherFiles:
    """What a matcher is compiled from: a taxonomy, and how names are used once that is known.

    `work_dir` keeps the matcher in its folder ``matchers``, and the usage in ``usage``.
    """

    taxonomy: TaxonomyFiles
    work_dir: Path
    is_used: bool


@Once
def matcher_at(files: MatcherFiles) -> Matcher:
    """Return the matcher of some files, compiled by the first process that asks."""
    used = NO_USAGE
    if files.is_used:
        tables = {
            name: pq.read_table(files.work_dir / "usage" / f"{name}-00000-of-00001.parquet")
            for name in ("phrases", "senses")
        }
        used = usage.from_tables(tables)
    return cached_matcher(taxonomy_at(files.taxonomy), files.work_dir / "matchers", used)
