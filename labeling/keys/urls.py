"""References in pages to absolute URLs."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

MAX_URL = 4096
"""Characters of a URL; longer ones are ignored."""

_SCHEMES = ("http", "https")
# A path from the root without dot segments, as in most references: `urljoin` takes twenty times as
# long for it.
_PLAIN_PATH = re.compile(
    r"(/(?!/)[\w\-~%/]*+(?:(?<!/)\.[\w\-~%/]*+)*+(?:\?[\w\-~%/.=&+,]++)?+)(?:#.*+)?+",
    re.ASCII | re.DOTALL,
)


class Resolver:
    """Resolve the references of one page against its base, equal references once.

    Examples
    --------
    >>> resolve = Resolver("https://a.org/x/")
    >>> [resolve(r) for r in ("y.png#top", "//b.org/z", "mailto:a@b", " ../w ", None)]
    ['https://a.org/x/y.png', 'https://b.org/z', '', 'https://a.org/w', '']
    """

    def __init__(self, base: str) -> None:
        self._base = base
        self._origin = urljoin(base, "/")[:-1]
        self._known: dict[str | None, str] = {None: "", "": ""}

    def __call__(self, reference: str | None) -> str:
        """Return the absolute URL without its fragment, ``""`` if it is not of http or https."""
        url = self._known.get(reference)
        if url is None:
            url = self._known[reference] = self._resolve(reference or "")
        return url

    def _resolve(self, reference: str) -> str:
        plain = _PLAIN_PATH.fullmatch(reference) if len(reference) <= MAX_URL // 2 else None
        if plain is not None:
            return self._origin + plain[1]
        reference = reference.strip().split("#", 1)[0]
        try:
            url = urljoin(self._base, reference)
            is_web = len(url) <= MAX_URL and urlsplit(url).scheme in _SCHEMES
        except ValueError:
            return ""
        return url.split("#", 1)[0] if is_web else ""


def best_of_srcset(srcset: str) -> str:
    """Return the reference of the largest image of a ``srcset``.

    Examples
    --------
    >>> best_of_srcset("a.jpg 320w, b.jpg 1280w, c.jpg"), best_of_srcset("a.jpg, b.jpg 2x")
    ('b.jpg', 'b.jpg')
    """
    best, largest = "", -1.0
    for candidate in srcset[: 4 * MAX_URL].replace(",\n", ", ").split(", "):
        reference, _, size = candidate.strip(" ,\t\r\n").partition(" ")
        number = size.strip()[:-1]
        factor = float(number) if number.replace(".", "", 1).isdecimal() else 1.0
        if reference and factor > largest:
            best, largest = reference, factor
    return best
