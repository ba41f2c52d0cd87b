"""Host and page graphs as Common Crawl publishes them, to links."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.csv

from labeling.errors import InputError, UnreadableFile
from labeling.keys.arrays import Ints, Mask
from labeling.keys.missing import is_missing
from labeling.keys.urls import host_of, url_id
from labeling.readers.table_files.rows import BadRow, Rows
from labeling.readers.table_files.text_files import CutFile, Lines, text_lines
from labeling.schemas import LINKS, REJECTS, table_of

BLOCK_BYTES = 2 << 20
"""Bytes of a file that are in memory at a time."""

MAX_RATIO = 200
"""Bytes that a byte of a file may unpack to; published graphs unpack to about ten."""

FREE_BYTES = 16 << 20
"""Bytes that any file may unpack to."""


Types: TypeAlias = Mapping[str, pa.DataType]
"""Types of columns by their names."""

Reject: TypeAlias = tuple[str, str, str]
"""A row of the table ``rejects``."""

NO_TYPES: Types = MappingProxyType({})

N_HOSTS: Types = MappingProxyType({"n_hosts": pa.int64()})
"""Column of the vertices in graphs of domains."""


def read_graph(
    vertices: Path, edges: Path, name: str = "", vertices_name: str | None = None
) -> Iterator[tuple[str, pa.Table]]:
    """Read a graph; the edges in blocks, the vertices whole: they have to fit into memory.

    Parameters
    ----------
    vertices
        Lines of id, tab, and a URL or a host with its parts reversed (``org.example.www``), which
        means its home page; in graphs of domains also of a number of hosts, which is not used.
        Compressed if the name ends with ``.gz``, ``.bz2``, ``.xz`` or ``.zst``.
    edges
        Lines of the ids of two vertices, from and to, with a tab between. In a file without tabs,
        spaces separate columns.
    name
        Name of the file of edges in rejects; without one, its own.
    vertices_name
        Name of the file of vertices in rejects; None to leave these out, which are the same for all
        files of edges.

    Yields
    ------
    name, table
        ``links``, without anchors; and ``rejects``: ``bad_row`` for a line that is not of this
        form, ``duplicate_vertex`` for an id that occurs again, of which the first vertex counts,
        ``unknown_vertex`` for an edge of which a vertex is not in the file of vertices, and
        ``truncated`` for a compressed file that is cut.

    Raises
    ------
    InputError
        For a file of vertices that is cut or has no vertex, and a file that cannot be read.
    """
    name = name or edges.name
    known, unused = _known(vertices, vertices_name or "")
    if vertices_name is not None:
        yield "rejects", table_of(unused, REJECTS.arrow)
    try:
        for rows in _read(edges, {"from": pa.int64(), "to": pa.int64()}):
            yield from _links(rows, known, name)
    except CutFile as error:
        yield "rejects", table_of([(f"{name}#", "truncated", str(error))], REJECTS.arrow)


class _Vertices:
    """The vertices of a graph with the page and the host of each, sorted by id once."""

    def __init__(self, pages: pa.Table) -> None:
        self.pages = pages
        ids = pages["id"].to_numpy()
        self._order = np.argsort(ids, kind="stable")
        self._ids = ids[self._order]

    def find(self, ids: Ints) -> tuple[Ints, Mask]:
        """Return the row of each id, the first one that has it, and whether there is one."""
        # Sorted ids are found many times as fast as others.
        distinct, index = np.unique(ids, return_inverse=True)
        rank = np.searchsorted(self._ids, distinct)
        is_known = self._ids.take(rank, mode="clip") == distinct
        return self._order.take(rank, mode="clip")[index], is_known[index]


def _known(vertices: Path, name: str) -> tuple[_Vertices, list[Reject]]:
    """Return the vertices of a file, and rejects of its other rows, or raise `InputError`."""
    unused: list[Reject] = []
    pages, positions = [], []
    try:
        for rows in _read(vertices, {"id": pa.int64(), "name": pa.string()}, N_HOSTS):
            good = ~is_missing(rows.table["name"].to_pylist())
            pages.append(_pages(rows.table.filter(pa.array(good))))
            positions.append(rows.positions[good])
            nameless = [BadRow(at, "bad_row", "no name") for at in rows.positions[~good].tolist()]
            unused += _rejects([*rows.bad, *nameless], name)
    except (CutFile, UnreadableFile) as error:
        # As it is, the second would be a reject of each file of edges.
        cause = error.facts["cause"] if isinstance(error, UnreadableFile) else error
        raise InputError(
            "the vertices of a graph cannot be read",
            facts={"file": vertices, "cause": cause},
            help="download the file again",
        ) from error
    known = pa.concat_tables(pages).combine_chunks()
    if not len(known):
        raise InputError(
            "a graph has no vertices",
            facts={"file": vertices},
            help="every line is an id, a tab and a host or URL",
        )
    return _Vertices(known), unused + _repeated(known["id"].to_numpy(), positions, name)


def _repeated(ids: Ints, positions: Sequence[Ints], name: str) -> list[Reject]:
    """Return rejects of the vertices with the id of an earlier one."""
    is_repeated = np.ones(len(ids), bool)
    is_repeated[np.unique(ids, return_index=True)[1]] = False
    lines = np.concatenate(positions)[is_repeated] + 1
    pairs = zip(lines.tolist(), ids[is_repeated].tolist(), strict=True)
    return [(f"{name}:{line}", "duplicate_vertex", str(vertex)) for line, vertex in pairs]


def _rejects(bad: Iterable[BadRow], name: str) -> list[Reject]:
    return [(f"{name}:{row.position + 1}", row.reason, row.value) for row in bad]


def _links(rows: Rows, known: _Vertices, name: str) -> Iterator[tuple[str, pa.Table]]:
    ends = [rows.table[n].to_numpy() for n in ("from", "to")]
    (source, has_source), (target, has_target) = map(known.find, ends)
    is_known = has_source & has_target
    rejects = _rejects(rows.bad, name)
    unknown = (column[~is_known].tolist() for column in (rows.positions, *ends))
    for position, start, end in zip(*unknown, strict=True):
        rejects.append((f"{name}:{position + 1}", "unknown_vertex", f"{start} {end}"))
    yield "rejects", table_of(rejects, REJECTS.arrow)
    source, target = source[is_known], target[is_known]
    links = {
        "src_page": known.pages["page"].take(source),
        "dst_page": known.pages["page"].take(target),
        "src_host": known.pages["host"].take(source),
        "anchor": pa.nulls(len(source), pa.string()),
        "rel": pa.nulls(len(source), pa.string()),
        "nav": pa.repeat(False, len(source)),
    }
    yield "links", pa.table(links, schema=LINKS.arrow)


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
    urls = [url_of_vertex(name.strip()) for name in vertices["name"].to_pylist()]
    page = pa.array([url_id(url) for url in urls], pa.string())
    host = pa.array([host_of(url) for url in urls], pa.string())
    return pa.table({"id": vertices["id"], "page": page, "host": host})


def _read(path: Path, types: Types, optional: Types = NO_TYPES) -> Iterator[Rows]:
    """Yield the rows of a file of columns with a tab between, of which some may be missing."""
    n_bytes = 0
    try:
        most = max(FREE_BYTES, MAX_RATIO * path.stat().st_size)
        for block in text_lines(path, "utf-8", BLOCK_BYTES):
            n_bytes += len(block.content)
            if n_bytes > most:
                raise InputError(
                    f"a file of a graph unpacks to more than {MAX_RATIO} times its size",
                    facts={"file": path},
                    help="do not trust the file; download it again",
                )
            n_columns = block.content.partition(b"\n")[0].count(b"\t") + 1
            rows = _fast(block, {**types, **optional} if n_columns > len(types) else types)
            rows = _line_by_line(block, types, optional) if rows is None else rows
            yield rows._replace(table=rows.table.select(list(types)))
    except OSError as error:
        raise InputError(
            "a file of a graph cannot be read",
            facts={"file": path, "cause": error},
            help="check its path and its permissions",
        ) from error


def _fast(block: Lines, types: Types) -> Rows | None:
    """Return the rows of a block as Arrow reads them; None if a line is irregular."""
    n_lines = block.content.count(b"\n")
    if n_lines == 0:
        return Rows(pa.table({n: pa.nulls(0, kind) for n, kind in types.items()}), np.arange(0))
    read = pa.csv.ReadOptions(column_names=list(types), block_size=len(block.content) + 1)
    content = block.content if b"\t" in block.content else block.content.replace(b" ", b"\t")
    parse = pa.csv.ParseOptions(delimiter="\t", quote_char=False)
    convert = pa.csv.ConvertOptions(column_types=types, null_values=[])
    try:
        table = pa.csv.read_csv(pa.BufferReader(content), read, parse, convert)
    except pa.ArrowInvalid:
        return None
    first = block.first - 1
    return Rows(table, np.arange(first, first + n_lines)) if len(table) == n_lines else None


def _line_by_line(block: Lines, types: Types, optional: Types) -> Rows:
    values: list[list[int | str]] = []
    positions: list[int] = []
    bad: list[BadRow] = []
    for position, line in enumerate(block.content.split(b"\n")[:-1], block.first - 1):
        if not line.strip():
            continue
        try:
            values.append(_values(line.decode(), types, optional))
        except ValueError:
            bad.append(BadRow(position, "bad_row", line.decode("utf-8", "backslashreplace")[:200]))
        else:
            positions.append(position)
    arrays = [pa.array([row[n] for row in values], kind) for n, kind in enumerate(types.values())]
    table = pa.Table.from_arrays(arrays, names=list(types))
    return Rows(table, np.array(positions, np.int64), bad)


def _values(line: str, types: Types, optional: Types) -> list[int | str]:
    """Return the values of a line, or raise ValueError if it has others than these types."""
    fields = line.split("\t") if "\t" in line else line.split()
    if len(fields) not in (len(types), len(types) + len(optional)):
        raise ValueError("another number of columns")
    kinds = [*types.values(), *optional.values()]
    values: list[int | str] = []
    for field, kind in zip(map(str.strip, fields), kinds, strict=False):
        values.append(field if kind == pa.string() else pa.scalar(field).cast(kind).as_py())
    return values
