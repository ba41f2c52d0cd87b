"""Blocks of rows in the order of images."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.browsing.blocks import ROW, Blocks, write_blocks


def write(folder: Path, *parts: list[str]) -> Blocks:
    """Write a file for each part, with a row for each image."""
    paths, n = [], 0
    for number, ids in enumerate(parts):
        path = folder / f"texts-{number}.parquet"
        texts = [f"text {i}" for i in range(n, n + len(ids))]
        pq.write_table(pa.table({"image_id": pa.array(ids, pa.string()), "text": texts}), path)
        n += len(ids)
        paths.append(path)
    write_blocks(folder / "texts.arrow", paths, ["text"])
    return Blocks(folder / "texts.arrow")


def test_each_image_has_its_rows_also_over_the_ends_of_blocks_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.browsing.blocks.ROWS", 4)
    ids = [f"{i:032x}" for i in range(12) for _ in range(i % 6)]
    blocks = write(tmp_path, ids[:7], [], ids[7:])
    for i in range(14):
        expected = [row for row, image_id in enumerate(ids) if image_id == f"{i:032x}"]
        rows = blocks.rows_of(f"{i:032x}")
        assert rows[ROW].to_pylist() == expected
        assert rows["text"].to_pylist() == [f"text {row}" for row in expected]


def test_a_table_without_rows_has_no_image(tmp_path: Path) -> None:
    assert len(write(tmp_path, []).rows_of("0" * 32)) == 0
