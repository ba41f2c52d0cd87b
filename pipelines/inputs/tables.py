"""Tables of texts, of links and of feedback, in CSV, Parquet or JSON Lines files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from pydantic import Field

from pipelines.inputs.input import Input, ReadContext, reader

_SUFFIXES = (".csv", ".parquet", ".jsonl")
_PATH = Field(description="CSV, Parquet or JSON Lines file, or a folder of them")


class SignalsInput(Input):
    """A table of texts about images."""

    suffixes = _SUFFIXES

    path: str = _PATH
    source: str = Field("alt", description="labeling source of rows without a `source` column")
    columns: dict[str, str] = Field(
        default={"image": "image", "text": "text"},
        description="our name = the file's: image, text, page, source, weight, lang",
    )

    def read(self, files: Sequence[str], context: ReadContext) -> Iterator[tuple[str, pa.Table]]:
        """Yield the texts of some files, and their images."""
        for file in files:
            path = context.base / file
            yield from reader("tables:read_signals")(
                path, self.columns, self.source, context.locator
            )


class LinksInput(Input):
    """A table of links between pages."""

    suffixes = _SUFFIXES

    path: str = _PATH
    columns: dict[str, str] = Field(
        default={"src": "src", "dst": "dst"}, description="our name = the file's: src, dst, anchor"
    )

    def read(self, files: Sequence[str], context: ReadContext) -> Iterator[tuple[str, pa.Table]]:
        """Yield the links of some files."""
        for file in files:
            yield from reader("tables:read_links")(context.base / file, self.columns)


class FeedbackInput(Input):
    """A table of what users did."""

    suffixes = _SUFFIXES
    reads_labels = True

    path: str = _PATH
    columns: dict[str, str] = Field(
        default={
            name: name
            for name in ("event_id", "image", "label", "query", "kind", "user", "position", "time")
        },
        description="our name = the file's, as in the default; event_id, position and one of"
        " label and query may be left out",
    )

    def read(self, files: Sequence[str], context: ReadContext) -> Iterator[tuple[str, pa.Table]]:
        """Yield the events of some files; those about unknown labels are rejects."""
        is_label = context.label_ids().__contains__
        for file in files:
            path = context.base / file
            yield from reader("tables:read_feedback")(path, self.columns, context.locator, is_label)
