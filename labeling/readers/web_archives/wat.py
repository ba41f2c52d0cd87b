"""WAT files (Common Crawl's metadata of pages, in JSON) to pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from fastwarc.warc import WarcRecord, WarcRecordType

from labeling.html.image_tags import MAX_IMAGES
from labeling.html.page import MAX_LINKS, Link, Page, PageImage, Text, filename_words
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
    metas = _objects(head.get("Metas"), odd)
    named = (m for m in metas if _text(m.get("name"), odd).lower() == "description")
    shared = [Text("title", _words(head.get("Title"), odd))]
    shared += [Text("description", _words(m.get("content"), odd)) for m in named][:1]
    losses: list[tuple[str, str]] = []
    on_images = _first("too_many_images", _of_images(listed, odd), MAX_IMAGES, losses)
    images = [_image(item, references, resolver, shared, odd) for item, references in on_images]
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
        images=tuple(image for image in images if image is not None),
        links=tuple(link for link in links if link.url),
        losses=(*resolver.losses(), *losses),
    )


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


def _image(
    item: dict[str, Any],
    references: list[str],
    resolver: Resolver,
    shared: list[Text],
    odd: list[object],
) -> PageImage | None:
    urls = [*filter(None, map(resolver, references))]
    if not urls:
        return None
    texts = [Text("alt", _words(item.get("alt"), odd))]
    texts.append(Text("tooltip", _words(item.get("title"), odd)))
    texts.append(Text("filename", filename_words(urls[0])))
    return PageImage(urls[0], tuple(t for t in texts + shared if t.text), tuple(urls[1:]))


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
    return " ".join(_text(value, odd).split())
