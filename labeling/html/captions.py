"""The words around an image, weighted by their distance."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from labeling.html.scanner import unescaped, without_tags

NEAR, FAR = 10, 40
"""Words on either side of an image that count as near, and that are read at all."""

FAR_WEIGHT = 0.5
"""Weight of words beyond `NEAR`; near ones have 1."""

REACH = 5000
"""Characters of the page's source that are searched on either side of an image."""

MAX_STEPS = 150
"""Tags on either side of an image that are read, of those that begin or end a block."""

_MAX_BLOCKS = 10
_LOOKS = (600, 2000, REACH)
_BLOCKS = frozenset(("p", "li", "td", "figure", "div", "section", "article", "main", "body"))
_LISTS = frozenset(("ul", "ol", "table"))
_STARTS = _BLOCKS | _LISTS
_ENDS = {"/" + name: name for name in _STARTS}
_PASSED_OVER = _LISTS | {"p"}
_ENDED_BY = {"p": _STARTS, "li": {"li"}, "td": {"td"}}
_SHAPE = re.compile(
    rf"<(?=/?[pltfdsambuon])(/?(?:{'|'.join(sorted(_STARTS))}|noscript))(?=[\s/>])[^<>]*+>?+",
    re.ASCII | re.IGNORECASE,
)

_NEARBY = 600
"""Characters of a text in which `FAR` words are looked for first."""

_TEXT = re.compile(r">\s*+[^\s<]")

Steps = Iterator[tuple[str, str]]
"""Texts as written and the name of the tag after each, going away from an image."""


def words_around(
    page: str, start: int, stop: int, max_steps: int = MAX_STEPS
) -> Iterator[tuple[str, float]]:
    """Yield texts of the nearest block with words outside of an element, and their weights.

    Words up to `NEAR` on both sides are one text with weight 1; those up to `FAR` are one text on
    each side with `FAR_WEIGHT`.

    Parameters
    ----------
    page
        The page, in the regular form of `labeling.html.scanner`.
    start, stop
        The element in the page.
    max_steps
        Tags on either side that are read.

    Examples
    --------
    >>> list(words_around("<p>Not this<p>A red <img> apple</p><p>nor this", 20, 25))
    [('A red apple', 1.0)]
    """
    before: list[str] = []
    after: list[str] = []
    backwards: Steps = islice(_steps_back(page, start), max_steps)
    forwards: Steps = islice(_steps_on(page, stop), max_steps)
    siblings: set[str] = set()
    around, left = ["img"], ""
    for _ in range(_MAX_BLOCKS):
        if before or after or not around[0]:
            break
        around = _collect_before(backwards, siblings, before)
        left = _collect_after(chain([("", left)], forwards), around, after)
    near = before[:NEAR][::-1] + after[:NEAR]
    if near:
        yield " ".join(near), 1.0
    for words in (before[NEAR:][::-1], after[NEAR:]):
        if words:
            yield " ".join(words), FAR_WEIGHT


def _collect_before(steps: Steps, siblings: set[str], words: list[str]) -> list[str]:
    """Collect words, the nearest first, back to the start of a block.

    Returns the block (without a name: the page) and the lists and tables between it and the words.
    ``siblings`` are blocks that end when another one of their kind starts, as paragraphs do at any
    block: after one has been left, the starts of others before it are not around the image.
    """
    closed: list[str] = []
    lists: list[str] = []
    is_silent = False
    for text, name in steps:
        if text and not is_silent and len(words) < FAR:
            words += _last_words(text)[::-1][: FAR - len(words)]
        if name in _ENDS:
            closed.append(_ENDS[name])
        elif name in closed:
            _leave(closed, name)
        elif name in _LISTS and not closed:
            siblings.intersection_update(("p",))
            lists.append(name)
        elif name in _BLOCKS and not closed and name not in siblings:
            siblings.update({name, "p"} & _ENDED_BY.keys())
            return [name, *reversed(lists)]
        elif name.endswith("noscript"):
            is_silent = name == "/noscript"
    return ["", *reversed(lists)]


def _collect_after(steps: Steps, around: list[str], words: list[str]) -> str:
    """Collect words, up to the end of a block; return the tag there if it is not its own."""
    block = around[0]
    opened = [*around]
    is_silent = False
    for text, name in steps:
        if text and not is_silent and len(words) < FAR:
            words += _first_words(text)[: FAR - len(words)]
        if name in _STARTS:
            if len(opened) == 1 and name in _ENDED_BY.get(block, ()):
                return name
            opened.append(name)
        elif name in _ENDS:
            if _ENDS[name] in opened:
                _leave(opened, _ENDS[name])
                if not opened:
                    return ""
            elif block in _ENDED_BY or not (block == "body" or _ENDS[name] in _PASSED_OVER):
                return name
        elif name.endswith("noscript"):
            is_silent = name == "noscript"
    return ""


def _leave(elements: list[str], name: str) -> None:
    """Remove the last element of a name, and those after it."""
    while elements.pop() != name:
        pass


def _steps_back(page: str, end: int) -> Steps:
    """Yield the steps before a character, searching little by little, since few are used."""
    low, start = end, end
    for look in _LOOKS:
        first = max(start - look, 0)
        bracket = page.find("<", first, low)
        high, low = low, bracket if bracket >= 0 else low
        for tag in reversed(list(_SHAPE.finditer(page, low, high))):
            yield page[tag.end() : end], tag[1].lower()
            end = tag.start()
    yield page[first:low].rpartition(">")[2] + page[low:end], ""


def _steps_on(page: str, start: int) -> Steps:
    high = start + REACH
    if high < len(page) and (bracket := page.rfind("<", start, high)) >= 0:
        high = bracket
    for tag in _SHAPE.finditer(page, start, high):
        yield page[start : tag.start()], tag[1].lower()
        start = tag.end()
    yield page[start:high], ""


def _first_words(written: str) -> Sequence[str]:
    """Return the first words of a text, all or `FAR` at least."""
    if len(written) > _NEARBY:
        cut = written.find(" <", _NEARBY)  # where no word is cut, since both are outside of a tag
        words = _words(written[:cut]) if cut >= 0 else ()
        if len(words) >= FAR:
            return words
    return _words(written)


def _last_words(written: str) -> Sequence[str]:
    """Return the last words of a text, all or `FAR` at least."""
    if len(written) > _NEARBY:
        cut = written.rfind(" <", 0, len(written) - _NEARBY)
        words = _words(written[cut:]) if cut >= 0 else ()
        if len(words) >= FAR:
            return words
    return _words(written)


@functools.lru_cache(maxsize=1000)
def _words(written: str) -> Sequence[str]:
    # Of many images without a word between them each would take their tags out again.
    if written.lstrip().startswith("<") and _TEXT.search(written) is None:
        return ()
    return tuple(unescaped(without_tags(written)).split())
