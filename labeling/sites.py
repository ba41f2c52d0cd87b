"""A folder of HTML pages to signals, placements, links and images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from labeling import ids
from labeling.locate import Locator
from labeling.pages import Page, read_page
from labeling.schemas import IMAGES, LINKS, PLACEMENTS, REJECTS, SIGNALS, TableSchema

PAGE_SUFFIXES = (".html", ".htm")

_Rows = dict[str, list[dict[str, Any]]]


def read_site(root: Path, pages: Sequence[str], locator: Locator) -> Iterator[tuple[str, pa.Table]]:
    """Read pages of a site folder.

    Parameters
    ----------
    root
        Folder with a folder for each host.
    pages
        Paths of pages below `root`: ``<host>/<path>.html``, for ``https://<host>/<path>.html``.
    locator
        Finds the files of the images.

    Yields
    ------
    name, table
        Tables of `labeling.schemas` by name: signals, placements, links, images and rejects.
    """
    rows: _Rows = defaultdict(list)
    for path in pages:
        url = f"https://{path}"
        page = read_page((root / path).read_bytes(), url)
        _add_images(rows, page, path.split("/", 1)[0].lower(), locator)
        _add_links(rows, page, path.split("/", 1)[0].lower())
    for schema in (IMAGES, SIGNALS, PLACEMENTS, LINKS, REJECTS):
        yield schema.name, _to_table(rows[schema.name], schema)


def _add_images(rows: _Rows, page: Page, host: str, locator: Locator) -> None:
    page_id = ids.digest(page.url)
    for image in page.images:
        found = locator.locate(image.url)
        if found is None:
            continue
        if found.n_bytes == 0:
            rejected = {"where": page.url, "reason": "image_missing", "value": image.url[:200]}
            rows["rejects"].append(rejected)
        key = {"image_id": found.image_id, "page_id": page_id, "host": host}
        rows["images"].append(found._asdict())
        rows["placements"].append(key)
        rows["signals"] += [
            {**key, "source": source, "text": text, "weight": 1.0, "lang": page.lang}
            for source, text in image.texts
        ]


def _add_links(rows: _Rows, page: Page, host: str) -> None:
    rows["links"] += [
        {
            "src_page": ids.digest(page.url),
            "dst_page": ids.digest(url),
            "src_host": host,
            "anchor": anchor or None,
        }
        for url, anchor in page.links
    ]


def _to_table(rows: list[dict[str, Any]], schema: TableSchema) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema.arrow)
