"""Host and page graphs as Common Crawl publishes them, to links."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from labeling.errors import InputError
from labeling.keys.urls import host_of, url_id
from labeling.schemas import LINKS

BLOCK_BYTES = 2 << 20
BLOCK_ROWS = 100_000
"""Bytes or rows of a file that are in memory at a time."""

MAX_RATIO = 200
"""Bytes that a byte of a file may unpack to; published graphs unpack to about ten."""

FREE_BYTES = 16 << 20
"""Bytes that any file may unpack to."""


def read_graph(vertices: Path, edges: Path) -> Iterator[tuple[str, pa.Table]]:
    """Read a graph; the edges in blocks, the vertices whole: they have to fit into memory.

    Parameters
    ----------
    vertices
        Lines of id, tab, and a URL or a host with its parts reversed (``org.example.www``), which
        means its home page; compressed if the name ends with ``.gz``.
    edges
        Lines of the ids of two vertices, from and to, with a tab between.

    Yields
    ------
    name, table
        ``links``, without anchors.

    Raises
    ------
    InputError
        For a file that cannot be read, or an edge whose vertex is unknown.
    """
    blocks = [*map(_pages, _blocks(vertices, {"id": pa.int64(), "name": pa.string()}))]
    if not blocks:
        raise InputError(
            "a graph has no vertices",
            facts={"file": vertices},
            help="every line is an id, a tab and a host or URL",
        )
    known = pa.concat_tables(blocks).combine_chunks()
    for block in _blocks(edges, {"from": pa.int64(), "to": pa.int64()}):
        source, target = (_rows_of(block[n], known["id"], edges) for n in ("from", "to"))
        rows = {
            "src_page": known["page"].take(source),
            "dst_page": known["page"].take(target),
            "src_host": known["host"].take(source),
            "anchor": pa.nulls(len(block), pa.string()),
            "rel": pa.nulls(len(block), pa.string()),
            "nav": pa.repeat(False, len(block)),
        }
        yield "links", pa.table(rows, schema=LINKS.arrow)


def url_of_vertex(name: str) -> str:
    """Return the URL of a vertex: itself, or the home page of a host with its parts reversed.

    Examples
    --------
    >>> url_of_vertex("org.example.www"), url_of_vertex("https://example.org/x")
    ('https://www.example.org/', 'https://example.org/x')
    """
    return name if "://" in name else f"https://{'.'.join(reversed(name.split('.')))}/"


def _pages(vertices: pa.Table) -> pa.Table:
    """Return the id, the digest of the page and the host of some vertices."""
    urls = [url_of_vertex(name) for name in vertices["name"].to_pylist()]
    page = pa.array([url_id(url) for url in urls], pa.string())
    host = pa.array([host_of(url) for url in urls], pa.string())
    return pa.table({"id": vertices["id"], "page": page, "host": host})


def _rows_of(vertices: pa.ChunkedArray, known: pa.ChunkedArray, path: Path) -> pa.Array:
    rows = pc.index_in(vertices, value_set=known.combine_chunks()).combine_chunks()
    if rows.null_count:
        unknown = vertices.filter(pc.is_null(rows))
        raise InputError(
            "an edge of a graph has a vertex that is not in the file of vertices",
            facts={"file": path, "unknown": f"{rows.null_count:,}", "first": unknown[0]},
        )
    return rows


def _blocks(path: Path, types: dict[str, pa.DataType]) -> Iterator[pa.Table]:
    read = pa.csv.ReadOptions(column_names=list(types), block_size=BLOCK_BYTES)
    parse = pa.csv.ParseOptions(delimiter="\t", quote_char=False)
    convert = pa.csv.ConvertOptions(column_types=types, null_values=[])
    n_bytes = 0
    try:
        most = max(FREE_BYTES, MAX_RATIO * path.stat().st_size)
        with pa.csv.open_csv(path, read, parse, convert) as reader:
            for batch in reader:
                n_bytes += batch.nbytes
                if n_bytes > most:
                    raise InputError(
                        f"a file of a graph unpacks to more than {MAX_RATIO} times its size",
                        facts={"file": path},
                        help="do not trust the file; download it again",
                    )
                for start in range(0, len(batch), BLOCK_ROWS):
                    yield pa.Table.from_batches([batch.slice(start, BLOCK_ROWS)])
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            "a file of a graph cannot be read", facts={"file": path, "cause": error}
        ) from error
