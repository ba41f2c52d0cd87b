"""The pass by image: all evidence of an image, with the feedback, becomes its candidates."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from labeling.evidence import candidates, evidence
from labeling.feedback import debias, feedback
from labeling.schemas import CANDIDATES
from labeling.taxonomy.published import TaxonomyFiles
from pipelines.passes.labeling_pass import Pass
from pipelines.passes.links import EVIDENCE
from pipelines.passes.tables import tables_of
from pipelines.passes.votes import feedback_model_in
from pipelines.shuffle.engine import Split, Tables
from pipelines.workers.taxonomies import taxonomy_at

ROWS_AT_ONCE = 100_000
"""Mentions that are read at a time: their files may have any number of rows."""

_READ = {"mentions": evidence.PAGE_MENTIONS, "interactions": feedback.INTERACTIONS, **EVIDENCE}

_MENTION_COLUMNS = [name for name in evidence.PAGE_MENTIONS.names if name != "page_id"]
"""Of the page only its host is needed."""


def make_pass(
    files: TaxonomyFiles, votes_dir: Path, support_only: tuple[str, ...], has_feedback: bool
) -> Pass:
    """Return the pass; `votes_dir` is the output of `pipelines.passes.votes`."""
    feedback_inputs = ("interactions",) if has_feedback else ()
    return Pass(
        "merge",
        inputs=("signals", "mentions", "evidence", "coverage", *feedback_inputs),
        read=_read,
        keys=dict.fromkeys(_READ, "image_id"),
        reduce=functools.partial(_reduce, files, votes_dir, support_only),
        outputs={"candidates": CANDIDATES.arrow},
        growth=8,
    )


def _read(split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Yield mentions, evidence, coverage and interactions of users, by image."""
    if split.kind == "mentions":
        with pq.ParquetFile(*split.arguments, pre_buffer=False) as file:
            batches = file.iter_batches(ROWS_AT_ONCE, columns=_MENTION_COLUMNS, use_threads=False)
            yield from (("mentions", pa.Table.from_batches([batch])) for batch in batches)
        return
    rows = pq.read_table(*split.arguments)
    if split.kind == "signals":
        yield "coverage", evidence.coverage(rows)
    else:
        yield split.kind, rows


def _reduce(
    files: TaxonomyFiles, votes_dir: Path, support_only: tuple[str, ...], tables: Tables
) -> Tables:
    """Merge all evidence of the images of a bucket into their candidates."""
    table_of = tables_of(tables, _READ)
    voted = debias.evidence(table_of["interactions"], feedback_model_in(votes_dir))
    merged = candidates.merge(
        table_of["mentions"],
        pa.concat_tables([table_of["evidence"], voted]),
        table_of["coverage"],
        taxonomy_at(files),
        support_only,
    )
    return {"candidates": merged}
