"""One bad item costs that item: errors of parsing become rejects that name it."""

from __future__ import annotations

import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tarfile import TarError
from zipfile import BadZipFile

PARSING_ERRORS = (
    ValueError,
    ArithmeticError,
    RecursionError,
    NotImplementedError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    TarError,
    BadZipFile,
)
"""Errors that bad bytes cause in a parser. Errors of programming, `MemoryError` and errors of the
disk are not among them: those end the run."""


@contextmanager
def rejecting(reject: Callable[[str, str], None], reason: str) -> Iterator[None]:
    """Turn an error of parsing within the block into a call of `reject` with reason and value.

    Examples
    --------
    >>> with rejecting(print, "bad_record"):
    ...     int("3x")
    bad_record ValueError: invalid literal for int() with base 10: '3x'
    """
    try:
        yield
    except PARSING_ERRORS as error:
        reject(reason, cause(error))


def cause(error: BaseException) -> str:
    """Return the kind and the message of an error, in one line of at most 200 characters.

    Examples
    --------
    >>> cause(ValueError("bad"))
    'ValueError: bad'
    """
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
