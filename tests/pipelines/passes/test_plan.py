from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labeling.taxonomy.published import TaxonomyFiles
from pipelines.passes import name_statistics
from pipelines.workers.matchers import MatcherFiles

LABELS = [
    {"id": "colour"},
    *({"id": c, "names": [c], "parents": ["colour"]} for c in ("red", "blue", "black")),
    {"id": "shoe", "names": ["shoes"]},
]


@pytest.mark.parametrize("n_buckets", [1, 3])
def test_usage_is_judged_by_all_buckets_together(tmp_path: Path, n_buckets: int) -> None:
    path = tmp_path / "taxonomy.jsonl"
    path.write_text("\n".join(json.dumps(label) for label in LABELS))
    files = MatcherFiles(TaxonomyFiles(path), tmp_path, has_statistics=False)
    texts = [f"Red Tape {colour} shoes, {n}" for n in range(4) for colour in ("blue", "black")]
    texts += [f"blue shoes, {n}" for n in range(60)]
    counting = name_statistics.make_pass(files, 100)
    folder = tmp_path / "name_statistics"
    folder.mkdir()
    for bucket in range(n_buckets):
        rows = pa.table({"key": texts[bucket::n_buckets], "text": texts[bucket::n_buckets]})
        for name, table in counting.reduce({"texts": rows}).items():
            pq.write_table(table, folder / f"{name}-{bucket}-of-{n_buckets}.parquet")
    assert counting.conclude is not None
    counting.conclude(folder)
    (phrases,) = folder.glob("phrases-*")
    assert pq.read_table(phrases).to_pylist() == [
        {"phrase": "red tape", "reason": "fixed_phrase", "name": "red"}
    ]
    (senses,) = folder.glob("senses-*")
    blue = 64 + 1 + (8 + 64 + 4) / 4
    assert pq.read_table(senses)["weight"].to_pylist()[1] == pytest.approx(blue)
