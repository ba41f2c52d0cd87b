"""The pass by image: all evidence of an image, with the feedback, becomes its candidates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from labeling import candidates, evidence, feedback
from labeling.taxonomies import TaxonomyFiles
from pipelines.engine import Split, Tables
from pipelines.extract import taxonomy_at
from pipelines.passes.images import LINK_OUTPUTS
from pipelines.passes.matchers import MatcherFiles, matcher_at
from pipelines.passes.tables import tables_of

SPOKEN_COLUMNS = [name for name in evidence.SPOKEN.names if name != "page_id"]
"""What the merge needs of a page is its host."""


@dataclass(frozen=True)
class ReadForMerge:
    """Read what is known about images: mentions, linked evidence, coverage, feedback."""

    files: MatcherFiles

    def __call__(self, split: Split) -> Iterator[tuple[str, pa.Table]]:
        """Yield mentions, evidence, coverage and statements, by image."""
        if split.kind == "mentions":
            yield "mentions", pq.read_table(*split.arguments, columns=SPOKEN_COLUMNS)
            return
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
            "mentions": evidence.SPOKEN,
            "statements": feedback.STATEMENTS,
            **LINK_OUTPUTS,
        }
        table_of = tables_of(tables, schemas)
        voted = feedback.evidence(table_of["statements"], np.array(self.click_rates))
        merged = candidates.merge(
            table_of["mentions"],
            pa.concat_tables([table_of["evidence"], voted]),
            table_of["coverage"],
            taxonomy_at(self.taxonomy_files),
            self.support_only,
        )
        return {"candidates": merged}
