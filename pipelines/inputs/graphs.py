"""Graphs of hosts or pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from pydantic import Field

from labeling.objects.paths import join
from labeling.readers.listing import COMPRESSIONS, input_files
from pipelines.inputs.input import Input, Paths, ReadContext, reader


class GraphInput(Input):
    """Links between hosts or pages, as Common Crawl publishes its graphs."""

    path_keys = ("edges", "vertices")
    counted = "links"
    suffixes = (".txt", ".tsv", *COMPRESSIONS[1:])

    vertices: str = Field(description="text file of id, tab, reversed host or URL; also packed")
    edges: Paths = Field(
        description="text file of two ids with a tab between; also packed, a folder, a pattern,"
        " or a list"
    )

    def files(self, base: Path) -> list[str]:
        """Return the files of edges; those of vertices are read with each of them."""
        input_files(base, self.vertices, self.suffixes)
        return super().files(base)

    def paths(self, base: Path, files: Sequence[str]) -> list[Path]:
        """Return the file of vertices, and those of edges."""
        return [join(base, self.vertices), *super().paths(base, files)]

    def read(self, files: Sequence[str], context: ReadContext) -> Iterator[tuple[str, pa.Table]]:
        """Yield the links of some files of edges."""
        for number, file in enumerate(files):
            yield from reader("table_files.graphs:read_graph")(
                join(context.base, self.vertices),
                join(context.base, file),
                file,
                self.vertices if context.is_first and number == 0 else None,
            )
