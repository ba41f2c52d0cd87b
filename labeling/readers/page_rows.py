"""Pages to rows: signals, placements, links, images and rejects."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat

import pyarrow as pa

from labeling.html.page import Page, PageImage
from labeling.keys import ids
from labeling.readers.image_files import Located
from labeling.schemas import IMAGES, LINKS, PLACEMENTS, REJECTS, SIGNALS, TableSchema

_TABLES = (LINKS, IMAGES, SIGNALS, PLACEMENTS, REJECTS)


class Gathered:
    """Rows of the pages that were added, column by column.

    Parameters
    ----------
    locate
        Returns the image that a URL means, or None where it is no image.
    """

    def __init__(self, locate: Callable[[str], Located | None]) -> None:
        self._locate = locate
        self._columns: dict[str, list[list[object]]] = {}
        self._digest = functools.lru_cache(maxsize=100_000)(ids.digest)
        self._forget()

    def add(self, page: Page, host: str, *, missing_is_reject: bool) -> None:
        """Add a page; an image whose bytes are not here may be put down as a reject."""
        page_id = ids.digest(page.url)
        for image in page.images:
            found = self._find(image)
            if found is None:
                continue
            if found.n_bytes == 0 and missing_is_reject:
                self.reject(page.url, "image_missing", image.url)
            self._extend(IMAGES, 1, *found)
            self._extend(PLACEMENTS, 1, found.image_id, page_id, host)
            if image.texts:
                sources, texts, weights = zip(*image.texts, strict=True)
                key = (found.image_id, page_id, host)
                self._extend(SIGNALS, len(texts), *key, sources, texts, weights, page.lang)
        if page.links:
            urls, texts, rels, navs = zip(*page.links, strict=True)
            said = [[text or None for text in column] for column in (texts, rels)]
            targets = [*map(self._digest, urls)]
            self._extend(LINKS, len(urls), page_id, targets, host, *said, navs)
        for reason, value in page.losses:
            self.reject(page.url, reason, value)

    def reject(self, where: str, reason: str, value: str) -> None:
        """Add a reject."""
        self._extend(REJECTS, 1, where, reason, value[:200])

    def tables(self) -> Iterator[tuple[str, pa.Table]]:
        """Yield the rows as tables of `labeling.schemas` by name, and forget them."""
        columns = self._columns
        self._forget()
        for table in _TABLES:
            fields = zip(columns[table.name], table.fields, strict=True)
            arrays = [_array(values, field.type) for values, field in fields]
            yield table.name, pa.Table.from_arrays(arrays, schema=table.arrow)

    def _forget(self) -> None:
        self._columns = {table.name: [[] for _ in table.fields] for table in _TABLES}

    def _extend(self, table: TableSchema, n: int, *columns: object) -> None:
        """Add rows to a table, of which a column is one value, or a list or tuple of `n`."""
        for values, column in zip(self._columns[table.name], columns, strict=True):
            values.extend(column if isinstance(column, list | tuple) else repeat(column, n))

    def _find(self, image: PageImage) -> Located | None:
        """Return the image, in the first of its sizes whose bytes are here."""
        found = self._locate(image.url)
        for url in image.others:
            if found is not None and found.n_bytes:
                break
            other = self._locate(url)
            found = other if found is None or (other is not None and other.n_bytes) else found
        return found


def _array(values: Iterable[object], kind: pa.DataType) -> pa.Array:
    """Return an array of texts, numbers or truth values; half a character is a question mark."""
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:
        whole = (v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for v in values)
        return pa.array(whole, kind)
