"""The ``srcset`` of an image: the references of its sizes (WHATWG HTML, section 4.8.4.3.10)."""

from __future__ import annotations

import re

from labeling.keys.urls import MAX_URL

MAX_VALUE = 4 * MAX_URL
"""Characters of an attribute that are read."""

_SPACE = " \t\n\f\r"
_CANDIDATE = re.compile(rf"[{_SPACE},]*+([^{_SPACE}]++)")
_DESCRIPTORS = re.compile(r"((?:[^(,]++|\([^)]*+\)?+)*+),?+")
_SIZE = re.compile(r"(\d++)w|((?:\d++\.?+|\.)\d*+(?:e[+-]?+\d++)?+)x|\d++h", re.ASCII | re.I)
_IS_SRCSET = re.compile(r"\s[\d.]+[wx]\s*(?:,|$)", re.ASCII)


def is_srcset(value: str) -> bool:
    """Return whether an attribute of any name has a reference with a width or density.

    Examples
    --------
    >>> is_srcset("a.jpg 320w,b.jpg 1280w"), is_srcset("red apple.jpg")
    (True, False)
    """
    return _IS_SRCSET.search(value) is not None


def srcset_references(srcset: str) -> list[tuple[str, float]]:
    """Return the references of a ``srcset`` and their widths or densities, the largest first.

    Parsed as in the standard: a candidate with a descriptor that is invalid is left out.

    Examples
    --------
    >>> srcset_references("a.jpg 320w,b.jpg 1280w"), srcset_references("a,1.jpg, b.jpg 2x")
    ([('b.jpg', 1280.0), ('a.jpg', 320.0)], [('b.jpg', 2.0), ('a,1.jpg', 1.0)])
    """
    srcset = srcset[:MAX_VALUE]
    candidates = []
    offset = 0
    while (url := _CANDIDATE.match(srcset, offset)) is not None:
        offset = url.end()
        reference, descriptors = url[1].rstrip(","), ""
        if reference == url[1] and (written := _DESCRIPTORS.match(srcset, offset)) is not None:
            offset, descriptors = written.end(), written[1]
        size = _size(descriptors.split())
        if reference and size is not None:
            candidates.append((reference, size))
    return sorted(candidates, key=lambda candidate: -candidate[1])


def _size(descriptors: list[str]) -> float | None:
    """Return the width or density, 1 without descriptors; None if one is invalid."""
    sizes = [_SIZE.fullmatch(descriptor) for descriptor in descriptors]
    if None in sizes:
        return None
    numbers = [size[1] or size[2] for size in sizes if size is not None]
    return float(next(filter(None, numbers), 1))
