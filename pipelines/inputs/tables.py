"""Tables of texts, of links and of feedback, in CSV, TSV, JSON Lines or Parquet files."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field, field_validator

from labeling.hints import did_you_mean
from labeling.objects.paths import join
from labeling.readers.listing import TABLE_SUFFIXES
from pipelines.inputs.input import Input, Paths, ReadContext, reader

_PATH = Field(
    description="CSV, TSV, JSON Lines or Parquet file, also packed, or a folder of them; also a"
    " pattern, or a list"
)


_IMAGE_PATH = Field(
    "{image}",
    pattern=r"\{image\}",
    description="where the image of a row is, by its value in the column, such as"
    " `images/{image}.jpg`; a URL in the column is taken as it is",
)


class TableInput(Input):
    """Tables in CSV, TSV, JSON Lines or Parquet files."""

    suffixes = TABLE_SUFFIXES

    known_columns: ClassVar[tuple[str, ...]]
    """Our names of columns. Those that are required have to be mapped; a file may lack optional
    ones that are mapped to their own names."""

    required_columns: ClassVar[tuple[str, ...]]
    optional_columns: ClassVar[tuple[str, ...]] = ()

    delimiter: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        pattern=r"^[^\s\"]$|^[\t ]$",
        description="character between the columns of CSV files; guessed by the header",
    )
    encoding: str | None = Field(
        None, description="encoding of text files, such as `latin-1`; guessed by their first bytes"
    )

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str | None) -> str | None:
        if encoding is not None and not _is_text_encoding(encoding):
            raise ValueError(f"Python has no encoding of text {encoding!r}")
        return encoding

    @field_validator("columns", check_fields=False)
    @classmethod
    def _complete(cls, columns: dict[str, str]) -> dict[str, str]:
        for name in columns:
            if name not in cls.known_columns:
                known = ", ".join(cls.known_columns)
                hint = did_you_mean(name, cls.known_columns)
                raise ValueError(f"{name!r} is not one of {known}{hint}")
        missing = [name for name in cls.required_columns if name not in columns]
        if missing:
            raise ValueError(f"the file's column for {', '.join(missing)} is missing")
        return columns

    @property
    def mapping(self) -> dict[str, str]:
        """Our names of columns to the file's."""
        columns: dict[str, str] = self.model_dump()["columns"]
        return columns

    def check(self, base: Path, files: Sequence[str]) -> None:
        """Raise `InputError` for files that lack a column or whose beginning cannot be read."""
        read_batches = reader("table_files.tabular:read_batches")
        of_all = self.mapping, self.required_columns, self.optional_columns
        for file in files:
            next(read_batches(join(base, file), *of_all, self.form(file)))

    def notes(self, base: Path, files: Sequence[str]) -> dict[str, str]:
        """Return the encoding and the delimiter that were guessed, unless they are the usual."""
        wanted = [*self.mapping.values()]
        guess = reader("table_files.tabular:guess")
        guesses = {file: guess(join(base, file), wanted, self.form(file)) for file in files}
        return {file: text for file, text in guesses.items() if text}

    def form(self, file: str) -> Any:
        """Return how a file is written, and its name in rejects."""
        return reader("table_files.csv_files:Format")(self.delimiter, self.encoding, file)


def _is_text_encoding(name: str) -> bool:
    try:
        if not codecs.lookup(name)._is_text_encoding:
            return False
        # Of some, as of idna, the decoder would refuse to mark bad bytes.
        codecs.getincrementaldecoder(name)("backslashreplace").decode(b"", True)
    except (LookupError, ValueError):
        return False
    return True


class SignalsInput(TableInput):
    """A table of texts about images."""

    known_columns = ("image", "text", "page", "source", "weight", "lang")
    required_columns = ("image", "text")

    path: Paths = _PATH
    source: str = Field("alt", description="labeling source of rows without a `source` column")
    columns: dict[str, str] = Field(
        default={"image": "image", "text": "text"},
        description="our name = the file's: image, text, page, source, weight, lang",
    )
    image_path: str = _IMAGE_PATH

    def read(self, files: Sequence[str], context: ReadContext) -> Iterator[tuple[str, pa.Table]]:
        """Yield the texts of some files, and their images."""
        locator = context.locator.with_template(self.image_path)
        for file in files:
            path = join(context.base, file)
            yield from reader("table_files.tables:read_signals")(
                path, self.columns, self.source, locator, self.form(file)
            )


class LinksInput(TableInput):
    """A table of links between pages."""

    counted = "links"
    known_columns = ("src", "dst", "anchor")
    required_columns = ("src", "dst")

    path: Paths = _PATH
    columns: dict[str, str] = Field(
        default={"src": "src", "dst": "dst"}, description="our name = the file's: src, dst, anchor"
    )

    def read(self, files: Sequence[str], context: ReadContext) -> Iterator[tuple[str, pa.Table]]:
        """Yield the links of some files."""
        for file in files:
            yield from reader("table_files.tables:read_links")(
                join(context.base, file), self.columns, self.form(file)
            )


class FeedbackInput(TableInput):
    """A table of what users did."""

    counted = "feedback"
    reads_labels = True
    required_columns = ("image", "kind", "user", "time")
    optional_columns = ("event_id", "label", "query", "position")
    known_columns = required_columns + optional_columns

    path: Paths = _PATH
    columns: dict[str, str] = Field(
        default={
            name: name
            for name in ("event_id", "image", "label", "query", "kind", "user", "position", "time")
        },
        description="our name = the file's, as in the default; label is an id of the"
        " taxonomy; event_id, position and one of label and query may be left out",
    )
    image_path: str = _IMAGE_PATH

    def read(self, files: Sequence[str], context: ReadContext) -> Iterator[tuple[str, pa.Table]]:
        """Yield the events of some files; those about unknown labels are rejects."""
        locator = context.locator.with_template(self.image_path)
        is_label = context.label_ids().__contains__
        for file in files:
            path = join(context.base, file)
            yield from reader("table_files.feedback_tables:read_feedback")(
                path, self.columns, locator, is_label, self.form(file)
            )
