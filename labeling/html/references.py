"""References of an image in its attributes, also where a script is to load it.

Libraries for lazy loading put the references into attributes of their own, with nothing or with a
placeholder in ``src``. The names of these attributes differ: they are recognised by their parts
(``data-lazy-src``, ``data-original``, …), any others by an image's URL beside a placeholder.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

from labeling.html.srcset import MAX_VALUE, is_srcset, srcset_references

MAX_REFERENCES = 20
"""References of one image that are returned."""

MAX_BLANK = 300
"""Characters of a ``data:`` URL with an image of one pixel, a blank one or one of few colours."""

Attributes = dict[str, str]


class Rank(IntEnum):
    """The order of references, those of the likeliest largest first."""

    LARGE = 0
    SRCSET = 1
    LAZY = 2
    SRC = 3
    SMALL = 4
    UNDECODED = 5


class _Kind(NamedTuple):
    """An attribute: the rank of its references, and whether they need an image's ending."""

    rank: Rank
    needs_ending: bool
    is_src: bool


_ENDINGS = r"\.(?:jpe?g|jfif|png|gif|webp|avif|bmp|tiff?)"
_ENDING = re.compile(rf"{_ENDINGS}(?:[:!;][^\s/]{{0,40}})?\Z", re.IGNORECASE)
_END_OF_PATH = re.compile(r"[?#]")
_NO_URL = re.compile(r"[<>{}]")
_RUN = re.compile(r"[^\s\"'`()\[\]{}<>,;|]++")
_IMAGE_END = re.compile(rf"{_ENDINGS}(?:\?.*+)?(?![\w.%/-])", re.IGNORECASE | re.DOTALL)
_UNDECODED_TYPES = ("image/avif", "image/heic", "image/jxl", "image/jp2", "image/svg+xml")
_PLAUSIBLE = re.compile(r"(?=[^/?]*[/?])[^\s<>{}\[\]\"'`]+")
_PAGE_ENDING = re.compile(r"(?:\.(?:[xs]?html?|aspx?|jsp|js|css|json|xml)|/)(?:[?#]|$)", re.I)
_NO_REFERENCE = re.compile(r"\s*(?:$|data:|about:|javascript:|\#)", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"""(?<![a-z])(?:blank|spacer|place-?_?holder|loading|loader|preload(?:er)?|lazy(?:-?_?load)?
      |spinner|empty|transparent|trans|pixel|[01]x[01]|clear|dummy|gr[ae]y|null|none)
    (?![a-z]).*\.(?:gif|png|jpe?g|svg|webp)$""",
    re.IGNORECASE | re.VERBOSE,
)
_MAX_NAME = 200
# Parts of the names of attributes.
_STANDARD = frozenset(
    ("src", "alt", "title", "class", "id", "style", "width", "height", "sizes", "loading", "lang")
    + ("name", "border", "align", "hspace", "vspace", "usemap", "longdesc", "role", "rel", "type")
    + ("media", "decoding", "crossorigin", "fetchpriority", "itemprop")
)
_OF_OTHERS = re.compile(
    r"hover|rollover|mouse|swap|(?<![a-z])alt(?![a-z])|back(?!ground)|error|fallback|placeholder"
    r"|lqip|low|blur|spinner|loading|loader|track|pixel|beacon|icon|logo|avatar|author|user|href"
    r"|link|page(?!speed)|title|caption|desc|name|next|prev|width|height|sizes?$|count|type|id$|^on"
)
_OF_LESS = re.compile(r"(?!.*error)(?:.*(?:href|link|low|blur|lqip)|onload)")
"""Attributes that hold the image where no other does: its link, a small copy, a script."""
_OF_LARGE = re.compile(r"large|full|zoom|hi-?res|high|big|max|retina|(?<![a-z])[234]x")
_OF_SMALL = re.compile(r"small|thumb|medium|mobile|tiny|preview|mini")
_OF_IMAGES = re.compile(r"src|original|lazy|echo|image|img|background|(?<![a-z])bg|photo|picture")
_OF_FILES = re.compile(r"file|source|url|full|large|zoom|retina|hi-?res|real|actual")


def image_references(image: Attributes, sources: Iterable[Attributes] = ()) -> list[str]:
    """Return the references of an image to its sizes, the likeliest largest first.

    Parameters
    ----------
    image
        Attributes of the ``<img>``.
    sources
        Attributes of each ``<source>`` of its ``<picture>``, or of its copy for browsers without
        scripts.

    Examples
    --------
    >>> image_references({"src": "s.jpg", "srcset": "a.jpg 320w,b.jpg 1280w"})
    ['b.jpg', 'a.jpg', 's.jpg']
    >>> image_references({"src": "data:image/gif;base64,R0", "data-echo": "a.jpg", "data-id": "7"})
    ['a.jpg']
    """
    src = image.get("src", "").strip()
    if not sources and image.keys() <= _STANDARD and not is_placeholder(src):
        return [src]
    ranked = list(_ranked(image, src))
    for source in sources:
        ranked += _ranked(source, src)
    ranked.sort(key=lambda reference: reference[:2])
    written = [reference for *_, reference in ranked]
    references = [reference for reference in written if not is_placeholder(reference)]
    references = references or list(_beside_placeholder(image)) or written
    return list(dict.fromkeys(references))[:MAX_REFERENCES]


def is_placeholder(reference: str) -> bool:
    """Return whether a reference is of no image, or of one that is shown until another is loaded.

    Examples
    --------
    >>> [is_placeholder(r) for r in ("data:image/gif,x", "/img/ajax-loader.gif", "blank-tee.jpg")]
    [True, True, True]
    """
    if _NO_REFERENCE.match(reference):
        return True
    name = _END_OF_PATH.split(reference.rstrip(), maxsplit=1)[0].rpartition("/")[2]
    return len(name) <= _MAX_NAME and _PLACEHOLDER.search(name) is not None


def is_inlined(references: Iterable[str]) -> bool:
    """Return whether references are of an image whose bytes are in the page, not of a placeholder.

    Examples
    --------
    >>> [is_inlined(["data:image/gif;base64," + "A" * n_letters]) for n_letters in (1000, 40)]
    [True, False]
    """
    inlined = (r for r in references if r[:11].lower() == "data:image/")
    return any(len(reference) > MAX_BLANK for reference in inlined)


def _has_ending(value: str) -> bool:
    """Return whether a value is a URL whose path ends as that of an image."""
    path = _END_OF_PATH.split(value, maxsplit=1)[0]
    # Only the end is searched: one pattern for the whole would try every ending in it.
    return _ENDING.search(path, max(len(path) - 60, 1)) is not None and not _NO_URL.search(value)


def _ranked(attributes: Attributes, src: str) -> Iterator[tuple[Rank, float, str]]:
    """Yield rank, negative size and reference of each reference in attributes for images."""
    is_undecoded = attributes.get("type", "").lower() in _UNDECODED_TYPES
    for name, value in reversed(attributes.items()):  # in the order of the page
        kind = _kind(name)
        if kind is None:
            continue
        value = value[:MAX_VALUE].strip()
        if "srcset" in name or (name != "src" and is_srcset(value)):
            references = srcset_references(value)
            rank = Rank.SRCSET
        elif name == "src" or _is_reference(value, kind, is_placeholder(src)):
            references, rank = [(value, 0.0)], kind.rank
        else:
            continue
        for reference, size in references:
            yield Rank.UNDECODED if is_undecoded else rank, -size, reference


def _is_reference(value: str, kind: _Kind, is_blank: bool) -> bool:
    """Return whether a value is a URL of an image, of which the ending may be missing."""
    if _has_ending(value):
        return True
    if kind.needs_ending or _PAGE_ENDING.search(value):
        return False
    return (is_blank or kind.is_src) and _PLAUSIBLE.fullmatch(value) is not None


@functools.lru_cache(maxsize=1000)
def _kind(name: str) -> _Kind | None:
    """Return the kind of an attribute by its name; None for those that are of no image."""
    if name in ("src", "srcset"):
        return _Kind(Rank.SRC if name == "src" else Rank.SRCSET, needs_ending=False, is_src=True)
    is_of_image = _OF_IMAGES.search(name) is not None
    if name in _STANDARD or _OF_OTHERS.search(name):
        return None
    if not is_of_image and not _OF_FILES.search(name):
        return None
    rank = Rank.SMALL if _OF_SMALL.search(name) else Rank.LAZY
    rank = Rank.LARGE if _OF_LARGE.search(name) else rank
    return _Kind(rank, needs_ending=not is_of_image, is_src="src" in name)


def _image_urls(run: str) -> Iterator[str]:
    """Yield the URLs with an image's ending in a run of characters of URLs."""
    start = 0
    # One pattern for the whole URL would try every character of a run as its first: quadratic.
    while end := _IMAGE_END.search(run, start + 1):
        yield run[start : end.end()]
        start = end.end()


def _beside_placeholder(image: Attributes) -> Iterator[str]:
    """Yield URLs with an image's ending in attributes of any name, those `_OF_LESS` at the end."""
    others = [name for name in reversed(image) if name not in _STANDARD or name == "style"]
    of_others = {name for name in others if _OF_OTHERS.search(name)}
    less = [name for name in others if name in of_others and _OF_LESS.match(name)]
    for name in [name for name in others if name not in of_others] + less:
        value = image[name]
        value = value[:MAX_VALUE].replace("\\/", "/")  # as JSON may escape it
        urls = [url for run in _RUN.findall(value) for url in _image_urls(run)]
        if is_srcset(value):
            urls = [url for url, _ in srcset_references(value)]
        yield from (url for url in urls if not is_placeholder(url))
