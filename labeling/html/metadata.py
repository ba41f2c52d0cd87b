"""Images and texts in the metadata of a page: OpenGraph and JSON-LD (schema.org)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from labeling.json_objects import with_repeated

MAX_ITEMS = 10_000
"""Items of a page's JSON-LD that are read."""

MAX_SHARED = 20
"""Images of OpenGraph of a page that are read."""

_Texts: TypeAlias = list[tuple[str, str]]

_MAX_VALUES = 100
"""Values of a property that are read."""

_DECODER = json.JSONDecoder(strict=False, object_pairs_hook=with_repeated)
_NOISE = re.compile(
    r"""(?P<text>"(?:[^"\\]++|\\.)*+"?+) | ,(?=\s*+[}\]]) | <!\[CDATA\[ | \]\]> | <!-- | -->
    | /\*.*?(?:\*/|\Z) | //[^\r\n<]*+ """,
    re.DOTALL | re.VERBOSE,
)
_BETWEEN = re.compile(r"[;\s]*+")
_GRAPH = {"og:title": "og_title", "og:description": "og_description"}
_GRAPH_IMAGE = ("og:image", "og:image:url", "og:image:secure_url")
_GRAPH_ALT = "og:image:alt"
_IMAGE_URL = ("contentUrl", "url")
_IMAGE_TEXTS = ("name", "caption", "description")
_THING_TEXTS = ("name", "headline", "description")


def open_graph(
    metas: Iterable[Mapping[str, str]], losses: list[tuple[str, str]]
) -> tuple[list[tuple[tuple[str, ...], _Texts]], _Texts]:
    """Return the images of OpenGraph, and the texts about all images of a page without one.

    An image has references, as ``og:image:secure_url`` may follow ``og:image``, and (source, text)
    for each text about it. Images beyond `MAX_SHARED` are a loss, ``too_many_images``.

    Parameters
    ----------
    metas
        Attributes of each ``<meta>``: ``property``, or ``name`` as many write, and ``content``.
    losses
        (reason, value) of what is left out.

    Examples
    --------
    >>> metas = [{"property": "og:title", "content": "Red apple"}]
    >>> open_graph([*metas, {"name": "og:image", "content": "/a.jpg"}], [])
    ([(('/a.jpg',), [('og_title', 'Red apple')])], [])
    >>> open_graph(metas, [])
    ([], [('og_title', 'Red apple')])
    """
    written: list[dict[str, str]] = [{}]
    texts: dict[str, str] = {}
    for meta in metas:
        content = meta.get("content", "")
        for name in f"{meta.get('property', '')} {meta.get('name', '')}".lower().split():
            if not content:
                continue
            if name in _GRAPH_IMAGE and name in written[-1]:
                written.append({})
            if name in (*_GRAPH_IMAGE, _GRAPH_ALT):
                written[-1].setdefault(name, content)
            elif name in _GRAPH:
                texts.setdefault(_GRAPH[name], content)
    images: dict[tuple[str, ...], _Texts] = {}
    for image in written:
        alt = [("og_alt", image.pop(_GRAPH_ALT))] if _GRAPH_ALT in image else []
        if not image and len(written) == 1:
            return [], [*texts.items(), *alt]
        images.setdefault(tuple(dict.fromkeys(image.values())), [*texts.items(), *alt])
    if len(images) > MAX_SHARED:
        losses.append(("too_many_images", f"{len(images) - MAX_SHARED} more of OpenGraph"))
    return list(images.items())[:MAX_SHARED], []


def described_images(
    scripts: Iterable[str], losses: list[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Yield (reference of the image, text) from JSON-LD.

    Raw newlines in texts, commas before a bracket, comments and wrappings of scripts are accepted;
    a script that is still not JSON is a loss, ``bad_json_ld``.
    An ``ImageObject`` has name, caption and description; any other thing gives its name, headline
    and description to its ``image``. An image may be given by the ``@id`` of an item of the page.

    Examples
    --------
    >>> list(described_images(['{"name": "Mug", "image": ["/m.jpg"]}', "{"], []))
    [('/m.jpg', 'Mug')]
    """
    items: list[dict[str, Any]] = []
    for script in scripts:
        try:
            items += _items(_parsed(script))
        except (ValueError, RecursionError):
            losses.append(("bad_json_ld", " ".join(script[:200].split())))
    by_id = {_id(item): item for item in items if _id(item) and item.keys() & {*_IMAGE_URL}}
    for item in items:
        yield from _of_item(item, by_id)


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


def _id(item: Mapping[str, Any]) -> str:
    value = item.get("@id")
    return value if isinstance(value, str) else ""


def _of_item(
    item: dict[str, Any], by_id: Mapping[str, dict[str, Any]]
) -> Iterator[tuple[str, str]]:
    kinds = [kind.rpartition("/")[2].rpartition(":")[2] for kind in _texts(item.get("@type"))]
    if "ImageObject" in kinds:
        references = [text for key in _IMAGE_URL for text in _texts(item.get(key))][:1]
        keys = _IMAGE_TEXTS
    else:
        images = _listed(item.get("image") or item.get("thumbnailUrl"))
        references = [r for r in (_reference(image, by_id) for image in images) if r]
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


def _reference(image: Any, by_id: Mapping[str, dict[str, Any]]) -> str:
    """Return the URL of an image, which may be that of the item with its ``@id``.

    An ``@id`` of no item is the URL itself, unless it has a fragment, as names of items do.
    """
    text = next(iter(_texts(image)), "")
    if not isinstance(image, dict) and text not in by_id:
        return text
    image = image if isinstance(image, dict) else {"@id": text}
    name = _id(image)
    image = by_id.get(name, {}) | image
    keys = [key for key in _IMAGE_URL if key in image]
    if keys:
        return next(iter(_texts(image[keys[0]])), "")
    return "" if "#" in name else name
