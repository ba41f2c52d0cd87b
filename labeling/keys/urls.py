"""URLs in the one form that pages, archives, tables and files share, and their ids and hosts.

The form is the serialisation of the URL standard (https://url.spec.whatwg.org), as browsers write
it: no tabs and newlines, ``/`` for a backslash, no dot segments and no default port, the host in
lower case and in ASCII, other characters escaped. Beyond the standard the fragment is dropped,
escapes are normalised (RFC 3986, section 6.2.2): ``%c3`` is ``%C3``, ``%7E`` is ``~``, and ``|`` is
``%7C``. A folder and its page have one URL: ``/index.html`` is ``/``.
"""

from __future__ import annotations

import functools
import re
from urllib.parse import quote_from_bytes

import ada_url

from labeling.keys import ids

MAX_URL = 4096
"""Characters of a URL; longer ones are ignored."""

MAX_BAD = 20
"""Invalid references of a page that are listed; of more, their number."""

_WEB = ("http://", "https://")
_INDEXES = ("index.html", "index.htm", "index.php", "default.asp", "default.aspx")
"""Pages that servers send for a folder."""

_NO_INDEX = "(?i:" + "".join(rf"(?<!/{re.escape(name)})" for name in _INDEXES) + ")"
# A path from the root in the common form already, as in most references: the parser takes eight
# times as long for it.
_KEPT_ESCAPE = "%(?:2[0-9A-CF]|3[A-F]|[89A-F][0-9A-F])"
_PATH = (
    rf"(/(?!/)[\w\-~/]*+(?:(?:(?<!/)\.|{_KEPT_ESCAPE})[\w\-~/]*+)*+"
    rf"(?:\?[\w\-~/.=&+,]*+(?:{_KEPT_ESCAPE}[\w\-~/.=&+,]*+)*+)?+{_NO_INDEX})"
)
_PLAIN_PATH = re.compile(rf"{_PATH}(?:#.*+)?+", re.ASCII | re.DOTALL)
_PLAIN_URL = re.compile(rf"https?://(?:(?!xn--)[a-z0-9-]++\.)++[a-z]{{2,}}+{_PATH}", re.ASCII)
_OTHER_SCHEME = re.compile(
    r"\s*(?!https?:)[a-z][a-z0-9+.\-]*+:|\s*(?:#|$)", re.ASCII | re.IGNORECASE
)
_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")
# After `%` or `%4` a character would become a part of another escape.
_UNRESERVED = re.compile(
    r"(?<!%)(?<!%[0-9A-Fa-f])%(?:2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])"
)
# Browsers leave these as they are, and tools that follow RFC 3986 escape them.
_UNSAFE = re.compile(r"[|^`{}\[\]\\]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_AUTHORITY = re.compile(r"https?:(//(?:[^/?]*+@)?)([^/?]*?)(?::(?:80|443))?(?=[/?])")


@functools.lru_cache(maxsize=10_000)
def serialised(url: str) -> str:
    r"""Return an absolute URL of http or https in the common form, ``""`` for anything else.

    Examples
    --------
    >>> serialised(" HTTP://Bücher.example:80\\a/../b c.jpg#top")
    'http://xn--bcher-kva.example/b%20c.jpg'
    >>> [serialised(text) for text in ("http://[a.org/", "mailto:a@b", "https://a.org/index.html")]
    ['', '', 'https://a.org/']
    """
    is_plain = len(url) <= MAX_URL and _PLAIN_URL.fullmatch(url)
    return url if is_plain else _common_form(url, None)


def is_url(text: str) -> bool:
    """Return whether a text is a URL of any scheme.

    Examples
    --------
    >>> [is_url(text) for text in ("https://a.org/x", "dns:a.org", "http://[a.org/", "/x")]
    [True, True, False, False]
    """
    return bool(ada_url.check_url(_whole(text)))


def url_id(name: str) -> str:
    """Return the id of a page or image by its name: URLs of one form have one id.

    Examples
    --------
    >>> url_id("https://A.org/é.jpg") == url_id("https://a.org/%c3%a9.jpg#top")
    True
    """
    return ids.digest(serialised(name) or name)


def may_be_of_web(reference: str) -> bool:
    """Return whether a reference is relative or of http or https, even if it is invalid.

    Examples
    --------
    >>> [may_be_of_web(r) for r in ("x.png", "http://[", "mailto:a@b", "#top", "")]
    [True, True, False, False, False]
    """
    return _OTHER_SCHEME.match(reference) is None


def host_of(url: str) -> str:
    """Return the host of a URL in lower case; an empty text for anything else.

    Examples
    --------
    >>> host_of("https://A.org:80/x"), host_of("page 7"), host_of("http://[")
    ('a.org', '', '')
    """
    if _PLAIN_URL.fullmatch(url):
        return url.split("/", 3)[2]
    try:
        return str(ada_url.parse_url(_whole(url), attributes=("hostname",))["hostname"]).lower()
    except ValueError:
        return ""


def resource(url: str) -> str:
    """Return the part that the URLs of a resource share: without scheme and default port.

    Examples
    --------
    >>> resource("HTTP://A.org:80/x?y#z") == resource("https://a.org/x?y") == "//a.org/x?y"
    True
    """
    known = serialised(url)
    return _AUTHORITY.sub(r"\1\2", known, count=1) if known else url


def authority(url: str) -> str:
    """Return the host of a URL in the common form, with its port unless that is a default one.

    Examples
    --------
    >>> authority("http://a.org:80/x"), authority("https://b.org:8080/"), authority("x")
    ('a.org', 'b.org:8080', '')
    """
    return resource(url)[2:].partition("/")[0].rpartition("@")[2] if serialised(url) else ""


class Resolver:
    """Resolve the references of one page against its base, equal references once.

    Parameters
    ----------
    base
        Absolute URL.
    encoding
        Python's name of the page's encoding, in which browsers escape a query (URL standard,
        section 4.4).

    Examples
    --------
    >>> resolve = Resolver("https://a.org/x/")
    >>> [resolve(r) for r in ("y.png#top", "//b.org/z", "mailto:a@b", " ../w ", None)]
    ['https://a.org/x/y.png', 'https://b.org/z', '', 'https://a.org/w', '']
    """

    def __init__(self, base: str, encoding: str = "utf-8") -> None:
        self._base = base
        self._encoding = encoding
        self._origin = _common_form("/", base)[:-1]
        self._bad: list[str] = []
        self._known: dict[str | None, str] = {None: "", "": ""}

    def __call__(self, reference: str | None) -> str:
        """Return the absolute URL in the common form, ``""`` if it is not of http or https."""
        url = self._known.get(reference)
        if url is None:
            url = self._known[reference] = self._resolve(reference or "")
            if not url and may_be_of_web(reference or ""):
                self._bad.append(reference or "")
        return url

    def losses(self) -> list[tuple[str, str]]:
        """Return ``bad_url`` and the reference for each invalid one; other schemes are valid."""
        losses = [("bad_url", reference) for reference in self._bad[:MAX_BAD]]
        n_more = len(self._bad) - len(losses)
        return [*losses, ("bad_url", f"{n_more} more")] if n_more else losses

    def _resolve(self, reference: str) -> str:
        if self._origin and len(reference) <= MAX_URL // 2:
            plain = _PLAIN_PATH.fullmatch(reference)
            if plain is not None:
                return self._origin + plain[1]
        if len(reference) > 4 * MAX_URL:
            return ""
        if not self._encoding.startswith("utf") and not reference.isascii():
            reference = _with_query_in(reference, self._encoding)
        return _common_form(reference, self._base)


def _common_form(reference: str, base: str | None) -> str:
    reference = _whole(reference)
    try:
        if base is None:
            href = ada_url.normalize_url(reference)
        else:
            href = ada_url.join_url(base, reference)
    except ValueError:
        return ""
    href = href.partition("#")[0]
    if not href.startswith(_WEB) or len(href) > MAX_URL:
        return ""
    if "%" in href:
        href = _ESCAPE.sub(lambda escape: escape[0].upper(), href)
        href = _UNRESERVED.sub(lambda escape: chr(int(escape[0][1:], 16)), href)
    if _UNSAFE.search(href):
        path = href.index("/", len("https://"))  # the host may be a number in brackets
        escaped = _UNSAFE.sub(lambda sign: f"%{ord(sign[0]):X}", href[path:])
        href = href[:path] + escaped
    return _without_index(href)


def _without_index(url: str) -> str:
    """Return the URL of the folder of an index page, any other URL as it is."""
    start = url.rfind("/") + 1
    return url[:start] if url[start:].lower() in _INDEXES else url


def _whole(text: str) -> str:
    """Return a text with U+FFFD for a lone surrogate, as JSON may hold."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _with_query_in(reference: str, encoding: str) -> str:
    path, mark, query = reference.partition("#")[0].partition("?")
    return (
        path
        + mark
        + _NOT_ASCII.sub(
            lambda text: quote_from_bytes(text[0].encode(encoding, "xmlcharrefreplace")), query
        )
    )
