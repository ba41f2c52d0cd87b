"""Rows of inputs that are valid and cannot be used: counted, not rejected."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from labeling.schemas import SKIPS, table_of

NO_TEXT = "no_text"
"""Kind of rows without a text, of which image and page are used."""


def skipped_rows(file: str, kind: str, n_rows: int) -> Iterator[tuple[str, pa.Table]]:
    """Yield the number of rows of a file that are not used, as the table ``skips``, if any."""
    if n_rows:
        yield SKIPS.name, table_of([(file, kind, n_rows)], SKIPS.arrow)
