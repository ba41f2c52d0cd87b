"""The heading of each image, that of its card or else the one before it, and its caption.

A card is the smallest element around an image that holds a heading; if it holds no other image, the
heading is the image's, before or after it. Where images and headings alternate without cards, an
image has the next heading if it is right below the image; in a table with a row of images and a row
of headings, it has that of its column. Hidden headings are of no image.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from labeling.html.layout import Layout, Span, is_hidden
from labeling.html.outline import Element, innermost
from labeling.html.scanner import without_tags

SHARED_WEIGHT = 0.5
"""Weight of a heading that may be of another image, as of words at a distance."""

_MAX_BEFORE = 50
_MAX_GAP = 2000
"""Characters of source between an image and the heading below it; more are not searched."""
_MAX_BELOW = 300
"""Characters of text between the heading of an image and the next image; a section has more."""


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
        self._images = images
        self._links = links
        self._page = page
        end = max(headings[-1].start, images[-1]) if headings and images else 0
        self._layout = Layout(page, end)
        self._headings = list(self._shown(headings)) if images else []
        self._starts = [heading.start for heading in self._headings]
        self._cards = {image: self._card(image) for image in images}
        self._own = {
            image: self._in_card(image, start, stop)
            for image, (start, stop, n_images) in self._cards.items()
            if n_images == 1
        }
        self._alternating: dict[Span, bool] = {}
        self._taken = set(self._own.values())
        self._beside = {} if len(self._own) == len(images) else self._below() | self._in_columns()

    def of(self, image: int) -> tuple[Element, float] | None:
        """Return the heading of an image and its weight; None if it has none."""
        if image in self._own:
            return self._headings[self._own[image]], 1.0
        row = self._shared(image)
        return None if row is None else (self._headings[row], SHARED_WEIGHT)

    def _shown(self, headings: Iterable[Element]) -> Iterator[Element]:
        """Yield the headings that are not hidden, and those that an image is hidden with."""
        hidden_until = 0
        hidden = iter([*self._layout.hidden(), (len(self._page), 0)])
        start, stop = next(hidden)
        for heading in headings:
            while start < heading.start:
                if not self._rows(self._images, start, stop):
                    hidden_until = max(hidden_until, stop)
                start, stop = next(hidden)
            if heading.start >= hidden_until and not is_hidden(heading.attributes):
                yield heading

    def _card(self, image: int) -> tuple[int, int, int]:
        """Return the span of the smallest element with a heading, and the number of its images."""
        for start, stop in self._around(image):
            if self._rows(self._starts, start, stop):
                return start, stop, len(self._rows(self._images, start, stop))
        return 0, 0, 0

    def _around(self, image: int) -> Iterator[Span]:
        """Yield the spans of the elements around an image, the smallest first, and the page."""
        link = innermost(self._links, image)
        for start, stop in self._layout.around(image):
            if link is not None and start < link.start:
                yield link.start, link.stop
                link = None
            yield start, stop
        if link is not None:
            yield link.start, link.stop
        yield 0, len(self._page)

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
        last, or in columns, it is the one after the image.
        """
        if image in self._beside:
            return self._beside[image]
        start, stop, _ = self._cards[image]
        after = bisect_left(self._starts, image)
        rows = self._rows(self._starts, start, stop)
        is_part = stop - start < len(self._page)
        if is_part and (len(rows) == 1 or self._alternate(start, stop)) and after in rows:
            return after if after not in self._taken else None
        before = range(after - 1, max(after - _MAX_BEFORE, 0) - 1, -1)
        return next((row for row in before if row not in self._taken), None)

    def _below(self) -> dict[int, int]:
        """Return the headings right below images, of runs of images with two or more of these.

        The headings of a run are of one level, the one before it is of another, and no image is
        right below its last. Otherwise they are above their images, as those of sections are.
        """
        free = [row for row in range(len(self._headings)) if row not in self._taken]
        starts = [self._starts[row] for row in free]
        runs: list[list[tuple[int, int]]] = [[]]
        for image in (image for image in self._images if image not in self._own):
            index = bisect_left(starts, image)
            has_one = index < len(free) and self._is_right_below(image, starts[index])
            last = runs[-1][-1][1] if runs[-1] else None
            if last is not None and has_one and self._continues(last, image, free[index]):
                runs[-1].append((image, free[index]))
                continue
            if last is not None and not self._text(self._headings[last].stop, image):
                runs.pop()
            starts_run = not index or not has_one or self._differ(free[index - 1], free[index])
            runs.append([(image, free[index])] if has_one and starts_run else [])
        return {i: row for run in runs if run and run[0][1] < run[-1][1] for i, row in run}

    def _is_right_below(self, image: int, heading: int) -> bool:
        """Return whether a heading is in the card of an image, and no text between them."""
        return heading < self._cards[image][1] and not self._text(image, heading)

    def _continues(self, heading: int, image: int, after: int) -> bool:
        """Return whether an image with a heading after it continues a run that has another one."""
        if heading == after:
            return True
        last = self._headings[bisect_left(self._starts, image) - 1]
        is_near = len(self._text(last.stop, image)) <= _MAX_BELOW
        return is_near and not self._differ(heading, after)

    def _differ(self, *rows: int) -> bool:
        """Return whether headings are of different levels."""
        return len({self._page[i : i + 3].lower() for i in map(self._starts.__getitem__, rows)}) > 1

    def _text(self, start: int, stop: int) -> str:
        """Return the text from the end of a tag to an offset, or the source if it is long."""
        if stop - start > _MAX_GAP:
            return self._page[start : start + _MAX_GAP]
        return without_tags(self._page[self._page.find(">", start) + 1 : stop]).strip()

    def _in_columns(self) -> dict[int, int]:
        """Return the headings of images in tables by column, from the row above or below."""
        in_columns: dict[int, int] = {}
        for table in self._layout.tables():
            rows = [(row, self._kind(row)) for row in table if len(row) > 1]
            first = next((kind for _, kind in rows if kind), "")
            for (upper, kind), (lower, other) in pairwise(rows):
                if kind == first and {kind, other} == {"images", "headings"}:
                    in_columns |= self._matched(upper, lower)
        return in_columns

    def _kind(self, row: Sequence[Span]) -> str:
        """Return whether a row of a table holds only images or only headings."""
        has_images = bool(self._rows(self._images, row[0][0], row[-1][1]))
        has_headings = bool(self._rows(self._starts, row[0][0], row[-1][1]))
        if has_images == has_headings:
            return ""
        return "images" if has_images else "headings"

    def _matched(self, upper: Sequence[Span], lower: Sequence[Span]) -> dict[int, int]:
        """Return the headings of one row of a table for the images of the next, or reversed."""
        if len(upper) != len(lower):
            return {}
        return {
            self._images[image]: row
            for above, below in zip(upper, lower, strict=True)
            for cell, beside in ((above, below), (below, above))
            for row in self._rows(self._starts, *cell)[:1]
            for image in self._rows(self._images, *beside)
        }

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
