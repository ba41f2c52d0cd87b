"""The words around an image, and how near they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from resiliparse.parse.html import ElementNode, Node

NEAR, FAR = 10, 40
"""Words on either side of an image that are near to it, and that are around it at all."""

FAR_WEIGHT = 0.5
"""Weight of the words that are not near; near ones have 1."""

_MAX_STEPS = 100
_MAX_CHARACTERS = 32 * 1024 * 1024
_BLOCKS = frozenset(("p", "li", "td", "figure", "div", "section", "article", "main", "body"))
_SILENT = frozenset(("script", "style", "noscript", "template", "#comment"))


class Surroundings:
    """Reads the words around the images of one page, within a budget for the whole page."""

    def __init__(self) -> None:
        self._left = _MAX_CHARACTERS

    def around(self, image: ElementNode) -> Iterator[tuple[str, float]]:
        """Yield texts of the nearest block that has words outside the image's figure, and weights.

        Words up to `NEAR` on both sides are one text with weight 1; those up to `FAR` are one text
        on each side with `FAR_WEIGHT`.
        """
        before, after = self._words(image.closest("figure") or image)
        near = before[:NEAR][::-1] + after[:NEAR]
        if near:
            yield " ".join(near), 1.0
        for words in (before[NEAR:][::-1], after[NEAR:]):
            if words:
                yield " ".join(words), FAR_WEIGHT

    def _words(self, start: Node) -> tuple[list[str], list[str]]:
        """Return up to `FAR` words before (nearest first) and after a node."""
        before: list[str] = []
        after: list[str] = []
        node: Node | None = start
        for _ in range(_MAX_STEPS):
            parent = node.parent_element if node is not None else None
            if node is None or parent is None:
                break
            self._collect(node, lambda n: n.prev, -1, before)
            self._collect(node, lambda n: n.next, 1, after)
            node = parent
            if (before or after) and parent.tag in _BLOCKS:
                break
        return before, after

    def _collect(
        self, node: Node, step: Callable[[Node], Node | None], order: int, words: list[str]
    ) -> None:
        sibling = step(node)
        for _ in range(_MAX_STEPS):
            if sibling is None or len(words) >= FAR or self._left <= 0:
                break
            if sibling.tag not in _SILENT:
                text = sibling.text or ""
                self._left -= len(text)
                words += text.split()[::order][: FAR - len(words)]
            sibling = step(sibling)
