from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from labeling.errors import InputError
from labeling.keys import ids
from labeling.readers.image_files import Locator
from labeling.schemas import LINKS, REJECTS
from pipelines.inputs.graphs import GraphInput
from pipelines.inputs.input import ReadContext
from pipelines.run.config import read_config
from tests.pipelines.runfolders import only_signals


def zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd"))


@pytest.mark.parametrize(
    ("ending", "pack"),
    [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress), ("zst", zstd)],
)
def test_a_graph_may_be_packed_in_any_way(
    tmp_path: Path, ending: str, pack: Callable[[bytes], bytes]
) -> None:
    (tmp_path / f"v.{ending}").write_bytes(pack(b"0\torg.a\n1\torg.b\n"))
    (tmp_path / f"e.{ending}").write_bytes(pack(b"0\t1\n"))
    entry = GraphInput(vertices=f"v.{ending}", edges=f"e.{ending}")
    files = entry.files(tmp_path)
    context = ReadContext(tmp_path, Locator(tmp_path, []), None, tuple)
    assert sum(len(rows) for name, rows in entry.read(files, context) if name == "links") == 1


def test_a_host_graph_becomes_links(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image,text\nhttps://b.org/x.jpg,an apple\n")
    (tmp_path / "t.jsonl").write_text('{"id": "apple", "names": ["apple"]}\n')
    (tmp_path / "vertices.txt.gz").write_bytes(gzip.compress(b"0\torg.a\n1\torg.b\n"))
    (tmp_path / "edges.txt.gz").write_bytes(gzip.compress(b"0\t1\n"))
    config = tmp_path / "run.toml"
    config.write_text(
        '[taxonomy]\npath = "t.jsonl"\n[[signals]]\npath = "t.csv"\n'
        '[[graph]]\nvertices = "vertices.txt.gz"\nedges = "edges.txt.gz"\n'
    )
    (link,) = only_signals(read_config(config), tmp_path / "run").table(LINKS).to_pylist()
    assert link["dst_page"] == ids.digest("https://b.org/")
    assert link["src_host"] == "a.org"
    (tmp_path / "vertices.txt.gz").unlink()
    with pytest.raises(InputError, match="missing"):
        only_signals(read_config(config), tmp_path / "run")


def test_vertices_are_rejected_once_for_all_files_of_edges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.jsonl").write_text('{"id": "apple", "names": ["apple"]}\n')
    (tmp_path / "v.txt").write_text("0\torg.a\n1\torg.b\n1\torg.c\n")
    (tmp_path / "e").mkdir()
    for name in "abc":
        (tmp_path / "e" / f"{name}.txt").write_text("0\t1\n")
    graph = '[[graph]]\nvertices = "v.txt"\nedges = "e"\n'
    config = tmp_path / "run.toml"
    config.write_text(
        f'[taxonomy]\npath = "t.jsonl"\n{graph}{graph}[label]\nmax_reject_share = 1.0\n'
    )
    signals = only_signals(read_config(config), tmp_path / "run")
    assert len(signals.table(LINKS)) == 3
    rejects = signals.table(REJECTS).to_pylist()
    assert [(row["where"], row["reason"]) for row in rejects] == [("v.txt:3", "duplicate_vertex")]
    # Each split would list all files again.
    entry = GraphInput(vertices="v.txt", edges="e")
    monkeypatch.setattr(GraphInput, "files", None)
    context = ReadContext(tmp_path, Locator(tmp_path, []), None, tuple, is_first=False)
    tables = [*entry.read(["e/b.txt"], context)]
    assert all(len(rows) == 0 for name, rows in tables if name == "rejects")
