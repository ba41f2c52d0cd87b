"""The images of a page with the texts about each."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

_HASH = re.compile(r"^(?=.*\d)[0-9a-f]{8,}$", re.IGNORECASE)
_CAMERA = re.compile(r"^(img|dsc|dscn|dscf|pict|p|image|photo|mvi|screenshot)?\d+$", re.IGNORECASE)


class Text(NamedTuple):
    """A text about an image: its labeling source, and its weight by nearness, in [0, 1]."""

    source: str
    text: str
    weight: float = 1.0


@dataclass(frozen=True)
class PageImage:
    """An image: its absolute URL, each text about it, and URLs of other sizes of it."""

    url: str
    texts: tuple[Text, ...]
    others: tuple[str, ...] = ()


@functools.lru_cache(maxsize=10_000)  # most pages of a site show the same logo and icons
def filename_words(url: str) -> str:
    """Return the words of a URL's file name; hashes and camera names have none.

    Examples
    --------
    >>> [filename_words(f"https://a.org/x/{name}") for name in
    ...  ("ripe_banana-2.jpg", "IMG_2041.jpg", "9f86d081884c7d65.png", "DSC00012.JPG")]
    ['ripe banana', '', '', '']
    """
    stem = unquote(urlsplit(url).path).rsplit("/", 1)[-1].rsplit(".", 1)[0]
    if _CAMERA.match(re.sub(r"[\W_]", "", stem)):
        return ""
    words = re.split(r"[\W_]+", stem)
    return " ".join(w for w in words if w and not w.isdigit() and not _HASH.match(w))


@dataclass
class Images:
    """The images of a page: URLs in order, their texts, and URLs of other sizes."""

    entries: list[tuple[str, list[Text], tuple[str, ...]]] = field(default_factory=list)
    index_of: dict[str, int] = field(default_factory=dict)

    def append(self, urls: tuple[str, ...], texts: list[Text]) -> None:
        """Add an image with its URLs, that of the likeliest largest size first."""
        for url in urls:
            self.index_of.setdefault(url, len(self.entries))
        self.entries.append((urls[0], texts, urls[1:]))

    def add(self, urls: Iterable[str], texts: Iterable[Text]) -> None:
        """Add texts to the first image with one of some URLs, or an image with them if any."""
        urls = list(urls)
        known = [self.index_of[url] for url in urls if url in self.index_of]
        if urls and not known:
            known = [len(self.entries)]
            name = filename_words(urls[0])
            self.append(tuple(urls), [Text("filename", name)] if name else [])
        if known:
            self.entries[known[0]][1].extend(texts)

    def freeze(self) -> tuple[PageImage, ...]:
        """Return the images in the order in which they were added."""
        return tuple(PageImage(url, tuple(texts), others) for url, texts, others in self.entries)
