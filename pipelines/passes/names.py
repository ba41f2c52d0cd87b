"""The pass by text: how names are used in a sample of the texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.runs.table_files import read_table, write_table
from labeling.keys import ids
from labeling.matching import name_statistics
from pipelines.passes.inputs import taxonomy_at
from pipelines.passes.matchers import MatcherFiles, matcher_at
from pipelines.shuffle.engine import Split, Tables

USAGE_OUTPUTS = {
    "names": name_statistics.NAMES,
    "pairs": name_statistics.PAIRS,
    "words": name_statistics.WORDS,
}


@dataclass(frozen=True)
class ReadForUsage:
    """Read the texts of a share of the images, those that were written as a whole."""

    share: float

    def __call__(self, split: Split) -> Iterator[tuple[str, pa.Table]]:
        """Yield distinct texts."""
        rows = pq.read_table(*split.arguments, columns=["image_id", "source", "text"])
        drawn = ids.to_halves(rows["image_id"])[:, 1] <= np.uint64(self.share * (2**64 - 2**11))
        whole = pc.not_equal(rows["source"], "surrounding")
        texts = rows["text"].filter(pc.and_(whole, pa.array(drawn))).unique()
        keys = ids.digests(texts)
        yield "texts", pa.table({"key": keys, "text": texts})


@dataclass(frozen=True)
class CountUsage:
    """Count how names are used in the texts of a bucket."""

    files: MatcherFiles

    def __call__(self, tables: Tables) -> Tables:
        """Return ``names``, ``pairs`` and ``words``."""
        matcher = matcher_at(self.files)
        return name_statistics.count(tables["texts"]["text"].combine_chunks(), matcher)._asdict()


def judge_usage(files: MatcherFiles, directory: Path) -> None:
    """Add up what the buckets counted, and write what follows into the same folder."""
    counted = [read_table(directory, name) for name in USAGE_OUTPUTS]
    taxonomy = taxonomy_at(files.taxonomy)
    used = name_statistics.add([name_statistics.Used(*counted)])
    found = name_statistics.judge(used, matcher_at(files), taxonomy)
    for name, table in name_statistics.to_tables(found).items():
        write_table(table, directory, name)
