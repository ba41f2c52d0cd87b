"""Pages and samples to rows of pages, signals, placements, links, images and rejects."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat

import pyarrow as pa

from labeling.html.image_tags import COUNTED
from labeling.html.page import Page
from labeling.html.page_images import PageImage, Text
from labeling.keys import ids
from labeling.keys.urls import url_id
from labeling.readers.image_files import LFS_POINTER, POINTER, Located
from labeling.readers.skips import skipped_rows
from labeling.schemas import IMAGES, LINKS, PAGES, PLACEMENTS, REJECTS, SIGNALS, TableSchema

Locate = Callable[[str], Located | None]
"""Returns the image that a URL refers to, or None if it is not an image."""

MAX_PAGES, MAX_CHARACTERS = 200, 32 << 20
"""Pages, and characters of their texts, of which the rows are to be written as tables."""

_TABLES = (PAGES, LINKS, IMAGES, SIGNALS, PLACEMENTS, REJECTS)


class PageRows:
    """Rows of tables of `labeling.schemas`, collected column by column."""

    def __init__(self) -> None:
        self._columns: dict[str, list[list[object]]] = {}
        self._digest = functools.lru_cache(maxsize=100_000)(ids.digest)
        self._clear()

    def add_page(
        self,
        page: Page,
        host: str,
        locate: Locate,
        origin: tuple[str, int | None],
        *,
        missing_is_reject: bool,
    ) -> None:
        """Add a page.

        Parameters
        ----------
        page, host
            The page and its host.
        locate
            Finds the images.
        origin
            File and offset of the record that the page was read from.
        missing_is_reject
            Also add a reject for each image whose file is missing.
        """
        page_id = self.add_origin(page.url, *origin)
        for image in page.images:
            located = _first_file(image, locate)
            if located is None:
                continue
            if located.image_id == POINTER:
                self.reject(page.url, LFS_POINTER, image.url)
                continue
            if located.n_bytes == 0 and missing_is_reject:
                self.reject(page.url, "image_missing", image.url)
            self.add_image(located, (page_id, host), image.texts, page.lang)
        if page.links:
            urls, texts, rels, navs = zip(*page.links, strict=True)
            nullable = [[text or None for text in column] for column in (texts, rels)]
            targets = [*map(self._digest, urls)]
            self._extend(LINKS, len(urls), page_id, targets, host, *nullable, navs)
            self._n_characters += sum(map(len, texts))
        for reason, value in page.losses:
            if reason in COUNTED:
                self._skipped[origin[0], reason] += 1
            else:
                self.reject(page.url, reason, value)

    def add_origin(self, url: str, file: str, record: int | None = None) -> str:
        """Add the input of a page, by its URL or name, and return its id."""
        page_id = url_id(url)
        self._extend(PAGES, 1, page_id, url, file, record)
        return page_id

    def add_image(
        self, image: Located, page: tuple[str, str], texts: Iterable[Text], lang: str | None
    ) -> None:
        """Add an image on a page (id and host) with the texts about it."""
        key = (image.image_id, *page)
        self._extend(IMAGES, 1, *image)
        self._extend(PLACEMENTS, 1, *key)
        if texts:
            sources, contents, weights = zip(*texts, strict=True)
            self._extend(SIGNALS, len(contents), *key, sources, contents, weights, lang)
            self._n_characters += sum(map(len, contents))

    def is_full(self) -> bool:
        """Return whether `tables` should be written before more rows are added."""
        return self._n_characters > MAX_CHARACTERS or len(self._columns["pages"][0]) >= MAX_PAGES

    def reject(self, where: str, reason: str, value: str) -> None:
        """Add a reject."""
        self._extend(REJECTS, 1, where, reason, value[:200])

    def tables(self) -> Iterator[tuple[str, pa.Table]]:
        """Yield the rows as tables of `labeling.schemas` by name, and forget them."""
        columns, skipped = self._columns, self._skipped
        self._clear()
        for table in _TABLES:
            fields = zip(columns[table.name], table.fields, strict=True)
            arrays = [_array(values, field.type) for values, field in fields]
            yield table.name, pa.Table.from_arrays(arrays, schema=table.arrow)
        for (file, kind), number in skipped.items():
            yield from skipped_rows(file, kind, number)

    def _clear(self) -> None:
        self._columns = {table.name: [[] for _ in table.fields] for table in _TABLES}
        self._n_characters = 0
        self._skipped: Counter[tuple[str, str]] = Counter()

    def _extend(self, table: TableSchema, n: int, *columns: object) -> None:
        """Add rows to a table; each column is one value, or a list or tuple of `n`."""
        for values, column in zip(self._columns[table.name], columns, strict=True):
            values.extend(column if isinstance(column, list | tuple) else repeat(column, n))


def _first_file(image: PageImage, locate: Locate) -> Located | None:
    """Return the image in the first of its sizes whose file exists, else the first located."""
    located = locate(image.url)
    for url in image.others:
        if located is not None and located.n_bytes:
            break
        other = locate(url)
        located = other if located is None or (other is not None and other.n_bytes) else located
    return located


def _array(values: Iterable[object], dtype: pa.DataType) -> pa.Array:
    """Return an array of texts, numbers or booleans; a lone surrogate becomes a question mark."""
    try:
        return pa.array(values, dtype)
    except UnicodeEncodeError:
        whole = (v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for v in values)
        return pa.array(whole, dtype)
