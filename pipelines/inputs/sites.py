"""HTML pages with their images beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from pydantic import Field

from labeling.objects.paths import identity, join
from labeling.readers.image_files import named
from pipelines.inputs.input import Input, ReadContext, reader


class SiteInput(Input):
    """HTML pages with their images beside them."""

    files_per_split = 500

    path: str = Field(description="folder or zip file that holds a folder for each host")

    def files(self, base: Path) -> list[str]:
        """Return the pages below the folder or in the zip file."""
        pages: list[str] = reader("sites:site_pages")(base, self.path)
        return pages

    def skipped(self, base: Path, files: Sequence[str]) -> dict[Path, str]:
        """Return the files that are neither pages nor images, with their endings."""
        others: dict[Path, str] = reader("sites:other_files")(base, self.path, files)
        return others

    def identities(self, base: Path, files: Sequence[str]) -> list[str]:
        """Return the pages with the folder or zip file that holds them."""
        root = identity(join(base, self.path))
        return [f"{root}#{file}" for file in files]

    def paths(self, base: Path, files: Sequence[str]) -> list[Path]:
        """Return the zip file, or the pages."""
        root = join(base, self.path)
        return [root] if root.is_file() else [root / page for page in files]

    def sizes_beside(self, base: Path) -> dict[str, str]:
        """Return the name and size of every file of the site.

        Images are read when they are taken in, and compared with their digests when they are
        written into shards; reading them for the fingerprint would double the work of a rerun.
        """
        is_zip = join(base, self.path).is_file()
        files = [] if is_zip else reader("listing:files_below")(base, self.path)
        return {f"{self.path}/**": str([(named(base, p), p.stat().st_size) for p in files])}

    def read(self, files: Sequence[str], context: ReadContext) -> Iterator[tuple[str, pa.Table]]:
        """Yield the tables of some pages."""
        yield from reader("sites:read_site")(join(context.base, self.path), files, context.locator)
