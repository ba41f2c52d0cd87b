"""Bytes of a page to text, as browsers decode it.

In the order of the standard (WHATWG HTML, section 13.2.3.2): a byte order mark, the charset of the
HTTP header, the page's own declaration; labels are those of the Encoding standard. A byte that is
invalid in the encoding becomes U+FFFD, and does not change it.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

import webencodings
from resiliparse.parse.encoding import detect_encoding

MAX_DECLARED = 1 << 16
"""Bytes in which a declaration is searched: browsers decode again for one after the first 1024."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
# The decoder of the standard is that of a superset, or one that Python has under another name.
_CODECS = {"gbk": "gb18030", "x-user-defined": "cp1252", "iso-8859-8-i": "iso8859_8"}
# The standard refuses to decode these, because scripts could be hidden in them; texts cannot harm.
_REPLACED = {"hz-gb-2312": "hz", "iso-2022-kr": "iso2022_kr"}
_META = re.compile(
    rb"<!--.*?(?:-->|\Z)|<meta[\s/]([^>]*+)|<[/!?]?[a-z?!/][^>]*+(?:>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_DECLARES = re.compile(rb"charset|encoding", re.IGNORECASE)
# The look-behind keeps a name from being tried from each of its characters.
_ATTRIBUTE = re.compile(
    rb"""(?<![^\s=/>"'])([^\s=/>"']++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>"']*+))"""
)
_CHARSET = re.compile(rb"""charset\s*+=\s*+["']?\s*+([^\s;"']++)""", re.IGNORECASE)
_XML = re.compile(rb"""\s*+<\?xml\s[^>]*?encoding\s*+=\s*+["']([^"'>]++)""")


class Decoded(NamedTuple):
    """A text, the name of its codec, and whether that was guessed from the bytes."""

    text: str
    codec: str
    is_guess: bool


def decode_page(content: bytes, charset: str | None = None) -> Decoded:
    """Return the text of a page.

    Parameters
    ----------
    content
        The bytes of the page.
    charset
        The charset of the HTTP header.

    Examples
    --------
    >>> decode_page("<meta charset=gbk>小狗".encode("gbk")[:-1]).text
    '<meta charset=gbk>小�'
    >>> decode_page(b"<meta charset=utf-16>a")
    Decoded(text='<meta charset=utf-16>a', codec='utf-8', is_guess=False)
    """
    for mark, codec in _MARKS:
        if content.startswith(mark):
            return Decoded(content[len(mark) :].decode(codec, "replace"), codec, False)
    declared = (charset and _codec(charset)) or _declared(content[:MAX_DECLARED])
    if declared:
        return Decoded(content.decode(declared, "replace"), declared, False)
    text = content.decode("utf-8", "replace")
    if _is_utf8(text):
        return Decoded(text, "utf-8", False)
    guess = _codec(detect_encoding(content) or "") or "cp1252"
    guess = "cp1252" if guess in ("utf-8", "ascii") else guess
    return Decoded(content.decode(guess, "replace"), guess, True)


def _codec(label: str) -> str | None:
    """Return Python's name of the codec of a label; None if the standard does not have it."""
    label = label.strip().lower()
    encoding = webencodings.lookup(label) if label.isascii() else None
    if encoding is None:
        return None
    if encoding.name == "replacement":
        return _REPLACED.get(label)
    return _CODECS.get(encoding.name) or encoding.codec_info.name


def _declared(head: bytes) -> str | None:
    """Return the codec that the beginning of a page declares, in a ``<meta>`` or as XML."""
    if _DECLARES.search(head) is None:
        return None
    for meta in _META.finditer(head):
        if meta[1] is None:
            continue
        values = {
            name.lower(): double or single or bare
            for name, double, single, bare in reversed(_ATTRIBUTE.findall(meta[1]))
        }
        label = values.get(b"charset")
        if label is None and values.get(b"http-equiv", b"").lower() == b"content-type":
            content = _CHARSET.search(values.get(b"content", b""))
            label = content[1] if content is not None else None
        codec = _in_ascii(label)
        if codec is not None:
            return codec
    xml = _XML.match(head)
    return _in_ascii(xml[1]) if xml is not None else None


def _in_ascii(label: bytes | None) -> str | None:
    """Return the codec of a label that could be read: so the page is not in UTF-16."""
    codec = _codec(label.decode("latin-1")) if label is not None else None
    return "utf-8" if codec is not None and codec.startswith("utf-16") else codec


def _is_utf8(text: str) -> bool:
    """Return whether a text decoded as UTF-8 is that: at most a third of its other characters bad.

    Hardly any character of other encodings is valid in UTF-8 by chance. A character that is cut at
    the end of the page does not count.
    """
    text = text.removesuffix("\ufffd")
    n_bad = text.count("\ufffd")
    return n_bad == 0 or 2 * n_bad < sum(character > "\x7f" for character in text) - n_bad
