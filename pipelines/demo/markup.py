"""Pages of a miniature web as HTML, tidy or not."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from pipelines.demo.records import Figure, Host, Page, Section, World
from pipelines.demo.vocabulary import PHRASES

_MESS = {
    "<!DOCTYPE html>\n": "",
    "</p>": "",
    "</li>": "",
    "<h2>": "<H2>",
    "</head>": '<script>var tags = ["apple", "moon", "bus"];</script>\n</head>',
    "<main>": '<main><center>\n<!-- <img src="images/old.jpg" alt="banana"> -->',
    "</main>": "</div></font>\n</main>",
}
"""Replacements that make a tidy page untidy."""


def page_html(world: World, page: Page) -> str:
    """Return the HTML of a page, to be encoded in the page's encoding."""
    host = world.hosts[page.host]
    text = "\n".join(_lines(world, page, host)) + "\n"
    if not host.tidy:
        for tidy, messy in _MESS.items():
            text = text.replace(tidy, messy)
    return text


def _lines(world: World, page: Page, host: Host) -> Iterator[str]:
    yield "<!DOCTYPE html>"
    yield f'<html lang="en">\n<head>\n<meta charset="{page.encoding}">'
    yield f"<title>{escape(page.title.text)}</title>\n</head>\n<body>"
    yield f"<header>{_logo(world, host)}<nav><a href='index.html'>Home</a></nav></header>"
    yield f"<main>\n<h1>{escape(page.heading.text)}</h1>"
    if host.slogan and host.slogan_position == "heading":
        yield f"<h2>{escape(host.slogan.text)}</h2>"
    for section in page.sections:
        yield from _section(world, section, host)
    yield "<ul>"
    for target, anchor in page.links:
        url = _page_reference(world, page, target)
        yield f'<li><a href="{url}">{escape(anchor.text)}</a></li>'
    yield "</ul>"
    fillers = PHRASES["fillers"]
    yield f"<p>{escape(fillers[len(page.title.text) % len(fillers)])}</p>\n</main>"
    slogan = host.slogan if host.slogan_position == "footer" else None
    words = f"{escape(slogan.text)} · " if slogan else ""
    yield f"<footer>{words}© {escape(host.title.text)}</footer>\n</body>\n</html>"


def _logo(world: World, host: Host) -> str:
    if host.logo is None:
        return ""
    name = world.files[host.logo].name.text
    return f'<img src="/images/{name}" alt="{escape(host.title.text)}">'


def _section(world: World, section: Section, host: Host) -> Iterator[str]:
    yield "<section>"
    if section.heading:
        yield f"<h2>{escape(section.heading.text)}</h2>"
    yield f"<p>{escape(section.text.text)}</p>"
    for figure in section.figures:
        yield _figure(world, figure, host)
    yield "</section>"


def _figure(world: World, figure: Figure, host: Host) -> str:
    """Return a figure, or on an untidy host a block with the caption as plain text."""
    alt = escape(figure.alt.text) if figure.alt else ""
    words = f' alt="{alt}"' if figure.alt or host.tidy else ""
    if alt and (host.spam or not host.tidy):
        words += f' title="{alt}"'
    image = f'<img src="{_image_reference(world, figure.file)}"{words} width="64">'
    caption = escape(figure.caption.text) if figure.caption else ""
    if host.tidy:
        below = f"<figcaption>{caption}</figcaption>" if caption else ""
        return f"<figure>{image}{below}</figure>"
    return f"<div>{image}<br>{caption}</div>"


def _image_reference(world: World, file: int) -> str:
    """Return a URL of a file of the page's own host, relative in one of the usual ways."""
    url = world.image_url(file)
    if file % 10 == 0:
        return url
    path = url.split("/", 3)[3]
    return f"/{path}" if file % 10 == 1 else path


def _page_reference(world: World, source: Page, target: int) -> str:
    if world.pages[target].host != source.host or target % 10 == 0:
        return world.page_url(target)
    return world.pages[target].name
