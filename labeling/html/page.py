"""HTML pages to texts about their images, and links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from labeling.arguments import checks_arguments
from labeling.html.charsets import decode_page
from labeling.html.image_tags import image_tags
from labeling.html.metadata import described_images, open_graph
from labeling.html.outline import ANCHOR, Element, Outline, anchor_element, innermost
from labeling.html.page_images import Images, PageImage, Text, filename_words
from labeling.html.scanner import (
    MAX_TEXT,
    Markup,
    attributes_of,
    clean,
    read_markup,
    value_of,
    without_tags,
)
from labeling.html.texts import Surroundings
from labeling.keys import ids
from labeling.keys.urls import Resolver, serialised

MAX_PAGE_BYTES = 8 * 1024 * 1024
"""Bytes of a page that are parsed; the rest is dropped."""

MAX_LINKS = 20_000
"""Links of a page that are read; of more, those whose URLs have the lowest digests."""


class Link(NamedTuple):
    """A link: absolute URL without fragment, text, ``rel``, and whether it is navigation."""

    url: str
    text: str
    rel: str = ""
    nav: bool = False


@dataclass(frozen=True)
class Page:
    """The images of a page with the texts about them, and its links.

    Attributes
    ----------
    url, lang
        Absolute URL, in the form of `labeling.keys.urls`; language tag of the page if it has one.
    images
        ``url``, ``texts`` (source, text and weight in [0, 1] of each) and ``others``, URLs of other
        sizes, of each image.
    links
        ``url``, ``text``, ``rel`` and ``nav`` of each link.
    losses
        (reason, value) for each part that was left out.
    """

    url: str
    lang: str | None = None
    images: tuple[PageImage, ...] = ()
    links: tuple[Link, ...] = ()
    losses: tuple[tuple[str, str], ...] = ()


@checks_arguments
def read_page(content: bytes, url: str, charset: str | None = None) -> Page:
    """Read a page, and resolve relative URLs, also by ``<base>``.

    Parameters
    ----------
    content
        The bytes; those beyond `MAX_PAGE_BYTES` are left out, with the loss ``too_large``, and
        what comes after 300,000 tags, with the loss ``too_many_tags``.
    url
        Absolute URL of the page; nothing is read if it is invalid, with the loss ``bad_url``.
    charset
        Charset of the HTTP header; if it is missing or unknown, the page's own declaration is
        used. Without one the page is UTF-8 if it is valid, else a guess, ``guessed_charset``.

    Returns
    -------
    Page
        Images with their texts, links, and the parts that were left out. Damaged pages are read
        as far as possible, as browsers do.

    Raises
    ------
    InputError
        For an argument of another type.

    Examples
    --------
    >>> page = read_page(b'<h1>Fruit</h1><p><img src="red-apple.jpg" alt="A!"></p>', "https://a.org/")
    >>> page.images[0].url
    'https://a.org/red-apple.jpg'
    >>> [text[:2] for text in page.images[0].texts]
    [('alt', 'A!'), ('filename', 'red apple'), ('heading', 'Fruit'), ('surrounding', 'Fruit')]
    """
    if not serialised(url):
        return Page(url, losses=(("bad_url", url),))
    url = serialised(url)
    losses = [("too_large", url)] if len(content) > MAX_PAGE_BYTES else []
    text, codec, is_guess = decode_page(content[:MAX_PAGE_BYTES], charset)
    if is_guess:
        losses.append(("guessed_charset", codec))
    whole = read_markup(text)
    markup = whole.with_few_tags()
    if markup is not whole:
        losses.append(("too_many_tags", f"{whole.page.count('<')} tags"))
    outline = Outline(markup.page)
    resolver = Resolver(Resolver(url)(_first(outline, "base", "href")) or url, codec)
    around_images, links = _links(markup, outline.navigation(), resolver, losses)
    images = _images(markup, outline, around_images, resolver, losses)
    for reference, text in described_images(markup.linked_data, losses):
        images.add(filter(None, [resolver(reference)]), [Text("json_ld", text[:MAX_TEXT])])
    losses += resolver.losses()
    return Page(url, _first(outline, "html", "lang") or None, images.freeze(), links, tuple(losses))


def _first(outline: Outline, name: str, attribute: str) -> str:
    """Return an attribute of the first element that has it, of those with a name."""
    values = (attributes_of(tag.attributes).get(attribute) for tag in outline.tags(name))
    return next((value for value in values if value is not None), "")


def _links(
    markup: Markup,
    navigation: Sequence[Element],
    resolver: Resolver,
    losses: list[tuple[str, str]],
) -> tuple[list[Element], tuple[Link, ...]]:
    """Return the elements that may hold images, and the links, both in the order of the page."""
    wide, links = [], []
    for anchor in ANCHOR.finditer(markup.page):
        written, before, href, after, text, end = anchor.groups()
        if end is None:
            wide.append(anchor_element(markup.page, anchor))
            text = without_tags(markup.page[wide[-1].inner : wide[-1].stop][: 4 * MAX_TEXT])
        rel = ""
        if href is None or "rel" in after.lower() or "rel" in before.lower():
            attributes = attributes_of(written)
            href, rel = attributes.get("href"), attributes.get("rel", "")
        elif "&" in href:
            href = value_of(href)
        url = resolver(href)
        if url:
            nav = bool(navigation) and innermost(navigation, anchor.start()) is not None
            links.append(Link(url, clean(text), rel, nav))
    if len(links) <= MAX_LINKS:
        return wide, tuple(links)
    losses.append(("too_many_links", f"{len(links)} links"))
    digests = {url: ids.digest(url) for url in {link.url for link in links}}
    rank = sorted(range(len(links)), key=lambda i: (digests[links[i].url], i))
    return wide, tuple(links[i] for i in sorted(rank[:MAX_LINKS]))


def _images(
    markup: Markup,
    outline: Outline,
    links: Sequence[Element],
    resolver: Resolver,
    losses: list[tuple[str, str]],
) -> Images:
    of_page, shared = _page_texts(markup, outline, losses)
    tags = image_tags(markup.page, outline, resolver, links, losses)
    surroundings = Surroundings(markup, outline, links, [image.tag for image in tags])
    images = Images()
    for image in tags:
        named = image.attributes.get("alt") or image.attributes.get("aria-label", "")
        texts = [Text("alt", clean(named))]
        texts.append(Text("tooltip", clean(image.attributes.get("title", ""))))
        texts.append(Text("filename", filename_words(image.urls[0])))
        texts += [Text(*text) for text in surroundings.texts(image.tag)] + of_page
        images.append(image.urls, [text for text in texts if text.text])
    for references, graph in shared:
        images.add(filter(None, map(resolver, references)), graph)
    return images


def _page_texts(
    markup: Markup, outline: Outline, losses: list[tuple[str, str]]
) -> tuple[list[Text], list[tuple[Sequence[str], list[Text]]]]:
    """Return texts about all images, and the references and texts of each OpenGraph image."""
    metas = [attributes_of(tag.attributes) for tag in outline.tags("meta")]
    title = outline.title()
    of_page = [Text("title", markup.text(title.inner, title.stop))] if title is not None else []
    named = (meta for meta in metas if meta.get("name", "").lower() == "description")
    of_page += [Text("description", clean(meta.get("content", ""))) for meta in named][:1]
    shared, graph = open_graph(metas, losses)
    of_page += [Text(source, clean(text)) for source, text in graph]
    described = ((image, [Text(kind, clean(text)) for kind, text in of]) for image, of in shared)
    return of_page, list(described)
