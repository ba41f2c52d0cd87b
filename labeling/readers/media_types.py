"""Media types by the first bytes of a body, by the standard (https://mimesniff.spec.whatwg.org).

Beyond it, an image of a usual format is an image whatever the server calls it, as browsers load any
type in an ``<img>``; and pages that are called plain text or XML are HTML. SVG is not recognised.
"""

from __future__ import annotations

import re

N_SNIFFED = 512
"""Bytes by which a type is recognised."""

_UNKNOWN = frozenset(
    {
        "",
        "*/*",
        "application/octet-stream",
        "application/unknown",
        "application/x-download",
        "binary/octet-stream",
        "no-type",
        "unk",
        "unknown",
        "unknown/unknown",
    }
)
"""Types that servers, and crawlers in ARC files, write where they do not know one."""

_TEXTS = frozenset({"text/plain", "text/xml", "application/xml"})

_IMAGES = {
    "image/jpeg": rb"\xff\xd8\xff",
    "image/png": rb"\x89PNG\r\n\x1a\n",
    "image/gif": rb"GIF8[79]a",
    "image/webp": rb"RIFF....WEBPVP",
}
_OTHER_IMAGES = {"image/bmp": rb"BM....\0\0\0\0", "image/x-icon": rb"\0\0[\1\2]\0"}
"""Signatures that contents of other types may begin with."""

_BEFORE_HTML = rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?"
_TAGS = b"head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|meta|link"
_WHOLE_PAGE = _BEFORE_HTML + rb"(?:<!--.*?-->\s*)*<(?:!doctype\s+)?html[\s>]"
_PART_OF_PAGE = _BEFORE_HTML + rb"<(?:!--|(?:%s)[\s>])" % _TAGS


def media_type(declared: str, body: bytes) -> str:
    r"""Return the type of a body, by its first `N_SNIFFED` bytes and what its header declares.

    Examples
    --------
    >>> media_type("text/plain", b"\xff\xd8\xff\xe0"), media_type("", b"\n<p>An apple")
    ('image/jpeg', 'text/html')
    >>> media_type("text/plain", b"<p>An apple"), media_type("image/svg+xml", b"<svg>")
    ('text/plain', 'image/svg+xml')
    """
    mime = _first_match(_IMAGES, body)
    if mime:
        return declared if declared.startswith("image/") else mime
    if declared not in _UNKNOWN | _TEXTS:
        return declared
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):  # UTF-16
        body = body[2:].replace(b"\0", b"")
    if _matches(_WHOLE_PAGE, body) or (declared in _UNKNOWN and _matches(_PART_OF_PAGE, body)):
        return "text/html"
    return declared in _UNKNOWN and _first_match(_OTHER_IMAGES, body) or declared


def _first_match(signatures: dict[str, bytes], body: bytes) -> str | None:
    return next((mime for mime, pattern in signatures.items() if _matches(pattern, body)), None)


def _matches(pattern: bytes, body: bytes) -> bool:
    return re.match(pattern, body[:N_SNIFFED], re.IGNORECASE | re.DOTALL) is not None
