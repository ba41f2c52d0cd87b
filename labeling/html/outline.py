"""The elements of a page around its images and links."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from labeling.html.scanner import attributes_of

ANCHOR = re.compile(
    r"""<a(?=[\s/>])((?:\s++((?:(?!href=)[\w-]++="[^">]*+"\s++)*+)href="([^">]*+)"\s*+)?+([^>]*+))>"""
    r"([^<]*+)(</a[\s>])?+",
    re.ASCII | re.IGNORECASE,
)
"""The tag of a link: its attributes, those before a plain ``href``, its value as written, those
after it, the text after the tag, and the end of the link if it is next."""

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
NAVIGATION = ("nav", "header", "footer", "aside")
_OTHERS = "h[1-6] (?:amp-)?img image fig(?:ure|caption) picture source base html meta title"
_NAMES = "|".join((*_OTHERS.split(), *NAVIGATION))
_TAG = r"(/?(?:{}))(?=[\s/>])([^>]*+)>"
# The first two characters of the names exclude most other tags.
_OUTLINE = re.compile(
    r"<(?=/?+[abfhimnpst][1-6aeimost])" + _TAG.format(_NAMES), re.ASCII | re.IGNORECASE
)
_ANCHOR_EDGE = re.compile(r"</?a(?=[\s/>])", re.ASCII | re.IGNORECASE)
_BLOCK_END = re.compile(
    r"</(?:p|li|t[dhr]|table|[uod]l|div|section|article|body)(?=[\s/>])", re.ASCII | re.IGNORECASE
)
_FLAGS = re.ASCII | re.IGNORECASE
_ROLES = {
    role: (
        re.compile(rf"=\s*+[\"']?+{role}[\"'\s/>]", _FLAGS),
        re.compile(rf"<([a-z][a-z0-9]*+)(\s[^<>]*?{role}[^<>]*+)>", _FLAGS),
    )
    for role in ("navigation", "heading")
}
"""Values of the attribute ``role``: a search for one, and for the tags that have it."""

_SVG = re.compile(r"<(/?svg)(?=[\s/>])([^>]*+)>", _FLAGS)
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
    inner = anchor.start(5)
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
        """Return images, also those of AMP pages, and ``<image>``, which HTML reads as one."""
        return self.tags(*("img", *(name for name in ("amp-img", "image") if name in self._tags)))

    def title(self) -> Element | None:
        """Return the title of the page, and not one of the drawings in it."""
        titles = self._flat(("title",), "/title")
        drawings = _tags(_SVG, self._page[: titles[-1].start]) if titles else []
        n_open, n_before = 0, 0
        for title in titles:
            while n_before < len(drawings) and drawings[n_before].start < title.start:
                tag = drawings[n_before]
                n_open += -bool(n_open) if tag.name[0] == "/" else not tag.attributes.endswith("/")
                n_before += 1
            if not n_open:
                return title
        return None

    def headings(self) -> list[Element]:
        """Return headings of all levels, those of cards are often of the last ones; or by role."""
        headings = self._flat(_HEADINGS, *(f"/{name}" for name in _HEADINGS))
        return sorted([*headings, *self._headings_by_role(headings)])

    def _headings_by_role(self, headings: Sequence[Element]) -> list[Element]:
        """Return elements of that role that neither hold one of the headings nor are in one."""
        tags = self._with_role("heading")
        known = list(dict.fromkeys(tag.name for tag in tags))[:_MAX_NAMES]
        names = "|".join(known)
        ends: dict[str, list[int]] = defaultdict(list)
        for end in _tags(re.compile(f"<{_TAG.format(names)}", _FLAGS), self._page) if tags else ():
            ends[end.name].append(end.start)
        others: list[Element] = []
        for tag in (tag for tag in tags if tag.name in known):
            closing = ends[f"/{tag.name}"]
            row = bisect_left(closing, tag.stop)
            element = _element(tag, closing[row] if row < len(closing) else len(self._page))
            around = innermost(headings, tag.start) or (others and tag.start < others[-1].stop)
            row = bisect_left(headings, (tag.start,))
            if not around and not (row < len(headings) and headings[row].start < element.stop):
                others.append(element)
        return others

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
        by_role = self._with_role("navigation")
        names = list(dict.fromkeys(tag.name for tag in by_role if tag.name not in NAVIGATION))
        pattern = "<" + _TAG.format("|".join(names[:_MAX_NAMES]))
        others = _tags(re.compile(pattern, _FLAGS), self._page) if names else []
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

    def _with_role(self, role: str) -> list[Tag]:
        """Return the tags with a role."""
        has_role, with_role = _ROLES[role]
        tags = _tags(with_role, self._page) if has_role.search(self._page) else []
        return [tag for tag in tags if attributes_of(tag.attributes).get("role") == role]

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
