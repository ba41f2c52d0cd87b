"""The pass by image: all evidence of an image, with the feedback, becomes its candidates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from labeling import evidence, feedback, links
from labeling.taxonomies import TaxonomyFiles
from pipelines.engine import Split, Tables
from pipelines.extract import taxonomy_at
from pipelines.passes.images import LINK_OUTPUTS
from pipelines.passes.matchers import MatcherFiles, matcher_at
from pipelines.passes.tables import tables_of


@dataclass(frozen=True)
class ReadForMerge:
    """Read what is known about images: mentions, linked evidence, coverage, feedback."""

    files: MatcherFiles

    def __call__(self, split: Split) -> Iterator[tuple[str, pa.Table]]:
        """Yield mentions, evidence, coverage and statements, by image."""
        rows = pq.read_table(*split.arguments)
        if split.kind == "signals":
            yield "coverage", evidence.coverage(rows)
        elif split.kind == "feedback":
            taxonomy = taxonomy_at(self.files.taxonomy)
            said = feedback.statements(rows, matcher_at(self.files), taxonomy)
            yield "statements", said
        else:
            yield split.kind, rows


@dataclass(frozen=True)
class Merge:
    """Merge all evidence of the images of a bucket into their candidates."""

    taxonomy_files: TaxonomyFiles
    click_rates: tuple[float, ...]
    support_only: tuple[str, ...]

    def __call__(self, tables: Tables) -> Tables:
        """Return ``candidates``."""
        schemas = {
            "mentions": evidence.MENTIONS,
            "statements": feedback.STATEMENTS,
            **LINK_OUTPUTS,
        }
        table_of = tables_of(tables, schemas)
        rates = np.array(self.click_rates)
        rows = [
            evidence.from_mentions(table_of["mentions"]),
            links.unite(table_of["evidence"]),
            feedback.evidence(table_of["statements"], rates),
        ]
        taxonomy = taxonomy_at(self.taxonomy_files)
        merged = evidence.merge(
            pa.concat_tables(rows), table_of["coverage"], taxonomy, self.support_only
        )
        return {"candidates": merged}
