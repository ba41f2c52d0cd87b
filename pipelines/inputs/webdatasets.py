"""Images with their texts in WebDataset tars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from pydantic import Field, field_validator

from labeling.objects.paths import join
from pipelines.inputs.input import Input, Paths, ReadContext, reader


class WebdatasetInput(Input):
    """Images with their texts, in WebDataset tars such as img2dataset writes."""

    suffixes = (".tar",)
    bytes_per_row = 10_000  # most of them are pixels

    path: Paths = Field(description="tar, or a folder of tars; also a pattern, or a list")
    columns: dict[str, str] = Field(
        default={"alt": "txt"},
        description="labeling source = ending of a member, or `json.KEY`; also `page` and `lang`",
    )

    @field_validator("columns")
    @classmethod
    def _complete(cls, columns: dict[str, str]) -> dict[str, str]:
        for key in columns.values():
            if not all(key.split(".", 1)):
                raise ValueError(f"{key!r} is neither an ending such as `txt` nor `json.KEY`")
        return columns

    def read(self, files: Sequence[str], context: ReadContext) -> Iterator[tuple[str, pa.Table]]:
        """Yield the tables of some tars."""
        for file in files:
            yield from reader("webdatasets:read_webdataset")(
                join(context.base, file), file, self.columns
            )
