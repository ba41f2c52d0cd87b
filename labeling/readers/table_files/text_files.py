"""Text files, compressed or not and in any encoding, to blocks of whole lines of UTF-8.

A byte that is not text of the encoding becomes one that is not UTF-8, so that its line can be
rejected alone.
"""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from labeling.errors import InputError, UnreadableFile
from labeling.readers.guard import PARSING_ERRORS, cause
from labeling.readers.table_files.packed import is_packed, unpacked
from labeling.readers.table_files.rows import unreadable
from labeling.substitutes import N_START, substitute, substitute_at

BLOCK_BYTES = 4 << 20
"""Bytes of a file that are in memory at a time, and of its longest line."""

MAX_RATIO = 1_100
"""Bytes that a byte of a compressed file may unpack to; gzip reaches 1,032 with zeros."""

FREE_BYTES = 64 << 20
"""Bytes that any file may unpack to."""

_PIECE_BYTES = 1 << 18
_GUESSED_BYTES = 1 << 20
_TOO_LONG = b"\xff a line of more than %d bytes\n"
_HIGH_BYTES = re.compile(rb"[\x80-\xff]+")
_UNUSED_IN_CP1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # begins with the mark of UTF-16
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class CutFile(Exception):
    """A compressed file that ends early or is damaged; its message names the cause."""


class Lines(NamedTuple):
    """Whole lines, the last one also with a line feed; and the number of the first, from 1."""

    content: bytes
    first: int
    is_last: bool


def text_lines(path: Path, encoding: str | None, block_bytes: int) -> Iterator[Lines]:
    r"""Read a text file in blocks of about `block_bytes`; one block at least.

    Parameters
    ----------
    path
        The file; if it is compressed, the ending of its name is that of the compression.
    encoding
        Name of the encoding; None to guess it with `guess_encoding`.
    block_bytes
        Size of a block.

    Yields
    ------
    Lines
        The lines in UTF-8 without a byte order mark; of old Macs too, which end with ``\r`` alone.
        A line that is longer than `BLOCK_BYTES` is one byte that is not UTF-8, and a message.

    Raises
    ------
    InputError
        If the file unpacks to more than `MAX_RATIO` times its size.
    UnreadableFile
        If it lacks the mark of its encoding, or is a page or a pointer in the place of a table.
    CutFile
        After the last whole line, if a compressed file is cut or damaged.
    """
    pieces = _unpacked(path, min(block_bytes, _PIECE_BYTES))
    beginning = _beginning(pieces)
    start = b"".join(piece for piece in beginning if isinstance(piece, bytes))
    _refuse_substitute(path, start)
    decode = _decoder(path, encoding or guess_encoding(start))
    old_mac = b"\n" not in start and b"\r" in start
    pending, first, is_skipping = bytearray(), 1, False
    for piece in itertools.chain(beginning, pieces, [None]):
        is_end = not isinstance(piece, bytes)
        text = decode(piece if isinstance(piece, bytes) else b"", is_end)
        text = text.replace(b"\r", b"\n") if old_mac else text
        if is_skipping:
            _, feed, text = text.partition(b"\n")
            is_skipping = not feed
        pending += text
        if isinstance(piece, CutFile):
            del pending[pending.rfind(b"\n") + 1 :]  # a line that is not whole
        elif is_end and pending and not pending.endswith(b"\n"):
            pending += b"\n"
        end = pending.rfind(b"\n") + 1
        if not is_end and end == 0 and len(pending) > BLOCK_BYTES:
            yield Lines(_TOO_LONG % BLOCK_BYTES, first, False)
            pending, first, is_skipping = bytearray(), first + 1, True
        elif (end and len(pending) >= block_bytes) or piece is None or (is_end and end):
            lines = bytes(pending[:end])
            yield Lines(lines, first, is_end)
            first += lines.count(b"\n")
            del pending[:end]
        if isinstance(piece, CutFile):
            raise piece


def _refuse_substitute(path: Path, start: bytes) -> None:
    """Raise `UnreadableFile` for a file in the place of another, packed or not."""
    instead = substitute(start[:N_START]) or (substitute_at(path) if is_packed(path) else None)
    if instead is not None:
        raise unreadable(path, "", instead)


def guess_encoding(start: bytes) -> str:
    r"""Return the encoding of a text by its beginning: a byte order mark, zeros, or its letters.

    Text without a mark is UTF-8 unless three lines or more are not, none holds a letter of UTF-8,
    and most bytes beyond ASCII are alone, as letters of Windows-1252 (and Latin-1) are.

    Examples
    --------
    >>> guess_encoding("\ufeffa".encode("utf-16-le")), guess_encoding("a,b\n".encode("utf-16-be"))
    ('utf-16', 'utf-16-be')
    >>> guess_encoding(b"caf\xe9\nth\xe9\nol\xe9\n"), guess_encoding(b"caf\xe9\n")
    ('windows-1252', 'utf-8')
    """
    for mark, encoding in _BOMS.items():
        if start.startswith(mark):
            return encoding
    sample = start[: 4 << 10]
    if len(sample) > 3 and sample.count(b"\0") > len(sample) // 4:
        return "utf-16-be" if sample[0] == 0 else "utf-16-le"
    if start.isascii() or is_utf8(start.rpartition(b"\n")[0]):
        return "utf-8"
    odd = [line for line in start.split(b"\n")[:-1] if not line.isascii()]
    runs = _HIGH_BYTES.findall(start)
    alone = sum(len(run) == 1 for run in runs)
    is_other = len(odd) < 3 or any(map(is_utf8, odd)) or _UNUSED_IN_CP1252.search(start)
    return "utf-8" if is_other or alone < len(runs) * 2 / 3 else "windows-1252"


def encoding_of(path: Path) -> str:
    """Return the encoding that `text_lines` guesses for a file."""
    pieces = _beginning(_unpacked(path, _PIECE_BYTES))
    return guess_encoding(b"".join(piece for piece in pieces if isinstance(piece, bytes)))


def is_utf8(content: bytes) -> bool:
    """Return whether bytes are text in UTF-8."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _unpacked(path: Path, n_bytes: int) -> Iterator[bytes | CutFile]:
    """Yield pieces of a file, unpacked, and at its end the error of one that is cut."""
    if not is_packed(path):
        with path.open("rb") as plain:
            yield from iter(lambda: plain.read(n_bytes), b"")
        return
    most, n_unpacked = max(FREE_BYTES, MAX_RATIO * path.stat().st_size), 0
    try:
        for piece in unpacked(path, n_bytes):
            n_unpacked += len(piece)
            if n_unpacked > most:
                raise InputError(
                    f"an input file unpacks to more than {MAX_RATIO:,} times its size",
                    facts={"file": path},
                    help="do not trust the file; write it again from its source",
                )
            yield piece
    except (OSError, *PARSING_ERRORS) as error:
        yield CutFile(cause(error))


def _beginning(pieces: Iterator[bytes | CutFile]) -> list[bytes | CutFile]:
    """Return the first pieces, enough to guess the encoding."""
    beginning: list[bytes | CutFile] = []
    n_read = 0
    while n_read < _GUESSED_BYTES and (piece := next(pieces, None)) is not None:
        beginning.append(piece)
        n_read += len(piece) if isinstance(piece, bytes) else 0
    return beginning


def _decoder(path: Path, encoding: str) -> Callable[[bytes, bool], bytes]:
    """Return a function of pieces in an encoding, and whether one is the last, to UTF-8."""
    if codecs.lookup(encoding).name in ("utf-8", "ascii"):
        return _WithoutMark()
    decoder = codecs.getincrementaldecoder(encoding)(_BAD_BYTES)
    mark = _WithoutMark()

    def decode(piece: bytes, is_end: bool) -> bytes:
        try:
            return mark(decoder.decode(piece, is_end).encode("utf-8", "surrogatepass"), is_end)
        except UnicodeError as error:
            raise UnreadableFile(
                "an input file is not of its encoding",
                facts={"file": path, "encoding": encoding, "cause": error},
                help="correct `encoding`; UTF-16 without a mark is utf-16-le or utf-16-be",
            ) from error

    return decode


class _WithoutMark:
    """Returns its pieces, the first one without a byte order mark of UTF-8."""

    def __init__(self) -> None:
        self._is_first = True

    def __call__(self, piece: bytes, is_end: bool) -> bytes:
        if self._is_first:
            piece = piece.removeprefix(codecs.BOM_UTF8)
            self._is_first = False
        return piece


_BAD_BYTES = "winnow.bad_bytes"


def _surrogate(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\udcff", error.end  # is not UTF-8 when it is written with `surrogatepass`


codecs.register_error(_BAD_BYTES, _surrogate)
