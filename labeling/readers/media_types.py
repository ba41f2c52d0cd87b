"""Media types by the first bytes of a body, by the standard (https://mimesniff.spec.whatwg.org).

Beyond it, an image of a usual format is an image whatever the server calls it, as browsers load any
type in an ``<img>``; and pages that are called plain text or XML are HTML. SVG is not recognised.
"""

from __future__ import annotations

import re

N_SNIFFED = 1445
"""Bytes by which a type is recognised, as many as the standard reads (section 5.2)."""

_UNKNOWN = frozenset(
    {
        "",
        "*/*",
        "application/octet-stream",
        "application/unknown",
        "application/x-download",
        "binary/octet-stream",
        "text/x-server-parsed-html",
        "unknown/unknown",
    }
)
"""Types that servers, and crawlers in ARC files, write where they do not know one."""

_TYPE = re.compile(r"[\w!#$&^.+*'`|~%-]+/[\w!#$&^.+*'`|~%-]+", re.ASCII)
"""A type as the standard has it (section 4.4); any other text, as ``html``, is unknown."""

_TEXTS = frozenset({"text/plain", "text/xml", "application/xml"})

_IMAGE = re.compile(
    rb"(?P<jpeg>\xff\xd8\xff)|(?P<png>\x89PNG\r\n\x1a\n)|(?P<gif>GIF8[79]a)"
    rb"|(?P<webp>RIFF....WEBPVP)",
    re.DOTALL,
)
_OTHER_IMAGE = re.compile(rb"(?P<bmp>BM....\0\0\0\0)|(?P<icon>\0\0[\1\2]\0)", re.DOTALL)
"""Signatures that contents of other types may begin with."""

_BEFORE_HTML = rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?"
_TAGS = b"head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|meta|link"
# Atomic, because hundreds of comments could be divided into comments in 2**n ways.
_COMMENTS = rb"(?>(?:<!--.*?-->\s*)*)"
_WHOLE_PAGE = re.compile(
    _BEFORE_HTML + _COMMENTS + rb"<(?:!doctype\s+)?html[\s>]", re.IGNORECASE | re.DOTALL
)
_PART_OF_PAGE = re.compile(_BEFORE_HTML + rb"<(?:!--|(?:%s)[\s>])" % _TAGS, re.IGNORECASE)


def media_type(declared: str, body: bytes) -> str:
    r"""Return the type of a body, by its first `N_SNIFFED` bytes and what its header declares.

    Examples
    --------
    >>> media_type("text/plain", b"\xff\xd8\xff\xe0"), media_type("", b"\n<p>An apple")
    ('image/jpeg', 'text/html')
    >>> media_type("text/plain", b"<p>An apple"), media_type("image/svg+xml", b"<svg>")
    ('text/plain', 'image/svg+xml')
    """
    image = _IMAGE.match(body)
    if image is not None:
        return declared if declared.startswith("image/") else f"image/{image.lastgroup}"
    is_unknown = declared in _UNKNOWN or not _TYPE.fullmatch(declared)
    if not is_unknown and declared not in _TEXTS:
        return declared
    body = body[:N_SNIFFED]
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):  # UTF-16
        body = body[2:].replace(b"\0", b"")
    if _WHOLE_PAGE.match(body) or (is_unknown and _PART_OF_PAGE.match(body)):
        return "text/html"
    image = _OTHER_IMAGE.match(body) if is_unknown else None
    return f"image/{image.lastgroup}" if image is not None else declared
