from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from labeling.errors import InputError, UnreadableFile
from labeling.keys import ids
from labeling.readers.table_files import graphs
from labeling.readers.table_files.graphs import read_graph

VERTICES = "0\torg.example\n1\tcom.shop.www\n7\thttps://a.org/x\n"


def read(folder: Path, vertices: str, edges: str, table: str = "links") -> list[dict[str, object]]:
    (folder / "v.txt.gz").write_bytes(gzip.compress(vertices.encode()))
    (folder / "e.txt").write_text(edges, encoding="utf-8")
    tables = read_graph(folder / "v.txt.gz", folder / "e.txt")
    rows: list[dict[str, object]] = pa.concat_tables(
        rows for name, rows in tables if name == table
    ).to_pylist()
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


def graph(folder: Path, vertices: str, edges: str) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return the hosts that link, and the rejects."""
    for file, text in (("v.txt", vertices), ("e.txt", edges)):
        (folder / file).write_text(text)
    hosts, rejects = [], []
    for name, rows in read_graph(folder / "v.txt", folder / "e.txt", "x/e.txt", "x/v.txt"):
        hosts += rows["src_host"].to_pylist() if name == "links" else []
        rejects += [tuple(row.values()) for row in rows.to_pylist()] if name == "rejects" else []
    return hosts, rejects


@pytest.mark.parametrize("line_by_line", ["", "\n"])
def test_a_graph_of_domains_and_one_with_spaces_are_read(tmp_path: Path, line_by_line: str) -> None:
    domains = f"0\torg.a\t12\n1\torg.b \t1\n{line_by_line}"
    assert graph(tmp_path, domains, "0\t1\n1\t0\n") == (["a.org", "b.org"], [])
    spaces = f"0 org.a\n1 org.b\n{line_by_line}"
    assert graph(tmp_path, spaces, f"0 1\n1 0\n{line_by_line}") == (["a.org", "b.org"], [])


def test_every_vertex_that_is_not_used_is_a_reject(tmp_path: Path) -> None:
    vertices = "id\tname\n0\torg.a\n1\torg.b\tx\n2\t\n3\tN/A\n0\torg.c\n4\torg.d\n0\torg.a\n"
    hosts, rejects = graph(tmp_path, vertices, "0\t4\n4\t0\n")
    assert hosts == ["a.org", "d.org"]
    assert sorted(rejects) == [
        ("x/v.txt:1", "bad_row", "id\tname"),
        ("x/v.txt:3", "bad_row", "1\torg.b\tx"),
        ("x/v.txt:4", "bad_row", "no name"),
        ("x/v.txt:5", "bad_row", "no name"),
        ("x/v.txt:6", "duplicate_vertex", "0"),
        ("x/v.txt:8", "duplicate_vertex", "0"),
    ]


def test_the_size_of_blocks_does_not_change_the_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edges = "".join(f"{(0, 1, 7)[n % 3]}\t{(1, 7)[n % 2]}\n" for n in range(200))
    whole = read(tmp_path, VERTICES, edges)
    monkeypatch.setattr(graphs, "BLOCK_BYTES", 50)
    assert read(tmp_path, VERTICES, edges) == whole
    assert len(whole) == 200


@pytest.mark.parametrize(
    ("line", "reason", "value"),
    [
        ("0\t2", "unknown_vertex", "0 2"),
        ("9\t1", "unknown_vertex", "9 1"),
        ("0", "bad_row", "0"),
        ("0\t1\t7", "bad_row", "0\t1\t7"),
        ("a\tb", "bad_row", "a\tb"),
        ("0\t99999999999999999999", "bad_row", "0\t99999999999999999999"),
    ],
)
def test_a_bad_edge_costs_that_edge(tmp_path: Path, line: str, reason: str, value: str) -> None:
    edges = f"0\t1\n\n{line}\n1\t7\n"
    assert len(read(tmp_path, VERTICES, edges)) == 2
    assert read(tmp_path, VERTICES, edges, "rejects") == [
        {"where": "e.txt:3", "reason": reason, "value": value}
    ]


def test_vertices_may_be_in_any_order_and_the_first_of_an_id_counts(tmp_path: Path) -> None:
    vertices = "7\torg.a\n0\torg.b\n7\torg.c\n-3\torg.d\n"
    links = read(tmp_path, vertices, "0\t7\n7\t-3\n")
    assert [link["src_host"] for link in links] == ["b.org", "a.org"]
    assert links[1]["dst_page"] == ids.digest("https://d.org/")
    assert read(tmp_path, vertices, "0\t7\n6\t8\n-4\t0\n", "rejects") == [
        {"where": f"e.txt:{n}", "reason": "unknown_vertex", "value": value}
        for n, value in ((2, "6 8"), (3, "-4 0"))
    ]


def test_edges_of_a_bad_vertex_are_rejected(tmp_path: Path) -> None:
    vertices = "0\torg.example\nx\torg.bad\n7\n1\tcom.shop\n"
    (link,) = read(tmp_path, vertices, "0\t1\n0\t7\n")
    assert link["src_host"] == "example.org"
    (reject,) = read(tmp_path, vertices, "0\t1\n0\t7\n", "rejects")
    assert (reject["where"], reject["reason"]) == ("e.txt:2", "unknown_vertex")


def test_edges_that_are_cut_are_a_reject(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text(VERTICES)
    edges = gzip.compress(b"0\t1\n" * 200_000)
    (tmp_path / "e.txt.gz").write_bytes(edges[: len(edges) // 2])
    tables = list(read_graph(tmp_path / "v.txt", tmp_path / "e.txt.gz", "graph/e.txt.gz"))
    rejects = [row for name, rows in tables if name == "rejects" for row in rows.to_pylist()]
    assert [(row["where"], row["reason"]) for row in rejects] == [("graph/e.txt.gz#", "truncated")]
    assert sum(len(rows) for name, rows in tables if name == "links") > 1000


@pytest.mark.parametrize("vertices", ["x\ty\n", "", "0\n"])
def test_a_graph_without_vertices_is_refused(tmp_path: Path, vertices: str) -> None:
    with pytest.raises(InputError, match="no vertices"):
        read(tmp_path, vertices, "0\t1\n")


def test_vertices_that_are_cut_are_refused(tmp_path: Path) -> None:
    vertices = gzip.compress(VERTICES.encode() * 99)
    (tmp_path / "v.txt.gz").write_bytes(vertices[:-20])
    (tmp_path / "e.txt").write_text("0\t1\n")
    with pytest.raises(InputError, match="vertices of a graph cannot be read"):
        list(read_graph(tmp_path / "v.txt.gz", tmp_path / "e.txt"))


def test_a_page_in_the_place_of_edges_is_a_bad_file_and_one_of_vertices_is_refused(
    tmp_path: Path,
) -> None:
    page = "<!doctype html>\n<p>moved\n"
    with pytest.raises(UnreadableFile, match="it is an HTML page"):
        read(tmp_path, VERTICES, page)
    with pytest.raises(InputError, match="the vertices of a graph") as caught:
        read(tmp_path, page, "0\t1\n")
    assert not isinstance(caught.value, UnreadableFile)
    assert caught.value.facts["cause"] == "it is an HTML page"
