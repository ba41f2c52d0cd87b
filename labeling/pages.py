"""HTML pages to texts about their images, and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

from resiliparse.parse.encoding import detect_encoding
from resiliparse.parse.html import DocumentNode, ElementNode, HTMLTree

MAX_PAGE_BYTES = 8 * 1024 * 1024
"""Bytes of a page that are parsed; the rest is left out."""

MAX_LINKS = 10_000
"""Links of a page that are read, in the order of the page."""

SURROUNDING_WORDS = 60
"""Words of the block around an image that are taken for its surrounding text."""

_BLOCKS = ("p", "li", "td", "figure", "div", "section", "article", "main", "body")
_HEADINGS = ("h1", "h2", "h3", "h4")
_HASH = re.compile(r"^(?=.*\d)[0-9a-f]{8,}$", re.IGNORECASE)
_CAMERA = re.compile(r"^(img|dsc|dscn|dscf|pict|p|image|photo|mvi|screenshot)?\d+$", re.IGNORECASE)
_SCHEMES = ("http", "https")


@dataclass(frozen=True)
class PageImage:
    """One ``<img>``: its absolute URL, and (source, text) for each text about it."""

    url: str
    texts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Page:
    """What a page says: its images and its links as (absolute URL, link text)."""

    url: str
    lang: str | None
    images: tuple[PageImage, ...]
    links: tuple[tuple[str, str], ...]


def read_page(content: bytes, url: str) -> Page:
    """Read a page: bytes in the declared or detected charset, relative URLs resolved.

    Examples
    --------
    >>> page = read_page(b'<h1>Fruit</h1><p><img src="red-apple.jpg" alt="A!"></p>', "https://a.org/")
    >>> page.images[0].url
    'https://a.org/red-apple.jpg'
    >>> page.images[0].texts
    (('alt', 'A!'), ('filename', 'red apple'), ('heading', 'Fruit'), ('surrounding', 'Fruit'))
    """
    content = content[:MAX_PAGE_BYTES]
    encoding = detect_encoding(content, from_html_meta=True) or "utf-8"
    tree = HTMLTree.parse_from_bytes(content, encoding)
    document = tree.document
    if document is None:
        return Page(url, None, (), ())
    base = _base_url(document, url)
    root = document.document_element
    lang = root.getattr("lang") if root is not None else None
    images = tuple(_images(document, base, _clean(tree.title)))
    return Page(url, lang or None, images, tuple(_links(document, base)))


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


def _base_url(document: DocumentNode, url: str) -> str:
    base = document.query_selector("base[href]")
    return urljoin(url, base.getattr("href", "")) if base is not None else url


def _links(document: DocumentNode, base: str) -> Iterator[tuple[str, str]]:
    for node in document.query_selector_all("a[href]")[:MAX_LINKS]:
        target = _absolute(base, node.getattr("href"))
        if target:
            yield target.split("#", 1)[0], _clean(node.text)


def _images(document: DocumentNode, base: str, title: str) -> Iterator[PageImage]:
    heading = ""
    for node in document.query_selector_all("img, h1, h2, h3, h4"):
        if node.tag in _HEADINGS:
            heading = _clean(node.text)
            continue
        url = _absolute(base, node.getattr("src") or node.getattr("data-src"))
        if not url:
            continue
        texts = {
            "alt": _clean(node.getattr("alt")),
            "tooltip": _clean(node.getattr("title")),
            "caption": _caption(node),
            "filename": filename_words(url),
            "heading": heading,
            "title": title,
            "surrounding": _surrounding(node),
        }
        yield PageImage(url, tuple((source, text) for source, text in texts.items() if text))


def _caption(image: ElementNode) -> str:
    figure = _closest(image, ("figure",))
    caption = figure.query_selector("figcaption") if figure is not None else None
    return _clean(caption.text) if caption is not None else ""


def _surrounding(image: ElementNode) -> str:
    """Return the first words of the nearest block that has text outside the image's figure."""
    figure = _closest(image, ("figure",))
    block = _closest(figure or image, _BLOCKS)
    while block is not None:
        text = _clean(block.text)
        if figure is not None:
            text = text.replace(_clean(figure.text), " ").strip()
        if text:
            return " ".join(text.split()[:SURROUNDING_WORDS])
        block = _closest(block, _BLOCKS)
    return ""


def _closest(node: ElementNode, tags: tuple[str, ...]) -> ElementNode | None:
    parent = node.parent_element
    while parent is not None and parent.tag not in tags:
        parent = parent.parent_element
    return parent


def _absolute(base: str, reference: str | None) -> str:
    try:
        url = urljoin(base, (reference or "").strip())
        return url if reference and urlsplit(url).scheme in _SCHEMES else ""
    except ValueError:
        return ""


def _clean(text: str | None) -> str:
    return " ".join((text or "").split())
