"""The matchers of a run, compiled once in each process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from labeling.matching import name_statistics
from labeling.matching.cache import cached_matcher
from labeling.matching.matcher import Matcher
from labeling.matching.surface_forms import NO_STATISTICS
from labeling.taxonomy.published import TaxonomyFiles, pinned
from pipelines.workers.cached import Cache
from pipelines.workers.taxonomies import taxonomy_at

_MATCHERS: Cache[Matcher] = Cache()


@dataclass(frozen=True)
class MatcherFiles:
    """The files that a matcher is compiled from.

    They are those of the taxonomy and, with `has_statistics`, those that the pass
    `pipelines.passes.name_statistics` writes in `work_dir`. Compiled matchers are kept in its
    folder ``matchers``.
    """

    taxonomy: TaxonomyFiles
    work_dir: Path
    has_statistics: bool


def matcher_at(files: MatcherFiles) -> Matcher:
    """Return the matcher of some files, compiled by the first process that asks."""
    taxonomy = pinned(files.taxonomy)

    def compiled(tables: dict[str, pa.Table]) -> Matcher:
        statistics = name_statistics.from_tables(tables) if tables else NO_STATISTICS
        return cached_matcher(taxonomy_at(taxonomy), files.work_dir / "matchers", statistics)

    directory = files.work_dir / "name_statistics"
    names = ("phrases", "senses") if files.has_statistics else ()
    # The folder is part of the key: a matcher is mapped from its file there, which goes with it.
    return _MATCHERS.of_tables(directory, names, compiled, taxonomy, files.work_dir)
