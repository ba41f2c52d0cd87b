"""Images and texts in the metadata of a page: OpenGraph and JSON-LD (schema.org)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from labeling.json_objects import with_repeated

MAX_ITEMS = 10_000
"""Items of a page's JSON-LD that are read."""

_MAX_VALUES = 100
"""Values of a property that are read."""

_DECODER = json.JSONDecoder(strict=False, object_pairs_hook=with_repeated)
_NOISE = re.compile(
    r"""(?P<text>"(?:[^"\\]++|\\.)*+"?+) | ,(?=\s*+[}\]]) | <!\[CDATA\[ | \]\]> | <!-- | -->
    | /\*.*?(?:\*/|\Z) | //[^\r\n<]*+ """,
    re.DOTALL | re.VERBOSE,
)
_BETWEEN = re.compile(r"[;\s]*+")
_GRAPH = {"og:title": "og_title", "og:description": "og_description", "og:image:alt": "og_alt"}
_IMAGE_URL = ("contentUrl", "url")
_IMAGE_TEXTS = ("name", "caption", "description")
_THING_TEXTS = ("name", "headline", "description")


def open_graph(
    properties: Iterable[tuple[str | None, str | None]],
) -> tuple[str | None, list[tuple[str, str]]]:
    """Return the first ``og:image``, and (source, text) for each text about it.

    Examples
    --------
    >>> open_graph([("og:title", "Red apple"), ("og:image", "/a.jpg"), (None, "x")])
    ('/a.jpg', [('og_title', 'Red apple')])
    """
    image = None
    texts: dict[str, str] = {}
    for name, content in properties:
        if name in ("og:image", "og:image:url") and content and image is None:
            image = content
        elif name in _GRAPH and content:
            texts.setdefault(_GRAPH[name], content)
    return image, list(texts.items())


def described_images(
    scripts: Iterable[str], losses: list[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Yield (reference of the image, text) from JSON-LD.

    Raw newlines in texts, commas before a bracket, comments and wrappings of scripts are accepted;
    a script that is still not JSON is a loss, ``bad_json_ld``.
    An ``ImageObject`` has name, caption and description; any other thing gives its name, headline
    and description to its ``image``.

    Examples
    --------
    >>> list(described_images(['{"name": "Mug", "image": ["/m.jpg"]}', "{"], []))
    [('/m.jpg', 'Mug')]
    """
    for script in scripts:
        try:
            content = _parsed(script)
        except (ValueError, RecursionError):
            losses.append(("bad_json_ld", " ".join(script[:200].split())))
            continue
        for item in _items(content):
            yield from _of_item(item)


def _parsed(script: str) -> Any:
    """Return the content of a script, or a list of the contents of several in it."""
    try:
        return json.loads(script, strict=False, object_pairs_hook=with_repeated)
    except ValueError:
        script = _NOISE.sub(lambda part: part["text"] or "", script).strip("\ufeff; \t\r\n")
        script = script.replace("\\'", "'")
    contents: list[Any] = []
    offset = 0
    while offset < len(script) and len(contents) < MAX_ITEMS:
        content, offset = _DECODER.raw_decode(script, offset)
        contents.append(content)
        between = _BETWEEN.match(script, offset)
        offset = between.end() if between is not None else offset
    return contents


def _items(content: Any) -> Iterator[dict[str, Any]]:
    waiting = [content]
    for _ in range(MAX_ITEMS):
        if not waiting:
            return
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += reversed([v for v in value.values() if isinstance(v, dict | list)])
        elif isinstance(value, list):
            waiting += reversed(value[:MAX_ITEMS])


def _of_item(item: dict[str, Any]) -> Iterator[tuple[str, str]]:
    kinds = [kind.rpartition("/")[2].rpartition(":")[2] for kind in _texts(item.get("@type"))]
    if "ImageObject" in kinds:
        references = [text for key in _IMAGE_URL for text in _texts(item.get(key))][:1]
        keys = _IMAGE_TEXTS
    else:
        references = [r for r in map(_reference, _listed(item.get("image"))) if r]
        keys = _THING_TEXTS
    texts = [" ".join(text.split()) for key in keys for text in _texts(item.get(key))]
    for reference in references:
        for text in dict.fromkeys(filter(None, texts)):
            yield reference, text


def _listed(value: Any) -> list[Any]:
    """Return a value, or those of an array, as a list."""
    return value[:_MAX_VALUES] if isinstance(value, list) else [value]


def _texts(value: Any) -> list[str]:
    """Return the texts of a value, which may be an array, or objects with a language."""
    values = [v.get("@value") if isinstance(v, dict) else v for v in _listed(value)]
    return [text for text in values if isinstance(text, str)]


def _reference(image: Any) -> str:
    if isinstance(image, dict):
        image = next((image[key] for key in (*_IMAGE_URL, "@id") if key in image), "")
    return next(iter(_texts(image)), "")
