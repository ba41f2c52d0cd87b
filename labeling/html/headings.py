"""The heading of each image, that of its card or else the one before it, and its caption.

A card is the smallest element around an image that holds a heading; if it holds no other image, the
heading is the image's, before or after it. Cards are found among the elements that lay out a page,
whose spans are read in one pass: an end tag closes the elements within its own that were left open,
as in HTML, and is ignored where none of its name is open.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

from labeling.html.outline import NAVIGATION, Element, innermost

SHARED_WEIGHT = 0.5
"""Weight of a heading that may be of another image, as of words at a distance."""

_MAX_AROUND = 50
_MAX_BEFORE = 50

_NAMES = "div|li|article|section|t[drh]|table|figure|[uod]l|main|form|" + "|".join(NAVIGATION)
# Items and cells with text only are passed over in one step.
_LAYOUT = re.compile(
    rf"<(?:(?:td|li|div|th)(?=[\s>])[^<>]*+>[^<]*+</(?:td|li|div|th)"
    rf"|(/?(?:{_NAMES}))(?=[\s/>])[^<>]*+)>",
    re.ASCII | re.IGNORECASE,
)
_ENDED_BY = {"li": ("li",), "td": ("td", "th"), "th": ("td", "th"), "tr": ("td", "th", "tr")}


class Headings:
    """Finds the headings of the images of one page.

    Parameters
    ----------
    page
        The page, in the regular form of `labeling.html.scanner`.
    headings
        Its headings, in order.
    images
        Offset of each image, in order.
    links
        Elements of links that may hold images, in order.
    """

    def __init__(
        self,
        page: str,
        headings: Sequence[Element],
        images: Sequence[int],
        links: Sequence[Element],
    ) -> None:
        self._headings = headings
        self._starts = [heading.start for heading in headings]
        self._images = images
        self._links = links
        end = max(self._starts[-1], images[-1]) if headings and images else 0
        self._layout = _Layout(page, end) if end else None
        self._n_characters = len(page)
        self._cards = {image: self._card(image) for image in images}
        self._own = {
            image: self._in_card(image, start, stop)
            for image, (start, stop, n_images) in self._cards.items()
            if n_images == 1
        }
        self._alternating: dict[tuple[int, int], bool] = {}
        self._taken = set(self._own.values())

    def of(self, image: int) -> tuple[Element, float] | None:
        """Return the heading of an image and its weight; None if it has none."""
        if image in self._own:
            return self._headings[self._own[image]], 1.0
        row = self._shared(image)
        return None if row is None else (self._headings[row], SHARED_WEIGHT)

    def _card(self, image: int) -> tuple[int, int, int]:
        """Return the span of the smallest element with a heading, and the number of its images."""
        for start, stop in self._around(image):
            if self._rows(self._starts, start, stop):
                return start, stop, len(self._rows(self._images, start, stop))
        return 0, 0, 0

    def _around(self, image: int) -> Iterator[tuple[int, int]]:
        """Yield the spans of the elements around an image, the smallest first, and the page."""
        link = innermost(self._links, image)
        for start, stop in self._layout.around(image) if self._layout else ():
            if link is not None and start < link.start:
                yield link.start, link.stop
                link = None
            yield start, stop
        if link is not None:
            yield link.start, link.stop
        yield 0, self._n_characters

    @staticmethod
    def _rows(offsets: Sequence[int], start: int, stop: int) -> range:
        return range(bisect_left(offsets, start), bisect_left(offsets, stop))

    def _in_card(self, image: int, start: int, stop: int) -> int:
        rows = self._rows(self._starts, start, stop)
        return max(rows.start, bisect_left(self._starts, image) - 1)

    def _shared(self, image: int) -> int | None:
        """Return the heading of an image that has no card of its own.

        It is the one before it, but none of another's card. In a card of several images with one
        heading it is that one; where images and headings alternate, an image first and a heading
        last, it is the one after the image.
        """
        start, stop, _ = self._cards[image]
        after = bisect_left(self._starts, image)
        rows = self._rows(self._starts, start, stop)
        is_part = stop - start < self._n_characters
        if is_part and (len(rows) == 1 or self._alternate(start, stop)) and after in rows:
            return after if after not in self._taken else None
        before = range(after - 1, max(after - _MAX_BEFORE, 0) - 1, -1)
        return next((row for row in before if row not in self._taken), None)

    def _alternate(self, start: int, stop: int) -> bool:
        """Return whether an element holds an image, a heading, an image, and so on."""
        if (start, stop) not in self._alternating:
            headings = self._rows(self._starts, start, stop)
            images = self._rows(self._images, start, stop)
            is_even = len(headings) == len(images)
            pairs = zip(images, headings, strict=True) if is_even else ()
            offsets = [n for i, h in pairs for n in (self._images[i], self._starts[h])]
            self._alternating[start, stop] = is_even and offsets == sorted(offsets)
        return self._alternating[start, stop]


class _Layout:
    """The spans of the elements that lay out a page up to an offset, by their starts."""

    def __init__(self, page: str, end: int) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._parents: list[int] = []
        names: list[str] = []
        opened: list[int] = []
        n_open: Counter[str] = Counter()

        def close(stop: int) -> str:
            row = opened.pop()
            n_open[names[row]] -= 1
            self._stops[row] = stop
            return names[row]

        for tag in _LAYOUT.finditer(page, 0, end):
            if tag[1] is None:
                continue
            name = tag[1].lower()
            if name[0] == "/":
                while n_open[name[1:]] and close(tag.start()) != name[1:]:
                    pass
                continue
            while opened and names[opened[-1]] in _ENDED_BY.get(name, ()):
                close(tag.start())
            self._parents.append(opened[-1] if opened else -1)
            opened.append(len(names))
            names.append(name)
            n_open[name] += 1
            self._starts.append(tag.start())
            self._stops.append(len(page))

    def around(self, offset: int) -> Iterator[tuple[int, int]]:
        """Yield the spans of the innermost elements around an offset, the smallest first."""
        row = bisect_left(self._starts, offset) - 1
        for _ in range(_MAX_AROUND):
            if row < 0:
                return
            if self._stops[row] > offset:
                yield self._starts[row], self._stops[row]
            row = self._parents[row]


class Captions:
    """Finds the captions of the images of one page: those of their innermost figure.

    Of several in a figure, an image has the next one, or the last one if a caption comes first.
    """

    def __init__(
        self, captions: Sequence[Element], figures: Sequence[Element], images: Sequence[int]
    ) -> None:
        self._figures = figures
        self._images = images
        self._of_figure: dict[Element, list[Element]] = {}
        for caption in captions:
            figure = innermost(figures, caption.start)
            if figure is not None:
                self._of_figure.setdefault(figure, []).append(caption)

    def of(self, image: int) -> tuple[Element, float] | None:
        """Return the caption of an image and its weight; None if it has none."""
        figure = innermost(self._figures, image)
        captions = self._of_figure.get(figure, []) if figure is not None else []
        if not captions or figure is None:
            return None
        first, last = (bisect_left(self._images, n) for n in (figure.start, figure.stop))
        if len(captions) == 1:
            return captions[0], 1.0 if last - first == 1 else SHARED_WEIGHT
        row = bisect_left(captions, (image,))
        if captions[0].start < self._images[first]:  # captions are above their images
            row -= 1
        weight = 1.0 if len(captions) == last - first else SHARED_WEIGHT
        return captions[min(row, len(captions) - 1)], weight
