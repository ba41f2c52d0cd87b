"""CSV files to batches of text columns; a row that is malformed costs that row.

Arrow reads each block of lines. Only one in which a row has too few or too many columns or is not
UTF-8 is read again row by row; of one that holds line breaks, the rows with a line break are.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv

from labeling.errors import InputError, UnreadableFile
from labeling.keys.arrays import Mask
from labeling.readers.table_files.rows import BadRow, MissingColumn, Rows, folded, unreadable
from labeling.readers.table_files.text_files import BLOCK_BYTES, CutFile, Lines, is_utf8, text_lines

DELIMITERS = (",", ";", "\t", "|")
"""Delimiters that are tried, in this order, where none is set."""

_CONTROL = re.compile("[\0-\x08\x0e-\x1f]")

_SEPARATOR = re.compile(rb'"?sep=([ -~\t])"?\r?\n', re.IGNORECASE)
"""First line of Excel, which names the delimiter."""

MAX_ROW_LINES = 100
"""Lines of a row; a quote that is open for longer costs only the line on which it opens."""


class Format(NamedTuple):
    """The delimiter and the encoding of a file; None to guess. Also its name in rejects."""

    delimiter: str | None = None
    encoding: str | None = None
    name: str = ""


GUESSED = Format()


class _Header(NamedTuple):
    names: Sequence[str]
    delimiter: str
    n_lines: int


def read_csv(path: Path, wanted: Sequence[str], form: Format, block_bytes: int) -> Iterator[Rows]:
    """Yield some columns of a CSV file as text, in batches; one batch at least.

    A quoted value may have line breaks. One whose quote is not closed within `MAX_ROW_LINES`, or is
    followed by anything but a delimiter, is a bad row of one line: the next is read again. A quote
    within a value that does not begin with one is part of it.

    Raises
    ------
    InputError
        If there is no header, or it lacks a column or has one of them twice.
    CutFile
        See `labeling.readers.table_files.text_files.text_lines`.
    """
    csv.field_size_limit(BLOCK_BYTES)
    header: _Header | None = None
    waiting = b""  # a row whose end is in the next block
    for lines in text_lines(path, form.encoding, block_bytes):
        content, first = waiting + lines.content, lines.first - waiting.count(b"\n")
        if header is None:
            header = _read_header(path, content, wanted, form.delimiter)
            content = content.split(b"\n", header.n_lines)[-1]
            first += header.n_lines
        block = Lines(content, first, lines.is_last)
        rows = _fast(block, header, wanted)
        waiting = b""
        if rows is None:
            rows, waiting = _irregular(block, header, wanted)
        yield rows


def delimiter_of(path: Path, wanted: Sequence[str], encoding: str) -> str | None:
    """Return the delimiter that `read_csv` guesses for a file; None where its first line has it."""
    try:
        first = next(text_lines(path, encoding, BLOCK_BYTES), None)
    except (CutFile, UnreadableFile):
        first = None
    start = b"" if first is None else first.content
    return None if _SEPARATOR.match(start) else guess_delimiter(start, wanted)


def guess_delimiter(start: bytes, wanted: Sequence[str]) -> str:
    r"""Return the delimiter with which the header has most of the wanted columns, else a comma.

    `start` holds whole lines. One of Excel, such as ``sep=;``, may name the delimiter before them.

    Examples
    --------
    >>> guess_delimiter(b"file;words, many\n", ["file"]), guess_delimiter(b"x\n", ["file"])
    (';', ',')
    """
    if mark := _SEPARATOR.match(start):
        return mark[1].decode()
    ours = set(map(folded, wanted))
    return max(DELIMITERS, key=lambda d: len(ours & set(map(folded, _header(start, d).names))))


def _header(content: bytes, delimiter: str) -> _Header:
    mark = _SEPARATOR.match(content)
    begun = content[mark.end() if mark else 0 :].lstrip(b"\r\n")
    n_empty = content.count(b"\n", 0, len(content) - len(begun))
    lines = begun.split(b"\n", MAX_ROW_LINES)[:-1]
    texts = (line.decode("utf-8", "replace") + "\n" for line in lines)
    reader = csv.reader(texts, delimiter=delimiter)
    try:
        names = next(reader, [])
    except csv.Error:
        names = []
    return _Header(names, delimiter, n_empty + reader.line_num)


def _read_header(
    path: Path, content: bytes, wanted: Sequence[str], delimiter: str | None
) -> _Header:
    header = _header(content, delimiter or guess_delimiter(content, wanted))
    if not header.names:
        raise unreadable(path, "it has no header")
    for name in wanted:
        if name not in header.names:
            if _CONTROL.search("".join(header.names)):
                raise unreadable(path, "its first line is not text: it may be packed")
            raise MissingColumn(path, name, header.names)
        if header.names.count(name) > 1:
            raise InputError(
                f"an input file has the column {name!r} more than once",
                facts={"file": path},
                help="rename or delete all but one of them",
            )
    return header


def _fast(block: Lines, header: _Header, wanted: Sequence[str]) -> Rows | None:
    """Return the rows of a block as Arrow reads them; None if it has an irregular row."""
    names = [str(n) for n in range(len(header.names))]  # those of the file may occur twice
    included = [names[header.names.index(name)] for name in wanted]
    n_lines = block.content.count(b"\n")
    positions = np.arange(block.first - 1, block.first - 1 + n_lines)
    if n_lines == 0:
        return Rows(pa.table({name: pa.nulls(0, pa.string()) for name in wanted}), positions)
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(block.content),
            pa.csv.ReadOptions(
                column_names=names, block_size=len(block.content) + 1, use_threads=False
            ),
            pa.csv.ParseOptions(delimiter=header.delimiter, newlines_in_values=True),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(included, pa.string()),
                include_columns=included,
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid:
        return None
    # As many rows as lines: no line is empty, and no quote is open at its end; the last is checked.
    if len(table) != n_lines or _is_open(_last_line(block.content), header.delimiter):
        return None
    if b'"' in block.content and _has_stray_quote(block.content, header.delimiter):
        return None
    return Rows(pa.Table.from_arrays(table.columns, names=list(wanted)), positions)


def _has_stray_quote(content: bytes, delimiter: str) -> bool:
    """Return whether a quoted value of some lines may continue after its closing quote.

    That is after a number of quotes which is odd within a value, even at its beginning; a value in
    quotes may look so too.
    """
    d = re.escape(delimiter.encode())
    inside, first = rb'(?<=[^\n"%b]")(?:"")*' % d, rb'(?<=[\n%b]")(?:"")*"' % d
    return re.search(rb'"(?:%b|%b)[^"\r\n%b]' % (inside, first, d), b"\n" + content) is not None


def _last_line(content: bytes) -> bytes:
    return content[content.rfind(b"\n", 0, -1) + 1 :]


def _is_open(line: bytes, delimiter: str) -> bool:
    return b'"' in line and _fields_of_line(line, delimiter) is None


def _fields_of_line(line: bytes, delimiter: str) -> list[str] | None:
    """Return the fields of a line, none if it is malformed; None if a quote is open at its end."""
    text = line.decode("utf-8", "surrogateescape")
    try:
        fields = next(csv.reader([text], delimiter=delimiter), [])
        if fields and fields[-1].endswith("\n"):
            return None
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []


def _irregular(block: Lines, header: _Header, wanted: Sequence[str]) -> tuple[Rows, bytes]:
    """Return the rows of a block, and what is left of it: a row that ends in the next block.

    Where only values with line breaks are irregular, the other lines are left to Arrow. Such a row
    begins with a line that has an odd number of quotes.
    """
    lines = [line + b"\n" for line in block.content.split(b"\n")[:-1]]
    odd = [number for number, line in enumerate(lines) if line.count(b'"') % 2]
    rows, end, is_other = _read_rows(lines, odd, block, header, wanted)
    others = _fast(Lines(b"".join(itertools.compress(lines, is_other)), 1, True), header, wanted)
    if others is None:
        rows, end, _ = _read_rows(lines, range(len(lines)), block, header, wanted)
    else:
        positions = np.flatnonzero(is_other) + block.first - 1
        rows = _merged(rows, others._replace(positions=positions))
    return rows, b"".join(lines[end:])


def _read_rows(
    lines: Sequence[bytes],
    starts: Iterable[int],
    block: Lines,
    header: _Header,
    wanted: Sequence[str],
) -> tuple[Rows, int, Mask]:
    """Return the rows that begin at some lines, the end of what was read, and the other lines."""
    indexes = [header.names.index(name) for name in wanted]
    values: list[list[str | None]] = []
    positions: list[int] = []
    bad: list[BadRow] = []
    end, is_other = 0, np.ones(len(lines), bool)
    for start in starts:
        if start < end:
            continue
        fields, n_lines = _read_row(lines, start, header)
        if n_lines == 0 and not block.is_last:
            is_other[start:] = False
            break
        position = block.first - 1 + start
        if fields is None:
            text = lines[start].decode("utf-8", "backslashreplace")
            bad.append(BadRow(position, "bad_row", text))
        elif fields:
            values.append([fields[index] or None for index in indexes])
            positions.append(position)
        end = start + max(1, n_lines)
        is_other[start:end] = False
    else:
        start = len(lines)
    columns = [pa.array([row[n] for row in values], pa.string()) for n in range(len(wanted))]
    table = pa.Table.from_arrays(columns, names=list(wanted))
    return Rows(table, np.array(positions, np.int64), bad), start, is_other


def _merged(irregular: Rows, regular: Rows) -> Rows:
    """Return the rows of both in the order of the file."""
    positions = np.concatenate([irregular.positions, regular.positions])
    order = np.argsort(positions)
    table = pa.concat_tables([irregular.table, regular.table]).take(pa.array(order))
    return Rows(table, positions[order], irregular.bad)


def _read_row(lines: Sequence[bytes], at: int, header: _Header) -> tuple[list[str] | None, int]:
    """Return the fields of the row at a line, and its number of lines.

    No fields are those of an empty line, None those of a bad row. The number is 0 where a quote is
    open at the end of the lines.
    """
    if not lines[at].strip():
        return [], 1
    fields, n_lines = _fields_of_line(lines[at], header.delimiter), 1
    if fields is None:
        some = lines[at : at + MAX_ROW_LINES]
        fields, n_lines = _fields_of_lines(some, header.delimiter)
        if fields is None and n_lines == len(some) < MAX_ROW_LINES:
            return None, 0
    if fields is None or len(fields) != len(header.names):
        return None, 1
    return (fields if is_utf8(b"".join(lines[at : at + n_lines])) else None), n_lines


def _fields_of_lines(lines: Sequence[bytes], delimiter: str) -> tuple[list[str] | None, int]:
    """Return the fields of a row of some lines, and how many were read for it.

    No fields (None) are those of a row that breaks the rules of quotes.
    """
    n_bytes = itertools.accumulate(map(len, lines))
    short = sum(1 for n in n_bytes if n <= BLOCK_BYTES)
    texts = (line.decode("utf-8", "surrogateescape") for line in lines[:short])
    reader = csv.reader(texts, delimiter=delimiter, strict=True)
    try:
        return next(reader), reader.line_num
    except (csv.Error, StopIteration):
        return None, reader.line_num
