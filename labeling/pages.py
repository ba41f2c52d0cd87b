"""HTML pages to texts about their images, and links.

Nodes come from `resiliparse`. Three of its traps are kept away from here: a list of nodes is taken
by slice (going through it one by one is quadratic), the text of the document node is never asked
for (it crashes), and no climb or walk in the tree is longer than a constant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5
from resiliparse.parse.html import DocumentNode, ElementNode, HTMLTree

from labeling import ids
from labeling.metadata import described_images, open_graph
from labeling.surroundings import Surroundings
from labeling.urls import Resolver, best_of_srcset

MAX_PAGE_BYTES = 8 * 1024 * 1024
"""Bytes of a page that are parsed; the rest is left out."""

MAX_LINKS = 20_000
"""Links of a page that are read; of more, those whose URLs have the lowest digests."""

MAX_IMAGES = 5_000
"""Images of a page that are read, in the order of the page."""

MAX_DEPTH = 500
"""Depth in the tree of a page beyond which an image is not read."""

_NAVIGATION = ("nav", "header", "footer", "aside", "[role=navigation]")
_HEADINGS = ("h1", "h2", "h3", "h4")
_LAZY = ("data-src", "data-original", "data-lazy-src")
_HASH = re.compile(r"^(?=.*\d)[0-9a-f]{8,}$", re.IGNORECASE)
_CAMERA = re.compile(r"^(img|dsc|dscn|dscf|pict|p|image|photo|mvi|screenshot)?\d+$", re.IGNORECASE)


class Text(NamedTuple):
    """A text about an image: its labeling source, and how near it is to the image, in [0, 1]."""

    source: str
    text: str
    weight: float = 1.0


class Link(NamedTuple):
    """A link: absolute URL without fragment, text, ``rel``, and whether it is navigation."""

    url: str
    text: str
    rel: str = ""
    nav: bool = False


@dataclass(frozen=True)
class PageImage:
    """An image: its absolute URL, each text about it, and URLs of other sizes of it."""

    url: str
    texts: tuple[Text, ...]
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """What a page says; ``losses`` are (reason, value) for what was left out of it."""

    url: str
    lang: str | None = None
    images: tuple[PageImage, ...] = ()
    links: tuple[Link, ...] = ()
    losses: tuple[tuple[str, str], ...] = ()


def read_page(content: bytes, url: str, charset: str | None = None) -> Page:
    """Read a page: relative URLs are resolved, ``<base>`` is obeyed.

    Parameters
    ----------
    content
        The bytes; those beyond `MAX_PAGE_BYTES` are left out, with the loss ``too_large``.
    url
        Absolute URL of the page.
    charset
        Charset of the HTTP header; without one that is known, the page's own declaration is
        taken, and without that the charset is guessed from the bytes.

    Examples
    --------
    >>> page = read_page(b'<h1>Fruit</h1><p><img src="red-apple.jpg" alt="A!"></p>', "https://a.org/")
    >>> page.images[0].url
    'https://a.org/red-apple.jpg'
    >>> [text[:2] for text in page.images[0].texts]
    [('alt', 'A!'), ('filename', 'red apple'), ('heading', 'Fruit'), ('surrounding', 'Fruit')]
    """
    losses = [("too_large", url)] if len(content) > MAX_PAGE_BYTES else []
    content = content[:MAX_PAGE_BYTES]
    tree = HTMLTree.parse_from_bytes(content, _encoding(content, charset))
    document = tree.document
    root = document.document_element if document is not None else None
    if document is None or root is None:
        return Page(url, losses=tuple(losses))
    resolver = Resolver(_base_url(document, url))
    links = _links(document, resolver, losses)
    images = _images(document, _clean(tree.title), resolver, losses)
    if b"ld+json" in content:
        scripts = document.query_selector_all('script[type="application/ld+json"]')[:]
        for reference, text in described_images(node.text or "" for node in scripts):
            images.add(resolver(reference), [Text("json_ld", text)])
    return Page(url, root.getattr("lang") or None, images.freeze(), links, tuple(losses))


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


def _encoding(content: bytes, charset: str | None) -> str:
    declared = map_encoding_to_html5(charset, fallback_utf8=False) if charset else None
    return declared or detect_encoding(content, from_html_meta=True) or "utf-8"


def _base_url(document: DocumentNode, url: str) -> str:
    base = document.query_selector("base[href]")
    return (Resolver(url)(base.getattr("href")) if base is not None else "") or url


def _links(
    document: DocumentNode, resolver: Resolver, losses: list[tuple[str, str]]
) -> tuple[Link, ...]:
    """Return the links in the order of the page, which those of navigation are found in too."""
    navigation = iter(document.query_selector_all(_all_of(_NAVIGATION, " a[href]"))[:])
    next_nav = next(navigation, None)
    links = []
    for node in document.query_selector_all("a[href]")[:]:
        nav = next_nav is not None and node == next_nav
        if nav:
            next_nav = next(navigation, None)
        target = resolver(node.getattr("href"))
        if target:
            links.append(Link(target, _clean(node.text), node.getattr("rel") or "", nav))
    if len(links) <= MAX_LINKS:
        return tuple(links)
    losses.append(("too_many_links", f"{len(links)} links"))
    rank = sorted(range(len(links)), key=lambda i: (ids.digest(links[i].url), i))
    return tuple(links[i] for i in sorted(rank[:MAX_LINKS]))


def _all_of(containers: Sequence[str], selector: str) -> str:
    return ",".join(container + selector for container in containers)


@dataclass
class _Images:
    """The images of a page as they are found: URLs in order, each text once, and other sizes."""

    found: list[tuple[str, list[Text], tuple[str, ...]]] = field(default_factory=list)
    place_of: dict[str, int] = field(default_factory=dict)

    def append(self, url: str, texts: list[Text], others: tuple[str, ...]) -> None:
        self.place_of.setdefault(url, len(self.found))
        self.found.append((url, texts, others))

    def add(self, url: str, texts: list[Text]) -> None:
        """Add texts to the first image with a URL, or an image where none has it."""
        if url and url not in self.place_of:
            name = filename_words(url)
            self.append(url, [Text("filename", name)] if name else [], ())
        if url:
            self.found[self.place_of[url]][1].extend(texts)

    def freeze(self) -> tuple[PageImage, ...]:
        return tuple(PageImage(url, tuple(texts), others) for url, texts, others in self.found)


def _images(
    document: DocumentNode, title: str, resolver: Resolver, losses: list[tuple[str, str]]
) -> _Images:
    metas = document.query_selector_all("meta[content]")[:]
    of_page, described, shared = _page_texts(metas, title)
    images = _Images()
    surroundings = Surroundings()
    heading = ""
    for node in document.query_selector_all("img, h1, h2, h3, h4")[:]:
        if node.tag in _HEADINGS:
            heading = _clean(node.text)
            continue
        urls = [url for url in map(resolver, _references(node)) if url]
        if not urls:
            continue
        if len(images.found) == MAX_IMAGES or _too_deep(node):
            reason = "too_deep" if len(images.found) < MAX_IMAGES else "too_many_images"
            losses.append((reason, urls[0]))
            continue
        texts = [*_own_texts(node, urls[0]), Text("heading", heading), *of_page]
        texts += [Text("surrounding", text, w) for text, w in surroundings.around(node)]
        images.append(urls[0], [text for text in texts if text.text], tuple(urls[1:]))
    if shared:
        images.add(resolver(shared), described)
    return images


def _page_texts(
    metas: Sequence[ElementNode], title: str
) -> tuple[list[Text], list[Text], str | None]:
    """Return texts about all images, texts about the OpenGraph image, and its reference."""
    named = ((meta.getattr("name") or "", meta) for meta in metas)
    description = next((meta for name, meta in named if name.lower() == "description"), None)
    of_page = [Text("title", title)]
    if description is not None:
        of_page.append(Text("description", _clean(description.getattr("content"))))
    shared, graph = open_graph((m.getattr("property"), m.getattr("content")) for m in metas)
    texts = [Text(source, _clean(text)) for source, text in graph]
    return (of_page, texts, shared) if shared else (of_page + texts, [], None)


def _own_texts(node: ElementNode, url: str) -> Iterator[Text]:
    yield Text("alt", _clean(node.getattr("alt")))
    yield Text("tooltip", _clean(node.getattr("title")))
    figure = node.closest("figure")
    caption = figure.query_selector("figcaption") if figure is not None else None
    yield Text("caption", _clean(caption.text) if caption is not None else "")
    yield Text("filename", filename_words(url))
    link = node.closest("a[href]")
    if link is not None:
        said = _clean(link.text) or link.getattr("title") or link.getattr("aria-label")
        yield Text("link", _clean(said))


def _references(node: ElementNode) -> Iterator[str]:
    """Yield what an ``<img>`` refers to, the best first: a lazily loaded image hides behind src."""
    for name in _LAZY:
        yield node.getattr(name) or ""
    yield best_of_srcset(node.getattr("data-srcset") or "")
    yield node.getattr("src") or ""
    yield best_of_srcset(node.getattr("srcset") or "")
    parent = node.parent_element
    if parent is not None and parent.tag == "picture":
        for source in parent.query_selector_all("source")[:10]:
            yield best_of_srcset(source.getattr("srcset") or source.getattr("data-srcset") or "")


def _too_deep(node: ElementNode) -> bool:
    parent = node.parent_element
    for _ in range(MAX_DEPTH):
        if parent is None:
            return False
        parent = parent.parent_element
    return True


def _clean(text: str | None) -> str:
    return " ".join((text or "").split())
