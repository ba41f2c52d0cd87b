"""The pass by image: all evidence of an image, with the feedback, becomes its candidates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from labeling.evidence import candidates, evidence
from labeling.feedback import debias, feedback
from labeling.taxonomy.published import TaxonomyFiles
from pipelines.passes.feedback import trust_at
from pipelines.passes.inputs import taxonomy_at
from pipelines.passes.links import LINK_OUTPUTS
from pipelines.passes.tables import tables_of
from pipelines.shuffle.engine import Split, Tables

SPOKEN_COLUMNS = [name for name in evidence.SPOKEN.names if name != "page_id"]
"""What the merge needs of a page is its host."""

ROWS_AT_ONCE = 100_000
"""Mentions that are read at a time: their files may have any number of rows."""


def read_for_merge(split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Yield mentions, evidence, coverage and what users said, by image."""
    if split.kind == "mentions":
        with pq.ParquetFile(*split.arguments, pre_buffer=False) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=SPOKEN_COLUMNS, use_threads=False):
                yield "mentions", pa.Table.from_batches([batch])
        return
    rows = pq.read_table(*split.arguments)
    if split.kind == "signals":
        yield "coverage", evidence.coverage(rows)
    else:
        yield split.kind, rows


@dataclass(frozen=True)
class Merge:
    """Merge all evidence of the images of a bucket into their candidates.

    `trust_dir` is where `pipelines.passes.feedback.fit_trust` wrote; it is absent without feedback.
    """

    taxonomy_files: TaxonomyFiles
    trust_dir: Path
    support_only: tuple[str, ...]

    def __call__(self, tables: Tables) -> Tables:
        """Return ``candidates``."""
        schemas = {
            "mentions": evidence.SPOKEN,
            "said": feedback.INTERACTIONS,
            **LINK_OUTPUTS,
        }
        table_of = tables_of(tables, schemas)
        voted = debias.evidence(table_of["said"], trust_at(self.trust_dir))
        merged = candidates.merge(
            table_of["mentions"],
            pa.concat_tables([table_of["evidence"], voted]),
            table_of["coverage"],
            taxonomy_at(self.taxonomy_files),
            self.support_only,
        )
        return {"candidates": merged}
