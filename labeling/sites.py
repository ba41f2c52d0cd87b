"""A folder of HTML pages to signals, placements, links and images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from labeling.gather import Gathered
from labeling.locate import Locator
from labeling.pages import MAX_PAGE_BYTES, read_page

PAGE_SUFFIXES = (".html", ".htm")


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
    gathered = Gathered(locator.locate)
    for path in pages:
        with (root / path).open("rb") as file:
            content = file.read(MAX_PAGE_BYTES + 1)
        page = read_page(content, f"https://{path}")
        gathered.add(page, path.split("/", 1)[0].lower(), missing_is_reject=True)
    yield from gathered.tables()
