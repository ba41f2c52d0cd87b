"""Matchers of a run: compiled once, known by what they are compiled from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labeling.matching import name_statistics
from labeling.matching.cache import cached_matcher
from labeling.matching.matcher import Matcher
from labeling.matching.surface_forms import NO_USAGE
from labeling.taxonomy.published import TaxonomyFiles, pinned
from pipelines.passes.cached import Once
from pipelines.passes.inputs import taxonomy_at
from pipelines.passes.tables import Contents, contents_in

_MATCHERS: Once[Matcher] = Once()


@dataclass(frozen=True)
class MatcherFiles:
    """What a matcher is compiled from: a taxonomy, and how names are used once that is known.

    `work_dir` keeps the matcher in its folder ``matchers``, and the usage in ``usage``.
    """

    taxonomy: TaxonomyFiles
    work_dir: Path
    is_used: bool


def matcher_at(files: MatcherFiles) -> Matcher:
    """Return the matcher of some files, compiled by the first process that asks."""
    taxonomy = pinned(files.taxonomy)
    used = contents_in(files.work_dir / "usage", ("phrases", "senses") if files.is_used else ())
    # The folder is part of the key: a matcher is mapped from its file there, which goes with it.
    key = (taxonomy, used.sha256, files.work_dir)
    return _MATCHERS.get(key, lambda: _matcher(taxonomy, used, files.work_dir / "matchers"))


def _matcher(taxonomy: TaxonomyFiles, used: Contents, directory: Path) -> Matcher:
    how = name_statistics.from_tables(used.tables()) if used.files else NO_USAGE
    return cached_matcher(taxonomy_at(taxonomy), directory, how)
