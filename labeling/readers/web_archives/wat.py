"""WAT files (Common Crawl's metadata of pages, in JSON) to pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from fastwarc.warc import WarcRecord, WarcRecordType

from labeling.html.image_tags import MAX_IMAGES, losses_without_url
from labeling.html.metadata import open_graph
from labeling.html.page import MAX_LINKS, Link, Page
from labeling.html.page_images import Images, Text, filename_words
from labeling.html.references import image_references
from labeling.json_objects import with_repeated
from labeling.keys.urls import Resolver, serialised
from labeling.readers.web_archives.http import Broken, Unused, content_type
from labeling.readers.web_archives.warc import read_warc

_Item = TypeVar("_Item")

MAX_METADATA_BYTES = 8 << 20
"""Bytes of the metadata of a page; larger ones are not read, because parsed JSON is larger."""


_MAX_VALUE = 150
"""Characters of an odd value that are quoted."""

_USED_STATUSES = ("200", "203")

_IMAGE_PATH = re.compile(r"IMG@/(.+)|SOURCE@/(.*srcset)", re.IGNORECASE)
"""Path of a reference in an attribute for images. Common Crawl writes those in ``src`` alone."""


def read_wat(path: Path) -> Iterator[tuple[int, Page] | Unused | Broken]:
    """Read the offsets and pages of a WAT file: images with their alternative texts, links, title.

    Metadata of other records than pages is `Unused`. A damaged record is yielded as `Broken`, and
    reading resumes after it.
    """
    # Nothing of a WAT file is read again by its offset, so records may share a gzip member.
    for item in read_warc(path, _read):
        if not isinstance(item, Broken) or item.reason != "shared_member":
            yield item


def _read(record: WarcRecord, offset: int) -> tuple[int, Page] | Unused | Broken:
    length = record.content_length
    url = record.headers.get("WARC-Target-URI") or ""
    if length > MAX_METADATA_BYTES:
        return Broken(offset, "too_large", url)
    content = record.reader.read()
    if len(content) < length or record.headers.get("Content-Length") is None:
        return Broken(offset, "truncated", url)
    if record.record_type != WarcRecordType.metadata:
        return Unused(f"{record.record_type} record")
    try:
        page = _page(json.loads(content, object_pairs_hook=with_repeated))
    except (ValueError, RecursionError, AttributeError, TypeError) as error:
        return Broken(offset, "bad_record", str(error))
    if isinstance(page, Unused):
        return page
    return offset, page


def _page(content: dict[str, Any]) -> Page | Unused:
    envelope = content.get("Envelope") or {}
    header = envelope.get("WARC-Header-Metadata") or {}
    url = header.get("WARC-Target-URI")
    response = (envelope.get("Payload-Metadata") or {}).get("HTTP-Response-Metadata") or {}
    html = response.get("HTML-Metadata")
    if not url or not html:
        return Unused(_kind(header.get("WARC-Type"), response.get("Headers") or {}))
    status = str((response.get("Response-Message") or {}).get("Status") or 200)
    if status not in _USED_STATUSES:
        return Unused(f"status {status[:20]}")
    url = url.strip("<>")
    if not serialised(url):
        return Page(url, losses=(("bad_url", url),))
    return _read_html(serialised(url), html)


def _read_html(url: str, html: dict[str, Any]) -> Page:
    odd: list[object] = []
    head = _object(html.get("Head"), odd)
    resolver = Resolver(Resolver(url)(_text(head.get("Base"), odd)) or url)
    listed = _objects(html.get("Links"), odd)
    losses: list[tuple[str, str]] = []
    images = _images(head, listed, resolver, odd, losses)
    on_links = [item for item in listed if item.get("path") == "A@/href"]
    links = [
        Link(
            resolver(_text(item.get("url"), odd)),
            _words(item.get("text"), odd),
            _words(item.get("rel"), odd),
        )
        for item in _first("too_many_links", on_links, MAX_LINKS, losses)
    ]
    if odd:
        value = json.dumps(odd[0])[:_MAX_VALUE]
        losses.append(("bad_entry", f"{value} and {len(odd) - 1} more" if odd[1:] else value))
    return Page(
        url,
        images=images.freeze(),
        links=tuple(link for link in links if link.url),
        losses=(*resolver.losses(), *losses),
    )


def _images(
    head: dict[str, Any],
    listed: list[dict[str, Any]],
    resolver: Resolver,
    odd: list[object],
    losses: list[tuple[str, str]],
) -> Images:
    metas = [_meta(meta, odd) for meta in _objects(head.get("Metas"), odd)]
    described, graph = open_graph(metas, losses)
    of_page = [Text("title", _words(head.get("Title"), odd))]
    named = (meta for meta in metas if meta["name"].lower() == "description")
    of_page += [Text("description", _in_one_line(meta["content"])) for meta in named][:1]
    of_page += [Text(source, _in_one_line(text)) for source, text in graph]
    images = Images()
    on_images = _first("too_many_images", _of_images(listed, odd), MAX_IMAGES, losses)
    for item, references in on_images:
        urls = tuple(filter(None, map(resolver, references)))
        if urls:
            texts = [*_texts_of(item, urls[0], odd), *of_page]
            images.append(urls, [text for text in texts if text.text])
        else:
            losses += losses_without_url(references)
    for graph_references, about in described:
        texts = [Text(source, _in_one_line(text)) for source, text in about]
        images.add(filter(None, map(resolver, graph_references)), texts)
    return images


def _kind(record_type: str | None, headers: dict[str, Any]) -> str:
    """Return the kind of another record than a page: its media type, or its own type."""
    if record_type not in (None, "response"):
        return f"{record_type} record"
    media_type = headers.get("Content-Type")
    return content_type(media_type if isinstance(media_type, str) else None)[0] or "no type"


def _first(
    reason: str, items: list[_Item], most: int, losses: list[tuple[str, str]]
) -> list[_Item]:
    """Return the first items; the others are a loss."""
    if len(items) > most:
        losses.append((reason, f"{len(items) - most} more"))
    return items[:most]


def _of_images(
    listed: list[dict[str, Any]], odd: list[object]
) -> list[tuple[dict[str, Any], list[str]]]:
    """Return the items about images, each with its references, the likeliest largest first."""
    on_images = []
    for item in listed:
        path = _IMAGE_PATH.fullmatch(_text(item.get("path"), odd))
        value = _text(item.get("url"), odd) if path is not None else ""
        if path is None or not value:
            continue
        references = image_references({(path[1] or path[2]).lower(): value})
        if references:
            on_images.append((item, references))
    return on_images


def _texts_of(item: dict[str, Any], url: str, odd: list[object]) -> Iterator[Text]:
    yield Text("alt", _words(item.get("alt"), odd))
    yield Text("tooltip", _words(item.get("title"), odd))
    yield Text("filename", filename_words(url))


def _meta(meta: dict[str, Any], odd: list[object]) -> dict[str, str]:
    """Return the attributes of a ``<meta>`` that are read, the content only of one that is used."""
    names = {key: _text(meta.get(key), odd) for key in ("property", "name")}
    both = " ".join(names.values()).lower()
    is_used = "og:" in both or "description" in both
    return names | {"content": _text(meta.get("content"), odd) if is_used else ""}


def _object(value: object, odd: list[object]) -> dict[str, Any]:
    """Return an object of JSON; for any other value but null an empty one, and list it as odd."""
    if isinstance(value, dict):
        return value
    if value is not None:
        odd.append(value)
    return {}


def _objects(value: object, odd: list[object]) -> list[dict[str, Any]]:
    """Return the objects in an array of JSON; its other items, or another value, are odd."""
    if not isinstance(value, list):
        odd += [] if value is None else [value]
        return []
    odd += [item for item in value if not isinstance(item, dict)]
    return [item for item in value if isinstance(item, dict)]


def _text(value: object, odd: list[object]) -> str:
    """Return a text; for any other value but null an empty one, and list it as odd."""
    if isinstance(value, str):
        return value
    if value is not None:
        odd.append(value)
    return ""


def _words(value: object, odd: list[object]) -> str:
    return _in_one_line(_text(value, odd))


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
