from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.passes import splits
from pipelines.passes.splits import splits_for


def test_very_many_files_are_read_some_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / f"{n}.parquet" for n in range(10)]
    for n, path in enumerate(paths):
        pq.write_table(pa.table({"n": [n] * 10}), path)
    names = [str(path) for path in paths]
    files = {"a": names[:6], "b": names[6:]}
    assert len(splits_for(files)) == 10
    monkeypatch.setattr(splits, "MAX_SPLITS", 4)
    made = splits_for(files)
    assert [split.kind for split in made] == ["united"] * 5
    alone = [part for split in made for part in split.arguments]
    assert [(part.kind, *part.arguments) for part in alone] == [
        (kind, name) for kind, of_kind in files.items() for name in of_kind
    ]
    assert len({split.split_id for split in made}) == 5
