"""Names of the files of saved sites: to the URLs of pages, and from the URLs of images.

Tools differ in them, and so do systems: ``?`` or ``@`` begins a query, ``:`` or ``+`` a port, and
on macOS letters and their accents are apart.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote, urlsplit

from labeling.keys.urls import authority, serialised

PROTOCOLS = ("http", "https")
"""Folders of ``wget --protocol-directories``, which hold those of hosts."""

PAGE_SUFFIXES = (".html", ".htm", ".xhtml", ".xht", ".shtml")

SCRIPT_SUFFIXES = (
    *(".php", ".php3", ".php4", ".php5", ".phtml", ".asp", ".aspx", ".jsp", ".jspx", ".cfm"),
    *(".cgi", ".pl", ".do", ".dhtml", ".stm"),
)
"""Endings of scripts, whose files are pages if they begin as HTML does."""

_ENDINGS = "|".join(end[1:] for end in (*PAGE_SUFFIXES, *SCRIPT_SUFFIXES))
_COPY = re.compile(rf"(\.(?:{_ENDINGS}))\.[1-9]\d{{0,3}}\Z", re.IGNORECASE)
_QUERY = re.compile(rf"\?|%3F|(\.(?:{_ENDINGS}))@", re.IGNORECASE)
_APART = re.compile(r"[A-Za-z](?:%C[CD]%[89AB][0-9A-F])+")
"""A letter and its accents after it, U+0300 to U+036F."""

_OF_FILE = re.compile(rf"%3F|@|\.\d{{1,4}}\Z|{_APART.pattern}")
_NOT_IN_URLS = re.compile(r"[\0-\x1f#\\]")
"""Characters of names that a parser of URLs would drop or read otherwise."""

_PORT = re.compile(r"\+(?=\d+\Z)")


def without_number(name: str) -> str:
    """Return the name of a page without the number that wget adds to a second file of a name.

    Examples
    --------
    >>> without_number("a.org/x.html.1"), without_number("a.org/v1.2")
    ('a.org/x.html', 'a.org/v1.2')
    """
    return _COPY.sub(r"\1", name)


def split_query(name: str) -> tuple[str, str]:
    """Return the name of a page, and the query in it, or an empty text.

    Examples
    --------
    >>> split_query("x.php?id=3.html"), split_query("x.php@id=3"), split_query("me@a.org")
    (('x.php', 'id=3'), ('x.php', 'id=3'), ('me@a.org', ''))
    """
    mark = _QUERY.search(name)
    if mark is None:
        return name, ""
    return name[: mark.start()] + (mark[1] or ""), name[mark.end() :].removesuffix(".html")


def page_url(path: str) -> str:
    """Return the URL of a page by its path below the folder of the site.

    Its scheme is https, unless a folder of ``wget --protocol-directories`` names one.

    Examples
    --------
    >>> page_url("http/a.org/x.html"), page_url("http/no-host.html")
    ('http://a.org/x.html', '')
    >>> page_url("a.org/a b.html"), page_url("localhost+80/x.php?id=3.html")
    ('https://a.org/a b.html', 'https://localhost:80/x.php?id=3')
    >>> page_url("a.org/index.html@id=3"), page_url("no-host.html")
    ('https://a.org/?id=3', '')
    """
    path = unicodedata.normalize("NFC", path)
    folder = host_folder(path)
    protocol, _, host = folder.rpartition("/")
    if len(path) == len(folder):
        return ""
    name = path[len(folder) + 1 :]
    name, query = split_query(without_number(name))
    if query and f"/{name}".endswith("/index.html"):
        name = name.removesuffix("index.html")
    escaped = f"{name}?{query}" if query else name
    escaped = _NOT_IN_URLS.sub(lambda character: f"%{ord(character[0]):02X}", escaped)
    trimmed = escaped.rstrip(" ")
    escaped = trimmed + "%20" * (len(escaped) - len(trimmed))
    return f"{protocol or 'https'}://{_PORT.sub(':', host)}/{escaped}"


def host_folder(path: str) -> str:
    """Return the folder of a host in a path below that of the site.

    It is the first, or the second if wget made one of the protocol above it.

    Examples
    --------
    >>> host_folder("a.org/x/y.html"), host_folder("http/a.org/x.html"), host_folder("https")
    ('a.org', 'http/a.org', 'https')
    """
    first, _, rest = path.partition("/")
    return f"{first}/{rest.partition('/')[0]}" if first in PROTOCOLS and rest else first


def linked_url(url: str) -> str:
    """Return the URL of a page that a saved link leads to, of which the query may be in its name.

    Examples
    --------
    >>> linked_url("https://a.org/x.php%3Fid=3.html"), linked_url("https://a.org/x.php@id=3")
    ('https://a.org/x.php?id=3', 'https://a.org/x.php?id=3')
    """
    if not _OF_FILE.search(url):
        return url
    name = _APART.sub(lambda run: unicodedata.normalize("NFC", unquote(run[0])), url)
    if "?" not in url:
        name, query = split_query(without_number(name))
        name += f"?{query}" if query else ""
    return serialised(name)


def host_of_folder(name: str) -> str:
    """Return the host, and the port if any, whose files a folder holds; an empty text if none.

    Examples
    --------
    >>> [host_of_folder(name) for name in ("A.org", "localhost+8080", "b\u00fccher.de", "my shop")]
    ['a.org', 'localhost:8080', 'xn--bcher-kva.de', '']
    """
    return authority(page_url(f"{name}/"))


def file_names(url: str) -> list[str]:
    """Return the paths that the file of a URL may have in the folder of its host, in order.

    The likeliest is the first. wget decodes escapes and keeps the query, after ``@`` for Windows,
    with its escapes or without; other tools keep escapes. Last is the path without the query. Each
    has accents on their letters or, as on macOS, apart.

    Parameters
    ----------
    url
        In the form of `labeling.keys.urls`.

    Examples
    --------
    >>> file_names("https://a.org/red%20apple.jpg")
    ['red apple.jpg', 'red%20apple.jpg']
    >>> file_names("https://a.org/img.php?id=3")
    ['img.php?id=3', 'img.php%3Fid=3', 'img.php@id=3', 'img.php']
    """
    parts = urlsplit(url)
    raw = parts.path.lstrip("/")
    path = unquote(raw, errors="surrogateescape")
    names = [path, raw]
    if parts.query:
        query = unquote(parts.query, errors="surrogateescape")
        names = [f"{path}?{query}", f"{raw}%3F{parts.query}", f"{path}@{query}"]
        names += [f"{path}?{parts.query}", path, raw]
    if not path.isascii():
        names += [unicodedata.normalize(form, name) for form in ("NFC", "NFD") for name in names]
    return list(dict.fromkeys(names))
