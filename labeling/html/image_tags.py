"""The images of a page and their URLs: all sizes, copies without scripts and full views."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from labeling.html.outline import Element, Outline, Tag, innermost
from labeling.html.references import Attributes, image_references, is_inlined, is_placeholder
from labeling.html.scanner import attributes_of
from labeling.keys.urls import Resolver, may_be_of_web

MAX_IMAGES = 5_000
"""Images of a page that are read, in the order of the page."""

INLINED_IMAGE = "inlined_image"
"""Loss of an image whose bytes are in the page; it has no URL by which it could be read again."""

NO_IMAGE_URL = "no_image_url"
"""Loss of an image without a URL, as where a script is to set one that is nowhere in the tag."""

COUNTED = (INLINED_IMAGE, NO_IMAGE_URL)
"""Losses that are counted by file; there may be thousands of a page."""

_MAX_SOURCES = 10
_MAX_GAP = 2000
_GAP = re.compile(r"\s*+(?:</?(?:noscript|picture|source)(?=[\s/>])[^>]*+>\s*+)++", re.IGNORECASE)
_OPENS = re.compile(r"<noscript[\s/>]", re.IGNORECASE)
_CLOSES = re.compile(r"</noscript[\s/>]", re.IGNORECASE)
_IMAGE_FILE = re.compile(r"[^:]*\.(?:jpe?g|png|gif|webp|jfif)", re.IGNORECASE)


class ImageTag(NamedTuple):
    """An image: its tag, its attributes, and the URLs of its sizes, the likeliest largest first."""

    tag: Tag
    attributes: Attributes
    urls: tuple[str, ...]


def image_tags(
    page: str,
    outline: Outline,
    resolver: Resolver,
    links: Sequence[Element],
    losses: list[tuple[str, str]],
) -> list[ImageTag]:
    """Return the images of a page that have a URL.

    Parameters
    ----------
    page, outline
        The page in the regular form of `labeling.html.scanner`, and its tags.
    resolver
        Resolves references.
    links
        Elements of links that may hold images, in order.
    losses
        Gets ``too_many_images`` if there are more than `MAX_IMAGES`, and those of `COUNTED`.
    """
    images: list[ImageTag] = []
    groups = list(_with_copies(page, outline.images()))
    pictures, sources = outline.pictures(), outline.tags("source")
    for n_before, (tag, image, copies) in enumerate(groups):
        if len(images) == MAX_IMAGES:
            losses.append(("too_many_images", f"{len(groups) - n_before} more"))
            break
        others = _sources_of(tag, pictures, sources) if pictures else []
        references = image_references(image, [*others, *copies])
        urls = tuple(filter(None, map(resolver, references)))
        if not urls:
            losses += losses_without_url(references)
        else:
            written = {name: value for copy in copies for name, value in copy.items()}
            written |= {name: value for name, value in image.items() if value}
            images.append(ImageTag(tag, written, tuple(dict.fromkeys(urls))))
    return _with_full_views(images, resolver, links)


def losses_without_url(references: Sequence[str]) -> list[tuple[str, str]]:
    """Return the loss of an image without a valid URL; none if its URL is invalid, a loss itself.

    Examples
    --------
    >>> [losses_without_url([reference]) for reference in ("blob:7", "http://[")]
    [[('no_image_url', 'blob:7')], []]
    """
    if is_inlined(references):
        return [(INLINED_IMAGE, references[0][:50])]
    if any(map(may_be_of_web, references)):
        return []
    return [(NO_IMAGE_URL, "".join(references[:1])[:50])]


def _with_copies(
    page: str, tags: Sequence[Tag]
) -> Iterator[tuple[Tag, Attributes, list[Attributes]]]:
    """Yield each image and its attributes, and those of its copy in a ``<noscript>`` beside it."""
    row = 0
    while row < len(tags):
        tag, image = tags[row], _attributes(tags[row])
        row += 1
        gap = page[tag.stop : tags[row].start] if row < len(tags) else ""
        if "<" in gap and len(gap) <= _MAX_GAP and _GAP.fullmatch(gap):
            other = _attributes(tags[row])
            if _OPENS.search(gap) and not _CLOSES.search(gap) and _is_copy(other, image):
                row += 1
                yield tag, image, [other]
                continue
            if _CLOSES.search(gap) and not _OPENS.search(gap) and _is_copy(image, other):
                row += 1
                yield tags[row - 1], other, [image]
                continue
        yield tag, image, []


def _attributes(tag: Tag) -> Attributes:
    """Return the attributes of an image; one in a drawing (SVG) has ``href`` for ``src``."""
    attributes = attributes_of(tag.attributes)
    if tag.name == "image" and "src" not in attributes:
        attributes["src"] = attributes.get("href") or attributes.get("xlink:href", "")
    return attributes


def _is_copy(copy: Attributes, image: Attributes) -> bool:
    """Return whether an image for browsers without scripts is the same; counters are not."""
    if copy.get("width") in ("0", "1") or copy.get("height") in ("0", "1"):
        return False
    same = set(image_references(copy)) & set(image_references(image))
    return is_placeholder(image.get("src", "")) or bool(same)


def _sources_of(
    image: Tag, pictures: Sequence[Element], sources: Sequence[Tag]
) -> list[Attributes]:
    """Return the attributes of each ``<source>`` for an image in a ``<picture>``."""
    picture = innermost(pictures, image.start)
    if picture is None:
        return []
    first = bisect_left(sources, picture.start, key=lambda tag: tag.start)
    near = sources[first : first + _MAX_SOURCES]
    return [attributes_of(tag.attributes) for tag in near if tag.start < image.start]


def _with_full_views(
    images: Sequence[ImageTag], resolver: Resolver, links: Sequence[Element]
) -> list[ImageTag]:
    """Put the image that a link leads to before those of the only image in the link."""
    around = [innermost(links, image.tag.start) for image in images] if links else []
    n_images = Counter(link.start for link in around if link is not None)
    result = list(images)
    for row, link in enumerate(around):
        if link is not None and n_images[link.start] == 1:
            target = resolver(attributes_of(link.attributes).get("href"))
            if _is_image_file(target):
                urls = dict.fromkeys((target, *images[row].urls))
                result[row] = images[row]._replace(urls=tuple(urls))
    return result


def _is_image_file(url: str) -> bool:
    """Return whether the path of a URL ends as that of an image; a page on an image has a colon.

    Examples
    --------
    >>> [_is_image_file(f"https://a.org/{name}") for name in ("x.JPG?v", "File:X.jpg", "x.html")]
    [True, False, False]
    """
    name = urlsplit(url).path.rpartition("/")[2]
    return _IMAGE_FILE.fullmatch(name) is not None
