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
from labeling.keys.urls import Resolver, serialised
from labeling.readers.web_archives.http import Broken, Unused, content_type
from labeling.readers.web_archives.warc import read_warc

_Item = TypeVar("_Item")

MAX_METADATA_BYTES = 8 << 20
"""Bytes of the metadata of a page; larger ones are not read, because parsed JSON is larger."""


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
        page = _page(json.loads(content))
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
    if not serialised(url):
        return Page(url, losses=(("bad_url", url),))
    url = serialised(url)
    head = html.get("Head") or {}
    resolver = Resolver(Resolver(url)(head.get("Base")) or url)
    listed = html.get("Links") or []
    shared = [Text("title", _clean(head.get("Title")))]
    metas = {m.get("name"): m.get("content") for m in head.get("Metas") or []}
    shared.append(Text("description", _clean(metas.get("description"))))
    losses: list[tuple[str, str]] = []
    on_images = _first("too_many_images", _of_images(listed), MAX_IMAGES, losses)
    images = [_image(item, references, resolver, shared) for item, references in on_images]
    on_links = [item for item in listed if item.get("path") == "A@/href"]
    links = [
        Link(resolver(item.get("url")), _clean(item.get("text")), _clean(item.get("rel")))
        for item in _first("too_many_links", on_links, MAX_LINKS, losses)
    ]
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
    return content_type(headers.get("Content-Type"))[0] or "no type"


def _first(
    reason: str, items: list[_Item], most: int, losses: list[tuple[str, str]]
) -> list[_Item]:
    """Return the first items; the others are a loss."""
    if len(items) > most:
        losses.append((reason, f"{len(items) - most} more"))
    return items[:most]


def _of_images(listed: list[dict[str, Any]]) -> list[tuple[dict[str, Any], list[str]]]:
    """Return the items about images, each with its references, the likeliest largest first."""
    on_images = []
    for item in listed:
        path, value = _IMAGE_PATH.fullmatch(item.get("path") or ""), item.get("url")
        if path is None or not isinstance(value, str):
            continue
        references = image_references({(path[1] or path[2]).lower(): value})
        if references:
            on_images.append((item, references))
    return on_images


def _image(
    item: dict[str, Any], references: list[str], resolver: Resolver, shared: list[Text]
) -> PageImage | None:
    urls = [*filter(None, map(resolver, references))]
    if not urls:
        return None
    texts = [Text("alt", _clean(item.get("alt"))), Text("tooltip", _clean(item.get("title")))]
    texts.append(Text("filename", filename_words(urls[0])))
    return PageImage(urls[0], tuple(t for t in texts + shared if t.text), tuple(urls[1:]))


def _clean(text: object) -> str:
    return " ".join(text.split()) if isinstance(text, str) else ""
