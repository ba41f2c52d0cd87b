"""Every table of winnow, in the order of the stages.

A table is an Arrow schema whose fields have a meaning, a unit and a range; `labeling.checks` checks
tables against it.

Ids are text: ``image_id`` and ``page_id`` are 32 hexadecimal digits (see `labeling.keys.ids`),
``label_id`` is 1 to 128 letters, digits, ``_``, ``-`` or ``:`` and never reaches a file name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

Batch: TypeAlias = pa.RecordBatch | pa.Table

HEX_ID = r"^[0-9a-f]{32}$"
LABEL_ID = r"^[A-Za-z0-9_:\-]{1,128}$"

FEEDBACK_KINDS = ("impression", "click", "up", "down", "flag")
IGNORED = ("unnamed_query", "replayed", "repeated", "before_image")
"""Reasons to ignore feedback: its query names no label, it is a copy of an event, the second of its
user on a label of an image, or older than the image."""

VERDICTS = ("yes", "no", "unsure")
"""What a person may answer."""

SKIPPED = "skipped"
"""In place of the verdict of a pair that was asked before an answered one and has no answer."""


@dataclass(frozen=True)
class Field:
    """One column: its Arrow type, its meaning and the values that it may have.

    ``low`` and ``high`` bound numbers (inclusive); ``pattern`` is a regular expression that every
    text must match; ``one_of`` lists the only values allowed.
    """

    name: str
    type: pa.DataType
    meaning: str
    nullable: bool = False
    low: float | None = None
    high: float | None = None
    pattern: str | None = None
    one_of: tuple[str, ...] | None = None


@dataclass(frozen=True)
class TableSchema:
    """One table of the data contract: a name, what a row is, and its fields."""

    name: str
    row: str
    fields: tuple[Field, ...]
    key: tuple[str, ...] = ()

    @property
    def arrow(self) -> pa.Schema:
        """The Arrow schema, in the order of the fields."""
        return pa.schema([pa.field(f.name, f.type, nullable=f.nullable) for f in self.fields])

    def empty(self) -> pa.Table:
        """Return a table of this schema without rows."""
        return self.arrow.empty_table()


def table_of(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    """Return rows, each with a value for every field, as a table.

    Examples
    --------
    >>> table_of([("x.csv:7", "bad_row", "a,b")], REJECTS.arrow).to_pydict()
    {'where': ['x.csv:7'], 'reason': ['bad_row'], 'value': ['a,b']}
    """
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _image(meaning: str = "digest of the image's bytes, or of its URL") -> Field:
    return Field("image_id", pa.string(), meaning, pattern=HEX_ID)


def _page(name: str = "page_id") -> Field:
    return Field(name, pa.string(), "digest of the page's URL", pattern=HEX_ID)


def _label() -> Field:
    return Field("label_id", pa.string(), "a label of the taxonomy", pattern=LABEL_ID)


def _host() -> Field:
    return Field("host", pa.string(), "host name of the page, lower case")


def _p_correct() -> Field:
    meaning = "calibrated probability that the label is right"
    return Field("p_correct", pa.float32(), meaning, low=0, high=1)


EVIDENCE_ITEM = pa.struct(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("strength", pa.float32(), nullable=False),
        pa.field("n_pages", pa.int32(), nullable=False),
        pa.field("n_hosts", pa.int32(), nullable=False),
    ]
)

IMAGES = TableSchema(
    "images",
    "one image and the location of its bytes",
    (
        _image(),
        Field(
            "location",
            pa.string(),
            "path below the data folder (`archive#offset` in an archive), or URL",
        ),
        Field("n_bytes", pa.int64(), "size of the file; 0 if only the URL is known", low=0),
    ),
    key=("image_id",),
)

IMPORTED_IMAGES = TableSchema(
    "imported_images",
    "one image of candidates that were imported, and its file",
    (
        _image("id that the candidates give it"),
        *IMAGES.fields[1:],
        Field(
            "content_id",
            pa.string(),
            "digest of the file's bytes when it was imported; of the URL if only that is known",
            pattern=HEX_ID,
        ),
    ),
    key=("image_id",),
)

SIGNALS = TableSchema(
    "signals",
    "one text about one image",
    (
        _image(),
        _page(),
        _host(),
        Field("source", pa.string(), "kind of text: alt, caption, title, heading, filename, …"),
        Field("text", pa.string(), "the text, unchanged"),
        Field("weight", pa.float32(), "how near the text is to the image", low=0, high=1),
        Field("lang", pa.string(), "language tag, if known", nullable=True),
    ),
)

PLACEMENTS = TableSchema("placements", "one image shown on one page", (_image(), _page(), _host()))

PAGES = TableSchema(
    "pages",
    "one page, and the input that it was read from first",
    (
        _page(),
        Field("url", pa.string(), "URL, or the name that a table gives"),
        Field("file", pa.string(), "path below the data folder (`zip#path` in a zip file)"),
        Field(
            "record",
            pa.int64(),
            "offset of its record in an archive, or its first line or row in a table, from 1",
            nullable=True,
            low=0,
        ),
    ),
    key=("page_id",),
)

LINKS = TableSchema(
    "links",
    "one hyperlink from page to page",
    (
        _page("src_page"),
        _page("dst_page"),
        Field("src_host", pa.string(), "host name of the linking page"),
        Field("anchor", pa.string(), "text of the link", nullable=True),
        Field("rel", pa.string(), "the link's `rel` attribute", nullable=True),
        Field(
            "nav", pa.bool_(), "true for a link in the page's navigation, header, footer or sidebar"
        ),
    ),
)

FEEDBACK = TableSchema(
    "feedback",
    "one event of one user on one image, about a label or a query",
    (
        Field("event_id", pa.string(), "unique id of the event; replays share it"),
        _image(),
        Field("label_id", pa.string(), "the label judged", nullable=True, pattern=LABEL_ID),
        Field("query", pa.string(), "words of the search, if no label is given", nullable=True),
        Field("kind", pa.string(), "action of the user", one_of=FEEDBACK_KINDS),
        Field("user_id", pa.string(), "stable id of the user, any text"),
        Field("position", pa.int32(), "rank in the list shown, from 1", nullable=True, low=1),
        Field("time", pa.int64(), "seconds since 1970-01-01 UTC", low=0),
    ),
)

TAXONOMY = TableSchema(
    "taxonomy",
    "one label",
    (
        _label(),
        Field(
            "names",
            pa.list_(pa.struct([pa.field("name", pa.string()), pa.field("lang", pa.string())])),
            "names and synonyms; the first is shown",
        ),
        Field(
            "parents",
            pa.list_(pa.string()),
            "more general labels, directly above this one (the labels are a DAG)",
        ),
        Field("gloss", pa.string(), "one-sentence definition", nullable=True),
    ),
    key=("label_id",),
)

CANDIDATES = TableSchema(
    "candidates",
    "one (image, label) that at least one source supports",
    (
        _image(),
        _label(),
        Field(
            "evidence",
            pa.list_(EVIDENCE_ITEM),
            "vote of each source, sorted by source; a page counts in `n_pages` for each distinct"
            " text of the source that names the label",
        ),
        Field(
            "silent",
            pa.list_(pa.string()),
            "sources that cover the image without a vote",
        ),
        Field("ambiguity", pa.int16(), "labels that share the matched name, at least", low=1),
    ),
    key=("image_id", "label_id"),
)

VOTES = TableSchema(
    "votes",
    "one network's judgement of one candidate",
    (
        _image(),
        _label(),
        Field("source", pa.string(), "visual: a network; neighbours: images that look alike"),
        Field("strength", pa.float32(), "the larger, the more likely is the label"),
    ),
    key=("image_id", "label_id", "source"),
)

PHRASE_REASONS = ("fixed_phrase", "stop_name")

PHRASES = TableSchema(
    "phrases",
    "one phrase of the texts that does not mean the label that its words name",
    (
        Field("phrase", pa.string(), "its words, normalised, with a space between"),
        Field(
            "reason",
            pa.string(),
            "a fixed phrase is half a mention of its name, a stop name is not a mention",
            one_of=PHRASE_REASONS,
        ),
        Field("name", pa.string(), "the name that the fixed phrase begins with", nullable=True),
    ),
    key=("phrase",),
)

AUDITS = TableSchema(
    "audits",
    "one person's judgement of one (image, label)",
    (
        _image(),
        _label(),
        Field(
            "verdict",
            pa.string(),
            "answer to: is the label right? skipped for a pair before the last answer without one",
            one_of=(*VERDICTS, SKIPPED),
        ),
        Field("auditor", pa.string(), "name of the person or program that judged"),
        Field("seq", pa.int64(), "order of the judgements; the last of a pair counts", low=0),
        Field("stratum", pa.string(), "stratum that the pair was drawn from"),
        Field("p_inclusion", pa.float64(), "probability of the pair to be drawn", low=0, high=1),
    ),
    key=("image_id", "label_id", "seq"),
)

SCORED = TableSchema(
    "scored",
    "one candidate with the probability that it is right",
    (_image(), _label(), _p_correct()),
    key=("image_id", "label_id"),
)

INTERVALS = TableSchema(
    "intervals",
    "one scored candidate with bounds of the probability that it is right",
    (
        _image(),
        _label(),
        Field("p_low", pa.float32(), "probability if one more like it were wrong", low=0, high=1),
        Field("p_high", pa.float32(), "probability if one more like it were right", low=0, high=1),
    ),
    key=("image_id", "label_id"),
)

SELECT_REASONS = (
    "kept",
    "below_threshold",
    "unproved_group",
    "over_per_image",
    "over_per_label",
    "implied",
)

SELECTED = TableSchema(
    "selected",
    "one scored candidate, kept or dropped for a reason",
    (
        _image(),
        _label(),
        _p_correct(),
        Field("kept", pa.bool_(), "true if it is in the training set"),
        Field("reason", pa.string(), "reason for keeping or dropping it", one_of=SELECT_REASONS),
    ),
    key=("image_id", "label_id"),
)

TRUTH = TableSchema(
    "truth",
    "one label that an image really shows (known for the demo and benchmarks only)",
    (_image(), _label()),
    key=("image_id", "label_id"),
)

SKIPS = TableSchema(
    "skips",
    "records or rows of one kind in one file that are not used, or only in part",
    (
        Field("file", pa.string(), "path of the file below the data folder"),
        Field(
            "kind",
            pa.string(),
            "media type, status if not 200, type of a record without response; no_text of rows",
        ),
        Field("n_records", pa.int64(), "number of records or rows", low=1),
    ),
)

REJECTS = TableSchema(
    "rejects",
    "one row, record or file of an input, or part of it, that is not used",
    (
        Field("where", pa.string(), "file, and row or record, of the input"),
        Field("reason", pa.string(), "reason, see below: of inputs or of the export"),
        Field("value", pa.string(), "the offending value, cut to 200 characters"),
    ),
)

TABLES = tuple(table for table in globals().values() if isinstance(table, TableSchema))
"""All tables, in the order above."""
