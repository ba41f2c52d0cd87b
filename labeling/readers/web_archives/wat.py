"""WAT files (Common Crawl's metadata of pages, in JSON) to pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastwarc.warc import WarcRecord, WarcRecordType

from labeling.html.image_tags import MAX_IMAGES
from labeling.html.page import MAX_LINKS, Link, Page, PageImage, Text, filename_words
from labeling.keys.urls import Resolver, serialised
from labeling.readers.web_archives.http import Broken
from labeling.readers.web_archives.warc import read_warc

MAX_METADATA_BYTES = 8 << 20
"""Bytes of the metadata of a page; larger ones are not read, because parsed JSON is larger."""


def read_wat(path: Path) -> Iterator[tuple[int, Page] | Broken]:
    """Read the offsets and pages of a WAT file: images with their alternative texts, links, title.

    A damaged record is yielded as `Broken`, and reading resumes after it.
    """
    # Nothing of a WAT file is read again by its offset, so records may share a gzip member.
    return (
        item
        for item in read_warc(path, _read)
        if not isinstance(item, Broken) or item.reason != "shared_member"
    )


def _read(record: WarcRecord) -> tuple[int, Page] | Broken | None:
    offset, length = record.stream_pos, record.content_length
    url = record.headers.get("WARC-Target-URI") or ""
    if length > MAX_METADATA_BYTES:
        return Broken(offset, "too_large", url)
    content = record.reader.read()
    if len(content) < length or record.headers.get("Content-Length") is None:
        return Broken(offset, "truncated", url)
    if record.record_type != WarcRecordType.metadata:
        return None
    try:
        page = _page(json.loads(content))
    except (ValueError, RecursionError, AttributeError, TypeError) as error:
        return Broken(offset, "bad_record", str(error))
    return None if page is None else (offset, page)


def _page(content: dict[str, Any]) -> Page | None:
    envelope = content.get("Envelope") or {}
    url = (envelope.get("WARC-Header-Metadata") or {}).get("WARC-Target-URI")
    response = (envelope.get("Payload-Metadata") or {}).get("HTTP-Response-Metadata") or {}
    html = response.get("HTML-Metadata")
    if not url or not html:
        return None
    if not serialised(url):
        return Page(url, losses=(("bad_url", url),))
    url = serialised(url)
    head = html.get("Head") or {}
    resolver = Resolver(Resolver(url)(head.get("Base")) or url)
    listed = html.get("Links") or []
    shared = [Text("title", _clean(head.get("Title")))]
    metas = {m.get("name"): m.get("content") for m in head.get("Metas") or []}
    shared.append(Text("description", _clean(metas.get("description"))))
    images = [_image(item, resolver, shared) for item in _on(listed, "IMG@/src")[:MAX_IMAGES]]
    links = [
        Link(resolver(item.get("url")), _clean(item.get("text")), _clean(item.get("rel")))
        for item in _on(listed, "A@/href")[:MAX_LINKS]
    ]
    return Page(
        url,
        images=tuple(image for image in images if image.url),
        links=tuple(link for link in links if link.url),
        losses=tuple(resolver.losses()),
    )


def _on(listed: list[dict[str, Any]], path: str) -> list[dict[str, Any]]:
    return [item for item in listed if item.get("path") == path]


def _image(item: dict[str, Any], resolver: Resolver, shared: list[Text]) -> PageImage:
    url = resolver(item.get("url"))
    texts = [Text("alt", _clean(item.get("alt"))), Text("tooltip", _clean(item.get("title")))]
    texts.append(Text("filename", filename_words(url)))
    return PageImage(url, tuple(text for text in texts + shared if text.text))


def _clean(text: object) -> str:
    return " ".join(text.split()) if isinstance(text, str) else ""
