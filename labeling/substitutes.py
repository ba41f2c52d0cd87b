"""Files that are there in place of others: pointers to content elsewhere, and pages of servers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

N_START = 1500
"""Bytes at the beginning of a file that show what it is."""

_BLANK = rb"(?:\xef\xbb\xbf)?\s*"
# Atomic, because hundreds of comments could be divided into comments in 2**n ways.
_COMMENTS = rb"(?>(?:<!--.*?-->\s*)*)"


class Substitute(NamedTuple):
    """Kind of a file that is in the place of another, with its article; and how to get that."""

    kind: str
    remedy: str


_DOWNLOAD = "download the file itself: a server sent this in its place"
_KINDS = (
    (
        rb"version https://(?:git-lfs|hawser)\.github\.com/spec/v",
        Substitute("a pointer of Git LFS", "fetch its content with `git lfs pull`"),
    ),
    (
        rb"(?:\.\./)*(?:\.git)?/annex/objects/",
        Substitute("a pointer of git-annex", "fetch its content with `git annex get`"),
    ),
    (
        _BLANK + rb"(?:<\?xml[^>]*>\s*)?" + _COMMENTS + rb"<(?:!doctype\s+)?html[\s>]",
        Substitute("an HTML page", _DOWNLOAD),
    ),
    (_BLANK + rb"<\?xml\s", Substitute("an XML document", _DOWNLOAD)),
    (rb"\{\\rtf\d", Substitute("a document in RTF", "save it as plain text")),
)
_N_POINTERS = 2  # of the kinds, the first
_PATTERNS = [(re.compile(text, re.IGNORECASE | re.DOTALL), kind) for text, kind in _KINDS]


def substitute(start: bytes) -> Substitute | None:
    r"""Return what a file is instead of data, by its first `N_START` bytes; None if it may be data.

    Examples
    --------
    >>> substitute(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n").kind
    'a pointer of Git LFS'
    >>> substitute(b"<!-- x -->\n<!DOCTYPE HTML>").kind, substitute(b"image,text\n")
    ('an HTML page', None)
    """
    return next((kind for text, kind in _PATTERNS if text.match(start)), None)


def is_pointer(start: bytes) -> bool:
    """Return whether a file is a pointer to content elsewhere, by its beginning."""
    return any(text.match(start) for text, _ in _PATTERNS[:_N_POINTERS])


def substitute_at(path: Path) -> Substitute | None:
    """Return what a file is instead of data, as `substitute`; None if it cannot be read."""
    try:
        with path.open("rb") as file:
            return substitute(file.read(N_START))
    except OSError:
        return None
