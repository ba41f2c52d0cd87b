from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from labeling.errors import InputError
from labeling.keys import ids
from labeling.readers import graphs
from labeling.readers.graphs import read_graph

VERTICES = "0\torg.example\n1\tcom.shop.www\n7\thttps://a.org/x\n"


def read(folder: Path, vertices: str, edges: str) -> list[dict[str, object]]:
    (folder / "v.txt.gz").write_bytes(gzip.compress(vertices.encode()))
    (folder / "e.txt").write_text(edges, encoding="utf-8")
    parts = [rows for _, rows in read_graph(folder / "v.txt.gz", folder / "e.txt")]
    rows: list[dict[str, object]] = pa.concat_tables(parts).to_pylist()
    return rows


def test_edges_become_links_between_home_pages(tmp_path: Path) -> None:
    first, second = read(tmp_path, VERTICES, "0\t1\n7\t0\n")
    assert first == {
        "src_page": ids.digest("https://example.org/"),
        "dst_page": ids.digest("https://www.shop.com/"),
        "src_host": "example.org",
        "anchor": None,
        "rel": None,
        "nav": False,
    }
    assert (second["src_page"], second["src_host"]) == (ids.digest("https://a.org/x"), "a.org")


def test_the_size_of_blocks_does_not_change_the_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edges = "".join(f"{(0, 1, 7)[n % 3]}\t{(1, 7)[n % 2]}\n" for n in range(200))
    whole = read(tmp_path, VERTICES, edges)
    monkeypatch.setattr(graphs, "BLOCK_BYTES", 50)
    assert read(tmp_path, VERTICES, edges) == whole
    assert len(whole) == 200


@pytest.mark.parametrize(
    ("vertices", "edges", "expected"),
    [
        (VERTICES, "0\t2\n", "first: 2"),
        (VERTICES, "0\n", "cannot be read"),
        (VERTICES, "a\tb\n", "cannot be read"),
        ("x\ty\n", "0\t1\n", "cannot be read"),
        ("", "0\t1\n", "cannot be read"),
    ],
)
def test_bad_graphs_are_refused(tmp_path: Path, vertices: str, edges: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        read(tmp_path, vertices, edges)
