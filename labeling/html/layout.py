"""The elements that lay out a page: those around an image, the hidden ones and rows of tables."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator

from labeling.html.scanner import attributes_of

Span = tuple[int, int]
"""Offsets in a page: that of the start of an element, and that of its end tag."""

_MAX_AROUND = 50

# Left out are elements that hold nothing or text, links (which have a list of their own), what is
# around the whole page, and the parts of tables, so that rows of a table are next to each other.
_LEFT_OUT = (
    "a|abbr|area|b|base|bd[io]|body|br|c(?:aption|ite|ode|ol|olgroup)|d(?:ata|el|fn)|em(?:bed)?|font"
    "|h[1-6r]|head|html|i|iframe|img|in(?:put|s)|kbd|link|m(?:ark|eta)|opt(?:group|ion)|p|pat[hc]\\w*+"
    "|picture|pre|q|s|s(?:cript|elect|mall|ource|trong|tyle|ub|up|vg)|t(?:body|foot|head|extarea|ime"
    "|itle|t)|track|u|use|video|wbr"
)
# An element that holds only text is passed over in one step.
_TAG = re.compile(
    rf"<(?=[/a-z])(?!/?(?:{_LEFT_OUT})[\s/>])"
    r"(?:([a-z][a-z0-9]*+)(?=[\s>])[^<>]*+>[^<]*+</\1>|(/?[a-z][^\s/<>]*+)[^<>]*+>)",
    re.ASCII | re.IGNORECASE,
)
_HIDING = re.compile(r"display\s*+:\s*+none|visibility\s*+:\s*+hidden", re.IGNORECASE)
_MAY_HIDE = re.compile(r"hidden|none|<noscript", re.IGNORECASE)
_ENDED_BY = {
    "li": ("li",),
    "dt": ("dt", "dd"),
    "dd": ("dt", "dd"),
    "td": ("td", "th"),
    "th": ("td", "th"),
    "tr": ("td", "th", "tr"),
}


class Layout:
    """The spans of the elements that lay out a page, in order of their starts.

    They are read in one pass: an end tag closes the elements within its own that were left open, as
    in HTML, and is ignored where none of its name is open.

    Parameters
    ----------
    page
        The page, in the regular form of `labeling.html.scanner`.
    end
        Offset up to which it is read.
    """

    def __init__(self, page: str, end: int) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._parents: list[int] = []
        self._names: list[str] = []
        self._hidden: list[int] = []
        names = self._names
        opened: list[int] = []
        n_open: Counter[str] = Counter()

        def close(stop: int) -> str:
            row = opened.pop()
            n_open[names[row]] -= 1
            self._stops[row] = stop
            return names[row]

        for tag in _TAG.finditer(page, 0, end):
            if tag[2] is None:
                continue
            name = tag[2].lower()
            if name[0] == "/":
                while n_open[name[1:]] and close(tag.start()) != name[1:]:
                    pass
                continue
            while opened and names[opened[-1]] in _ENDED_BY.get(name, ()):
                close(tag.start())
            if _MAY_HIDE.search(tag[0]) and (name == "noscript" or is_hidden(tag[0][1:-1])):
                self._hidden.append(len(names))
            self._parents.append(opened[-1] if opened else -1)
            opened.append(len(names))
            names.append(name)
            n_open[name] += 1
            self._starts.append(tag.start())
            self._stops.append(len(page))

    def around(self, offset: int) -> Iterator[Span]:
        """Yield the spans of the innermost elements around an offset, the smallest first."""
        row = bisect_left(self._starts, offset) - 1
        for _ in range(_MAX_AROUND):
            if row < 0:
                return
            if self._stops[row] > offset:
                yield self._starts[row], self._stops[row]
            row = self._parents[row]

    def hidden(self) -> Iterator[Span]:
        """Yield the spans of the elements that browsers do not show, ``<noscript>`` among them."""
        return ((self._starts[row], self._stops[row]) for row in self._hidden)

    def tables(self) -> Iterator[list[list[Span]]]:
        """Yield the rows of each table, and of each row the spans of its cells."""
        cells: dict[int, list[Span]] = {}
        rows: dict[int, list[int]] = defaultdict(list)
        for element, (name, parent) in enumerate(zip(self._names, self._parents, strict=True)):
            if name == "tr":
                cells[element] = []
                rows[parent].append(element)
            elif name in ("td", "th") and parent in cells:
                cells[parent].append((self._starts[element], self._stops[element]))
        yield from ([cells[row] for row in of_table] for of_table in rows.values())


def is_hidden(written: str) -> bool:
    """Return whether an element with these attributes is not shown, or not to be read aloud.

    Examples
    --------
    >>> [is_hidden(written) for written in (" hidden", " style='display: none'", " class=hidden")]
    [True, True, False]
    """
    if not _MAY_HIDE.search(written):
        return False
    attributes = attributes_of(written)
    is_silent = attributes.get("aria-hidden", "").strip().lower() == "true"
    return is_silent or "hidden" in attributes or bool(_HIDING.search(attributes.get("style", "")))
