"""The elements of a page around its images and links."""

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
"""The tag of a link: its attributes, a plain ``href`` if that is the first of them, the others, the
text after the tag, and the end of the link if it is next."""

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
NAVIGATION = ("nav", "header", "footer", "aside")
_OTHERS = "h[1-6] (?:amp-)?img fig(?:ure|caption) picture source base html meta title"
_NAMES = "|".join((*_OTHERS.split(), *NAVIGATION))
_TAG = r"(/?(?:{}))(?=[\s/>])([^>]*+)>"
# Two letters exclude most of the frequent tags.
_OUTLINE = re.compile(
    r"<(?!/?(?:[dlou]|[abt][>\sdrhu]))" + _TAG.format(_NAMES), re.ASCII | re.IGNORECASE
)
_ANCHOR_EDGE = re.compile(r"</?a(?=[\s/>])", re.ASCII | re.IGNORECASE)
_BLOCK_END = re.compile(
    r"</(?:p|li|t[dhr]|table|[uod]l|div|section|article|body)(?=[\s/>])", re.ASCII | re.IGNORECASE
)
_WITH_ROLE = re.compile(r"<([a-z][a-z0-9]*+)(\s[^<>]*?navigation[^<>]*+)", re.ASCII | re.IGNORECASE)
_ROLE = re.compile(r"=\s*+[\"']?+navigation[\"'\s/>]", re.ASCII)
_MAX_NESTED = 100
_MAX_NAMES = 10


class Tag(NamedTuple):
    """A tag: its name in lower case (with ``/`` for an end tag), and its span in the page."""

    name: str
    attributes: str
    start: int
    stop: int


class Element(NamedTuple):
    """An element: its start, the span of its content, and its attributes as written."""

    start: int
    inner: int
    stop: int
    attributes: str


def innermost(elements: Sequence[Element], offset: int) -> Element | None:
    """Return the last element to start among those around an offset; elements are in order."""
    last = bisect_left(elements, (offset,))
    nearest = reversed(elements[max(last - _MAX_NESTED, 0) : last])
    return next((element for element in nearest if offset <= element.stop), None)


def anchor_element(page: str, anchor: re.Match[str]) -> Element:
    """Return the element of a match of `ANCHOR` whose end is not next.

    It ends at its end tag, or at the next link; one that is never closed ends with the block
    around it.
    """
    inner = anchor.start(4)
    edge = _ANCHOR_EDGE.search(page, inner)
    stop = edge.start() if edge is not None else len(page)
    if edge is None or not edge[0].startswith("</"):
        block = _BLOCK_END.search(page, inner, stop)
        stop = block.start() if block is not None else stop
    return Element(anchor.start(), inner, stop, anchor[1])


class Outline:
    """The relevant tags of a page, by name, and the elements that they make."""

    def __init__(self, page: str) -> None:
        self._page = page
        self._tags: dict[str, list[Tag]] = defaultdict(list)
        for tag in _tags(_OUTLINE, page):
            self._tags[tag.name].append(tag)

    def tags(self, *names: str) -> list[Tag]:
        """Return the tags of some names, in the order of the page."""
        named = [tag for name in names for tag in self._tags.get(name, ())]
        return sorted(named, key=lambda tag: tag.start) if len(names) > 1 else named

    def images(self) -> list[Tag]:
        """Return images, also those of AMP pages."""
        return self.tags("img", "amp-img") if "amp-img" in self._tags else self.tags("img")

    def title(self) -> Element | None:
        """Return the title of the page."""
        return next(iter(self._flat(("title",), "/title")), None)

    def headings(self) -> list[Element]:
        """Return headings of all levels: those of cards are often of the last ones."""
        return self._flat(_HEADINGS, *(f"/{name}" for name in _HEADINGS))

    def captions(self) -> list[Element]:
        """Return captions of figures."""
        return self._flat(("figcaption",), "/figcaption", "/figure")

    def pictures(self) -> list[Element]:
        """Return ``<picture>`` elements, up to the image in them."""
        return self._flat(("picture",), "/picture", "img")

    def figures(self) -> list[Element]:
        """Return figures, which may be nested; one that is never closed ends with the page."""
        closed, opened = [], []
        for tag in self.tags("figure", "/figure"):
            if tag.name == "figure":
                opened.append(tag)
            elif opened:
                closed.append(_element(opened.pop(), tag.start))
        return sorted(closed + [_element(tag, len(self._page)) for tag in opened])

    def navigation(self) -> list[Element]:
        """Return the outermost elements that are navigation, by their names or their role."""
        by_role = self._with_role()
        names = list(dict.fromkeys(tag.name for tag in by_role if tag.name not in NAVIGATION))
        pattern = "<" + _TAG.format("|".join(names[:_MAX_NAMES]))
        flags = re.ASCII | re.IGNORECASE
        others = _tags(re.compile(pattern, flags), self._page) if names else []
        starts = {tag.start for tag in by_role}
        opened: dict[str, list[bool]] = defaultdict(list)
        elements, outermost, n_around = [], None, 0
        ends = ["/" + name for name in NAVIGATION]
        for tag in sorted(self.tags(*NAVIGATION, *ends) + others, key=lambda tag: tag.start):
            if not tag.name.startswith("/"):
                begins = tag.name in NAVIGATION or tag.start in starts
                outermost = tag if begins and not n_around else outermost
                n_around += begins
                opened[tag.name].append(begins)
            elif opened[tag.name[1:]] and opened[tag.name[1:]].pop():
                n_around -= 1
                if not n_around and outermost is not None:
                    elements.append(_element(outermost, tag.start))
        if n_around and outermost is not None:
            elements.append(_element(outermost, len(self._page)))
        return elements

    def _with_role(self) -> list[Tag]:
        """Return the tags whose role is navigation."""
        tags = _tags(_WITH_ROLE, self._page) if _ROLE.search(self._page) else []
        return [tag for tag in tags if attributes_of(tag.attributes).get("role") == "navigation"]

    def _flat(self, opening: tuple[str, ...], *closing: str) -> list[Element]:
        """Return elements that do not nest: each ends at an end tag, or when the next begins."""
        elements = []
        start = None
        for tag in self.tags(*opening, *closing):
            if start is not None:
                elements.append(_element(start, tag.start))
            start = tag if tag.name in opening else None
        return [*elements, _element(start, len(self._page))] if start else elements


def _element(tag: Tag, stop: int) -> Element:
    return Element(tag.start, tag.stop, stop, tag.attributes)


def _tags(pattern: re.Pattern[str], page: str) -> list[Tag]:
    """Return the tags that match a pattern with groups for name and attributes."""
    return [Tag(m[1].lower(), m[2], m.start(), m.end()) for m in pattern.finditer(page)]
