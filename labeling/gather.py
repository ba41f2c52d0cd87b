"""Pages to rows: signals, placements, links, images and rejects."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from labeling import ids
from labeling.locate import Located
from labeling.pages import Page, PageImage
from labeling.schemas import IMAGES, LINKS, PLACEMENTS, REJECTS, SIGNALS

_TABLES = (IMAGES, SIGNALS, PLACEMENTS, REJECTS)


class Gathered:
    """Rows of the pages that were added.

    Parameters
    ----------
    locate
        Returns the image that a URL means, or None where it is no image.
    """

    def __init__(self, locate: Callable[[str], Located | None]) -> None:
        self._locate = locate
        self._rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._links: list[pa.Table] = []
        self._digest = functools.lru_cache(maxsize=100_000)(ids.digest)

    def add(self, page: Page, host: str, *, missing_is_reject: bool) -> None:
        """Add a page; an image whose bytes are not here may be put down as a reject."""
        page_id = ids.digest(page.url)
        for image in page.images:
            found = self._find(image)
            if found is None:
                continue
            if found.n_bytes == 0 and missing_is_reject:
                self.reject(page.url, "image_missing", image.url)
            key = {"image_id": found.image_id, "page_id": page_id, "host": host}
            self._rows["images"].append(found._asdict())
            self._rows["placements"].append(key)
            self._rows["signals"] += [
                {**key, **text._asdict(), "lang": page.lang} for text in image.texts
            ]
        self._add_links(page, page_id, host)
        for reason, value in page.losses:
            self.reject(page.url, reason, value)

    def reject(self, where: str, reason: str, value: str) -> None:
        """Add a reject."""
        self._rows["rejects"].append({"where": where, "reason": reason, "value": value[:200]})

    def tables(self) -> Iterator[tuple[str, pa.Table]]:
        """Yield the rows as tables of `labeling.schemas` by name, and forget them."""
        yield "links", pa.concat_tables([LINKS.empty(), *self._links])
        self._links = []
        for schema in _TABLES:
            rows = self._rows.pop(schema.name, [])
            yield schema.name, pa.Table.from_pylist(rows, schema=schema.arrow)

    def _find(self, image: PageImage) -> Located | None:
        """Return the image, in the first of its sizes whose bytes are here."""
        found = self._locate(image.url)
        for url in image.others:
            if found is not None and found.n_bytes:
                break
            other = self._locate(url)
            found = other if found is None or (other is not None and other.n_bytes) else found
        return found

    def _add_links(self, page: Page, page_id: str, host: str) -> None:
        if not page.links:
            return
        n = len(page.links)
        columns = [
            pa.repeat(page_id, n),
            pa.array([self._digest(link.url) for link in page.links], pa.string()),
            pa.repeat(host, n),
            pa.array([link.text or None for link in page.links], pa.string()),
            pa.array([link.rel or None for link in page.links], pa.string()),
            pa.array([link.nav for link in page.links], pa.bool_()),
        ]
        self._links.append(pa.Table.from_arrays(columns, schema=LINKS.arrow))
