"""Web archives: WARC, ARC, WAT and WACZ files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from pydantic import Field

from labeling.objects.paths import join
from labeling.readers.listing import ARCHIVE_SUFFIXES
from pipelines.inputs.input import Input, Paths, ReadContext, reader


class ArchiveInput(Input):
    """Web archives: pages with the images that are stored beside them."""

    suffixes = ARCHIVE_SUFFIXES
    stores_images = True

    path: Paths = Field(
        description="WARC, ARC or WAT file (plain, .gz or .zst), WACZ, or a folder of them; also a"
        " pattern, or a list"
    )

    def read(self, files: Sequence[str], context: ReadContext) -> Iterator[tuple[str, pa.Table]]:
        """Yield the tables of some archives."""
        read_archive = reader("web_archives.archives:read_archive")
        for file in files:
            yield from read_archive(
                join(context.base, file), file, context.locator.locate, context.index
            )
