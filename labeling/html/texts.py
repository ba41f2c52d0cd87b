"""Texts around an image: its caption, link, heading and the words nearby; and other sizes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from labeling.html.captions import words_around
from labeling.html.outline import Element, Outline, Tag, innermost
from labeling.html.scanner import Markup, attributes_of, clean

_MAX_SOURCES = 10


class Surroundings:
    """Finds the texts around the images of one page; each text is read once."""

    def __init__(self, markup: Markup, outline: Outline, anchors: Sequence[Element]) -> None:
        self._markup = markup
        self._anchors = anchors
        self._figures = outline.figures()
        self._captions = outline.captions()
        self._headings = outline.headings()
        self._pictures = outline.pictures()
        self._sources = outline.tags("source")
        self._texts: dict[int, str] = {}

    def texts(self, image: Tag) -> Iterator[tuple[str, str, float]]:
        """Yield labeling source, text and weight of each text around an image."""
        figure = innermost(self._figures, image.start)
        yield "caption", self._caption(figure), 1.0
        yield "link", self._link(innermost(self._anchors, image.start)), 1.0
        heading = bisect_left(self._headings, (image.start,))
        yield "heading", self._text(self._headings[heading - 1]) if heading else "", 1.0
        start, stop = image.start, image.stop
        if figure is not None and figure.stop < len(self._markup.page):
            start, stop = figure.start, self._markup.page.find(">", figure.stop) + 1
        for text, weight in words_around(self._markup.page, start, stop):
            yield "surrounding", text, weight

    def sources(self, image: Tag) -> list[dict[str, str]]:
        """Return the attributes of each ``<source>`` for an image in a ``<picture>``."""
        picture = innermost(self._pictures, image.start)
        if picture is None:
            return []
        first = bisect_left(self._sources, picture.start, key=lambda tag: tag.start)
        sources = self._sources[first : first + _MAX_SOURCES]
        return [attributes_of(tag.attributes) for tag in sources if tag.start < image.start]

    def _caption(self, figure: Element | None) -> str:
        """Return the first caption in a figure."""
        if figure is None:
            return ""
        first = bisect_left(self._captions, (figure.start,))
        inside = [c for c in self._captions[first : first + 1] if c.start < figure.stop]
        return self._text(inside[0]) if inside else ""

    def _link(self, anchor: Element | None) -> str:
        """Return the words of a link, or else of its attributes."""
        written = attributes_of(anchor.attributes) if anchor is not None else {}
        if anchor is None or "href" not in written:
            return ""
        return self._text(anchor) or clean(written.get("title") or written.get("aria-label", ""))

    def _text(self, element: Element) -> str:
        if element.start not in self._texts:
            self._texts[element.start] = self._markup.text(element.inner, element.stop)
        return self._texts[element.start]
