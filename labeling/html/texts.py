"""Texts around an image: its caption, link, heading and the words nearby; and other sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labeling.html.captions import MAX_STEPS, words_around
from labeling.html.headings import Captions, Headings
from labeling.html.outline import Element, Outline, Tag, innermost
from labeling.html.scanner import Markup, attributes_of, clean

_MAX_STEPS_OF_PAGE = 200_000
"""Steps to the words around all images of a page, so that one of thousands takes few seconds."""


class Surroundings:
    """Finds the texts around the images of one page; each text is read once."""

    def __init__(
        self, markup: Markup, outline: Outline, anchors: Sequence[Element], images: Sequence[Tag]
    ) -> None:
        self._markup = markup
        self._anchors = anchors
        starts = [image.start for image in images]
        self._headings = Headings(markup.page, outline.headings(), starts, anchors)
        self._figures = outline.figures()
        self._captions = Captions(outline.captions(), self._figures, starts)
        self._max_steps = min(MAX_STEPS, _MAX_STEPS_OF_PAGE // max(len(images), 1))
        self._texts: dict[int, str] = {}

    def texts(self, image: Tag) -> Iterator[tuple[str, str, float]]:
        """Yield labeling source, text and weight of each text around an image."""
        figure = innermost(self._figures, image.start)
        if (caption := self._captions.of(image.start)) is not None:
            yield "caption", self._text(caption[0]), caption[1]
        yield "link", self._link(innermost(self._anchors, image.start)), 1.0
        if (heading := self._headings.of(image.start)) is not None:
            yield "heading", self._text(heading[0]), heading[1]
        start, stop = image.start, image.stop
        if figure is not None and figure.stop < len(self._markup.page):
            start, stop = figure.start, self._markup.page.find(">", figure.stop) + 1
        for text, weight in words_around(self._markup.page, start, stop, self._max_steps):
            yield "surrounding", text, weight

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
