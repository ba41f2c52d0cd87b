"""HTML in a regular form, in which tags are found by searching for them.

In the regular form of a page every ``<`` begins a tag and the next ``>`` ends it: comments and the
contents of scripts and styles are taken out, ``<`` elsewhere and ``>`` in attributes are written as
references. The grammar is that of the tokens of HTML (WHATWG HTML, section 13.2.5): quotes count
only after an equals sign, and a tag that the end of the page cuts off is dropped.

No tree is built, because its size is not bounded by the length of the page: HTML reopens
formatting elements in every paragraph, so that 54 KiB of ``<b id=1><b id=2>…`` and ``<p>``
have nine million nodes. Here all work is linear, since no pattern backtracks.
"""

from __future__ import annotations

import html
import itertools
import re
from dataclasses import dataclass, replace
from html.entities import html5

MAX_TEXT = 10_000
"""Characters of a text that are kept."""

MAX_TAGS = 300_000
"""Tags of a page that are read; the rest of the page is dropped."""

_NAME_ENDS = r"(?=[\s/>]|\Z)"
_RAW = rf"(?:script|style|title|textarea|template|iframe|noembed|noframes|xmp){_NAME_ENDS}"
_ATTRIBUTES = r"""
    (?: [\s/]++
      | [^\s/>][^\s/>=]*+
        (?: \s*+ = \s*+ (?: "[^"]*+(?:"|\Z) | '[^']*+(?:'|\Z) | [^\s"'>][^\s>]*+ )?+ )?+ )*+
"""
# Texts and tags in regular form already make up most pages, and are copied in one step.
_REGULAR = rf"""
    [^<]*+
    (?: < (?: [a-hj-moqru-wyz] | t[dhr] | /[a-z] | (?!{_RAW})[a-z] ) [^<>=]*+
        (?: = (?: "[^"<>]*+"
                | \s*+ (?: "[^"<>]*+" | '[^'<>]*+' | [^\s"'<>][^\s<>]*+ | (?=>) ) ) [^<>=]*+ )*+
        > [^<]*+ )*+
"""
_TOKEN = re.compile(
    rf"""
    (?P<regular> {_REGULAR} )
    (?: \Z
      | < (?P<lone> (?![a-z/!?]) (?: < (?![a-z/!?]) )*+ )
      | <!-- (?P<comment> -?> | .*? (?: --!?> | \Z ) )
      | < (?P<declaration> (?: [!?] | /(?![a-z]) ) [^>]*+ >?+ )
      | < (?P<raw> {_RAW} ) (?P<head> {_ATTRIBUTES} )
        (?: > (?P<content> [^<]*+ (?: < (?! /(?P=raw){_NAME_ENDS} ) [^<]*+ )*+ ) | \Z )
      | < (?P<tag> /?[a-z][^\s/>]*+ {_ATTRIBUTES} ) (?: (?P<end> > ) | \Z )
    )
    """,
    re.ASCII | re.DOTALL | re.IGNORECASE | re.VERBOSE,
)

_INLINE = "abbr|a|big|bd[io]|b|cite|code|em|font|ins|i|mark|q|small|span|strike|strong|sub|sup|s|u"
_INLINE_TAG = re.compile(rf"</?(?:(?:{_INLINE})(?=[\s/>])|!)[^>]*+>", re.ASCII | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*+(?:>|\Z)")
_ONE_ATTRIBUTE = re.compile(r'\s*+([a-z]++)="([^"&]*+)"\s*+', re.ASCII)
_ATTRIBUTE = re.compile(
    r"""([^\s/>][^\s/>=]*+)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>][^\s>]*+)))?+""", re.ASCII
)
_REFERENCE = re.compile(r"&(?:#[0-9a-fA-FxX]{1,9};?|([a-zA-Z][a-zA-Z0-9]*+(?:;|(?![=a-zA-Z0-9]))))")


@dataclass(frozen=True)
class Markup:
    """A page in the regular form, and the contents of its scripts of linked data."""

    page: str
    linked_data: tuple[str, ...]

    def with_few_tags(self) -> Markup:
        """Return the page up to its tag after the first `MAX_TAGS`, or all of it."""
        if len(self.page) <= MAX_TAGS or self.page.count("<") <= MAX_TAGS:
            return self
        tags = itertools.islice(re.finditer("<", self.page), MAX_TAGS, None)
        return replace(self, page=self.page[: next(tags).start()])

    def text(self, start: int, stop: int) -> str:
        """Return the words between two offsets, at most `MAX_TEXT` characters of them."""
        return clean(without_tags(self.page[start : min(stop, start + 4 * MAX_TEXT)]))


def read_markup(page: str) -> Markup:
    """Return a page in the regular form.

    Examples
    --------
    >>> read_markup('<p>1 < 2<!-- <b> --><IMG alt="a>b"><script>"<p>"</script>').page
    '<p>1 &lt; 2<!><IMG alt="a&gt;b"><script></script>'
    """
    linked_data, parts = [], []
    for token in _TOKEN.finditer(page):
        form = token.lastgroup
        parts.append(token["regular"])
        if form == "lone":
            parts.append("&lt;" * (1 + len(token["lone"])))
        elif form == "end":
            parts.append(f"<{_escaped(token['tag'])}>")
        elif form == "content":
            name = token["raw"].lower()
            parts.append(f"<{name}>" + (_escaped(token["content"]) if name == "title" else ""))
            if name == "script" and "ld+json" in token["head"].lower():
                linked_data.append(token["content"])
        elif form != "regular":
            parts.append("<!>")
    return Markup("".join(parts), tuple(linked_data))


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace(">", "&gt;")


def without_tags(written: str) -> str:
    """Return a text of the regular form without its tags; inline tags leave no space."""
    if "<" not in written:
        return written
    return _TAG.sub(" ", _INLINE_TAG.sub("", written))


def attributes_of(written: str) -> dict[str, str]:
    """Return attributes by their names in lower case; of several with a name, the first counts.

    Examples
    --------
    >>> attributes_of(" SRC=a.png?x=1&copy=2 alt='A &amp; B' hidden alt=C")
    {'alt': 'A & B', 'hidden': '', 'src': 'a.png?x=1&copy=2'}
    """
    single = _ONE_ATTRIBUTE.fullmatch(written)
    if single is not None:
        return {single[1]: single[2]}
    # In reverse, so that the first attribute of a name overwrites the others.
    parts = reversed(_ATTRIBUTE.findall(written))
    values = {name.lower(): double or quoted or bare for name, double, quoted, bare in parts}
    if "&" in written:
        return {name: value_of(value) for name, value in values.items()}
    return values


def value_of(written: str) -> str:
    """Return the value of an attribute, with character references resolved."""
    return _REFERENCE.sub(_character, written)


def _character(reference: re.Match[str]) -> str:
    if reference[1] is None:
        return html.unescape(reference[0])
    return html5.get(reference[1], reference[0])


def clean(text: str) -> str:
    """Return the words of a text, with character references resolved and cut to `MAX_TEXT`."""
    if len(text) <= MAX_TEXT and "&" not in text:  # as most are
        return " ".join(text.split())
    return " ".join(unescaped(text[: 4 * MAX_TEXT]).split())[:MAX_TEXT]


def unescaped(text: str) -> str:
    """Return a text with character references resolved, unless a number has too many digits."""
    try:
        return html.unescape(text) if "&" in text else text
    except ValueError:
        return text
