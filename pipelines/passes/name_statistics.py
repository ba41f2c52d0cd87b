"""The pass by text: statistics of how a sample of the texts uses the names of labels."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.runs.table_files import read_table, write_table
from labeling.keys import ids
from labeling.matching import name_statistics
from pipelines.passes.labeling_pass import Pass
from pipelines.passes.tables import in_sample
from pipelines.shuffle.engine import Split, Tables
from pipelines.workers.matchers import MatcherFiles, matcher_at
from pipelines.workers.taxonomies import taxonomy_at

_OUTPUTS = {
    "names": name_statistics.NAMES,
    "pairs": name_statistics.PAIRS,
    "words": name_statistics.WORDS,
}


def make_pass(files: MatcherFiles, n_signals: int) -> Pass:
    """Return the pass over a sample of so many signals; `files` have no statistics yet."""
    share = min(1.0, name_statistics.SAMPLE / max(n_signals, 1))
    return Pass(
        "name_statistics",
        inputs=("signals",),
        read=functools.partial(_read, share),
        keys={"texts": "key"},
        reduce=functools.partial(_reduce, files),
        outputs=_OUTPUTS,
        conclude=functools.partial(_conclude, files),
    )


def _read(share: float, split: Split) -> Iterator[tuple[str, pa.Table]]:
    """Yield the distinct texts of a share of the images, without those cut out of longer ones."""
    rows = pq.read_table(*split.arguments, columns=["image_id", "source", "text"])
    whole = pc.not_equal(rows["source"], "surrounding")
    texts = rows["text"].filter(pc.and_(whole, in_sample(rows["image_id"], share)))
    texts = texts.unique()
    yield "texts", pa.table({"key": ids.digests(texts), "text": texts})


def _reduce(files: MatcherFiles, tables: Tables) -> Tables:
    """Count how names are used in the texts of a bucket."""
    matcher = matcher_at(files)
    texts = tables["texts"]["text"].combine_chunks()
    return name_statistics.count_names(texts, matcher)._asdict()


def _conclude(files: MatcherFiles, directory: Path) -> None:
    """Add up the counts of all buckets, and write what follows for each name."""
    counts = name_statistics.NameCounts(*(read_table(directory, name) for name in _OUTPUTS))
    taxonomy = taxonomy_at(files.taxonomy)
    fitted = name_statistics.fit_statistics(counts, matcher_at(files), taxonomy)
    for name, table in name_statistics.to_tables(fitted).items():
        write_table(table, directory, name)
