"""The elements of a page that images and links stand in."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from labeling.html.scanner import attributes_of

ANCHOR = re.compile(
    r"""<a(?=[\s/>])((?:\s++href="([^"&>]*+)"\s*+)?+([^>]*+))>([^<]*+)(</a[\s>])?+""",
    re.ASCII | re.IGNORECASE,
)
"""The tag of a link: its attributes, a plain ``href`` that is the first of them, the others, the
text behind the tag, and the end of the link where it is next."""

_HEADINGS = ("h1", "h2", "h3", "h4")
_NAVIGATION = ("nav", "header", "footer", "aside")
_TAG = r"(/?(?:{}))(?=[\s/>])([^>]*+)>"
_NAMES = "h[1-6]|img|nav|header|footer|aside|fig(?:ure|caption)|picture|source|base|html|meta|title"
# Of the tags that come often, most are told by two letters.
_OUTLINE = re.compile(
    r"<(?!/?(?:[dlou]|[abt][>\sdrhu]))" + _TAG.format(_NAMES), re.ASCII | re.IGNORECASE
)
_ANCHOR_EDGE = re.compile(r"</?a(?=[\s/>])", re.ASCII | re.IGNORECASE)
_BLOCK_END = re.compile(
    r"</(?:p|li|t[dhr]|table|[uod]l|div|section|article|body)(?=[\s/>])", re.ASCII | re.IGNORECASE
)
_WITH_ROLE = re.compile(r"<([a-z][a-z0-9]*+)(\s[^<>]*?navigation[^<>]*+)", re.ASCII | re.IGNORECASE)
_MAX_NESTED = 100
_MAX_NAMES = 10


class Tag(NamedTuple):
    """A tag: its name in lower case, with ``/`` where it ends an element, and where it is."""

    name: str
    attributes: str
    start: int
    stop: int


class Element(NamedTuple):
    """An element: where it starts, where its content is, and its attributes as written."""

    start: int
    inner: int
    stop: int
    attributes: str


def innermost(elements: Sequence[Element], place: int) -> Element | None:
    """Return the element around a place that starts last; elements are in their order."""
    last = bisect_left(elements, (place,))
    for element in reversed(elements[max(last - _MAX_NESTED, 0) : last]):
        if place <= element.stop:
            return element
    return None


def anchor_element(page: str, anchor: re.Match[str]) -> Element:
    """Return the element of a match of `ANCHOR` whose end is not next.

    It ends at its end tag, or at the next link; of one that is never closed, what is behind the
    block that it stands in is no part.
    """
    inner = anchor.start(4)
    edge = _ANCHOR_EDGE.search(page, inner)
    stop = edge.start() if edge is not None else len(page)
    if edge is None or not edge[0].startswith("</"):
        block = _BLOCK_END.search(page, inner, stop)
        stop = block.start() if block is not None else stop
    return Element(anchor.start(), inner, stop, anchor[1])


class Outline:
    """The tags of a page that matter, by name, and the elements that they make."""

    def __init__(self, page: str) -> None:
        self._page = page
        self._tags: dict[str, list[Tag]] = defaultdict(list)
        for tag in _found(_OUTLINE, page):
            self._tags[tag.name].append(tag)

    def tags(self, *names: str) -> list[Tag]:
        """Return the tags of some names, in the order of the page."""
        found = [tag for name in names for tag in self._tags.get(name, ())]
        return sorted(found, key=lambda tag: tag.start) if len(names) > 1 else found

    def title(self) -> Element | None:
        """Return the title of the page."""
        return next(iter(self._flat(("title",), "/title")), None)

    def headings(self) -> list[Element]:
        """Return headings of the first four levels."""
        return self._flat(_HEADINGS, "/h1", "/h2", "/h3", "/h4", "/h5", "/h6")

    def captions(self) -> list[Element]:
        """Return captions of figures."""
        return self._flat(("figcaption",), "/figcaption", "/figure")

    def pictures(self) -> list[Element]:
        """Return ``<picture>`` elements, up to the image in them."""
        return self._flat(("picture",), "/picture", "img")

    def figures(self) -> list[Element]:
        """Return figures, which may be nested; one that is never closed ends with the page."""
        found, opened = [], []
        for tag in self.tags("figure", "/figure"):
            if tag.name == "figure":
                opened.append(tag)
            elif opened:
                found.append(_element(opened.pop(), tag.start))
        return sorted(found + [_element(tag, len(self._page)) for tag in opened])

    def navigation(self) -> list[Element]:
        """Return the outermost elements that are navigation, by their names or their role."""
        by_role = self._with_role("navigation")
        names = list(dict.fromkeys(tag.name for tag in by_role if tag.name not in _NAVIGATION))
        others = self._named(names[:_MAX_NAMES]) if names else []
        starts = {tag.start for tag in by_role}
        opened: dict[str, list[bool]] = defaultdict(list)
        found, outermost, n_around = [], None, 0
        ends = ["/" + name for name in _NAVIGATION]
        for tag in sorted(self.tags(*_NAVIGATION, *ends) + others, key=lambda tag: tag.start):
            if not tag.name.startswith("/"):
                begins = tag.name in _NAVIGATION or tag.start in starts
                outermost = tag if begins and not n_around else outermost
                n_around += begins
                opened[tag.name].append(begins)
            elif opened[tag.name[1:]] and opened[tag.name[1:]].pop():
                n_around -= 1
                if not n_around and outermost is not None:
                    found.append(_element(outermost, tag.start))
        if n_around and outermost is not None:
            found.append(_element(outermost, len(self._page)))
        return found

    def _named(self, names: Sequence[str]) -> list[Tag]:
        pattern = re.compile("<" + _TAG.format("|".join(names)), re.ASCII | re.IGNORECASE)
        return _found(pattern, self._page)

    def _with_role(self, role: str) -> list[Tag]:
        is_value = re.compile(rf"=\s*+[\"']?+{role}[\"'\s/>]", re.ASCII)
        tags = _found(_WITH_ROLE, self._page) if is_value.search(self._page) else []
        return [tag for tag in tags if attributes_of(tag.attributes).get("role") == role]

    def _flat(self, opening: tuple[str, ...], *closing: str) -> list[Element]:
        """Return elements that do not nest: each ends at an end tag, or where the next begins."""
        found = []
        start = None
        for tag in self.tags(*opening, *closing):
            if start is not None:
                found.append(_element(start, tag.start))
            start = tag if tag.name in opening else None
        return [*found, _element(start, len(self._page))] if start else found


def _element(tag: Tag, stop: int) -> Element:
    return Element(tag.start, tag.stop, stop, tag.attributes)


def _found(pattern: re.Pattern[str], page: str) -> list[Tag]:
    """Return the tags that a pattern finds, by its groups for name and attributes."""
    return [Tag(m[1].lower(), m[2], m.start(), m.end()) for m in pattern.finditer(page)]
