"""Every table of winnow, in the order in which the data goes.

A table is an Arrow schema whose fields carry a meaning, a unit and a range. `check` runs where a
table enters a stage; the kernels behind it trust what they get.

Ids are text: ``image_id`` and ``page_id`` are 32 hexadecimal digits (see `labeling.keys.ids`),
``label_id`` is 1 to 128 letters, digits, ``_``, ``-`` or ``:`` and never reaches a file name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.errors import InputError
from labeling.keys.arrays import Mask

Batch: TypeAlias = pa.RecordBatch | pa.Table

HEX_ID = r"^[0-9a-f]{32}$"
LABEL_ID = r"^[A-Za-z0-9_:\-]{1,128}$"

FEEDBACK_KINDS = ("impression", "click", "up", "down", "flag")
VERDICTS = ("yes", "no", "unsure")


@dataclass(frozen=True)
class Field:
    """One column: its Arrow type, what it means and which values it may hold.

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
    "one image and where its bytes are",
    (
        _image(),
        Field(
            "location",
            pa.string(),
            "path below the data folder (`archive#offset` in an archive), or URL",
        ),
        Field("n_bytes", pa.int64(), "size of the file; 0 where the bytes are not at hand", low=0),
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
        Field("text", pa.string(), "the text, as found"),
        Field("weight", pa.float32(), "how near the text is to the image", low=0, high=1),
        Field("lang", pa.string(), "language tag where known", nullable=True),
    ),
)

PLACEMENTS = TableSchema("placements", "one image shown on one page", (_image(), _page(), _host()))

LINKS = TableSchema(
    "links",
    "one hyperlink from page to page",
    (
        _page("src_page"),
        _page("dst_page"),
        Field("src_host", pa.string(), "host name of the linking page"),
        Field("anchor", pa.string(), "text of the link", nullable=True),
        Field("rel", pa.string(), "the link's `rel` attribute", nullable=True),
        Field("nav", pa.bool_(), "is it in the page's navigation, header, footer or aside?"),
    ),
)

FEEDBACK = TableSchema(
    "feedback",
    "one event of one user on one image, about a label or a query",
    (
        Field("event_id", pa.string(), "unique id of the event; replays share it"),
        _image(),
        Field("label_id", pa.string(), "the label judged", nullable=True, pattern=LABEL_ID),
        Field("query", pa.string(), "the words searched, where no label is given", nullable=True),
        Field("kind", pa.string(), "what the user did", one_of=FEEDBACK_KINDS),
        Field("user_id", pa.string(), "who; any stable text"),
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
        Field("parents", pa.list_(pa.string()), "labels that this one is a kind of (a DAG)"),
        Field("gloss", pa.string(), "one-sentence definition", nullable=True),
    ),
    key=("label_id",),
)

EVIDENCE = TableSchema(
    "evidence",
    "one source that speaks for one (image, label)",
    (
        _image(),
        _label(),
        Field("source", pa.string(), "labeling source"),
        Field("strength", pa.float32(), "how strongly it speaks", low=0, high=1),
        Field("n_pages", pa.int32(), "distinct pages; for feedback, distinct users", low=1),
        Field("n_hosts", pa.int32(), "distinct hosts; for feedback, 1", low=1),
    ),
    key=("image_id", "label_id", "source"),
)

CANDIDATES = TableSchema(
    "candidates",
    "one (image, label) that at least one source supports",
    (
        _image(),
        _label(),
        Field("evidence", pa.list_(EVIDENCE_ITEM), "what each source says, sorted by source"),
        Field("silent", pa.list_(pa.string()), "sources that could have spoken but did not"),
        Field("ambiguity", pa.int16(), "labels that share the matched name, at least", low=1),
    ),
    key=("image_id", "label_id"),
)

PHRASE_REASONS = ("fixed_phrase", "stop_name")

PHRASES = TableSchema(
    "phrases",
    "one phrase of the texts that does not mean what its words name",
    (
        Field("phrase", pa.string(), "its words, normalised, with a space between"),
        Field(
            "reason",
            pa.string(),
            "a fixed phrase counts as half a mention of its name, a stop name as none",
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
        Field("verdict", pa.string(), "is the label right?", one_of=VERDICTS),
        Field("auditor", pa.string(), "who gave the verdict"),
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
        Field("kept", pa.bool_(), "is it in the training set?"),
        Field("reason", pa.string(), "why it was kept or dropped", one_of=SELECT_REASONS),
    ),
    key=("image_id", "label_id"),
)

TRUTH = TableSchema(
    "truth",
    "one label that an image really shows (known for worlds and benchmarks only)",
    (_image(), _label()),
    key=("image_id", "label_id"),
)

REJECTS = TableSchema(
    "rejects",
    "one input row that was put aside",
    (
        Field("where", pa.string(), "file, and row or record, that the input came from"),
        Field("reason", pa.string(), "why, in one word of the documented list"),
        Field("value", pa.string(), "the offending value, cut to 200 characters"),
    ),
)

TABLES = (
    IMAGES,
    SIGNALS,
    PLACEMENTS,
    LINKS,
    FEEDBACK,
    TAXONOMY,
    EVIDENCE,
    CANDIDATES,
    PHRASES,
    AUDITS,
    SCORED,
    INTERVALS,
    SELECTED,
    TRUTH,
    REJECTS,
)


def check(batch: Batch, table: TableSchema, where: str = "") -> None:
    """Raise `InputError` unless `batch` has the columns, types and values of `table`.

    Parameters
    ----------
    batch
        Arrow record batch or table of any length.
    table
        The schema to hold it against.
    where
        Name of the file or stage, for the message.

    Examples
    --------
    >>> good = pa.table({"image_id": ["0" * 32], "label_id": ["cat"]})
    >>> check(good.cast(TRUTH.arrow), TRUTH)
    >>> check(good.select(["label_id"]), TRUTH, where="truth.parquet")
    Traceback (most recent call last):
    labeling.errors.InputError: table truth: columns differ from the schema
      where: truth.parquet
      image_id: expected string, found nothing
    """
    _check_columns(batch.schema, table, where)
    for field in table.fields:
        _check_values(batch.column(field.name), field, table, where)


def _check_columns(found: pa.Schema, table: TableSchema, where: str) -> None:
    wrong: dict[str, object] = {}
    for field in table.fields:
        index = found.get_field_index(field.name)
        actual = found.field(index).type if index >= 0 else "nothing"
        if actual != field.type:
            wrong[field.name] = f"expected {field.type}, found {actual}"
    known = {field.name for field in table.fields}
    wrong |= {n: "not a column of this table" for n in found.names if n not in known}
    if wrong:
        message = f"table {table.name}: columns differ from the schema"
        raise InputError(message, facts={"where": where, **wrong} if where else wrong)


def _check_values(
    column: pa.Array | pa.ChunkedArray, field: Field, table: TableSchema, where: str
) -> None:
    if not field.nullable and column.null_count:
        _refuse(pc.is_null(column), "null", column, field, table, where)
    if pa.types.is_floating(field.type):
        _refuse(pc.invert(pc.is_finite(column)), "not finite", column, field, table, where)
    if field.low is not None:
        _refuse(pc.less(column, field.low), f"below {field.low}", column, field, table, where)
    if field.high is not None:
        _refuse(pc.greater(column, field.high), f"above {field.high}", column, field, table, where)
    if field.pattern is not None and not _all_match(pc.unique(column), field.pattern):
        bad = pc.invert(pc.match_substring_regex(column, field.pattern))
        _refuse(bad, f"not of the form {field.pattern}", column, field, table, where)
    if field.one_of is not None:
        bad = pc.invert(pc.is_in(column, value_set=pa.array(field.one_of)))
        _refuse(bad, f"not one of {', '.join(field.one_of)}", column, field, table, where)


def _all_match(values: pa.Array, pattern: str) -> bool:
    matched: bool = pc.all(pc.match_substring_regex(values, pattern), min_count=0).as_py()
    return matched


def _refuse(
    bad: pa.Array | pa.ChunkedArray,
    what: str,
    column: pa.Array | pa.ChunkedArray,
    field: Field,
    table: TableSchema,
    where: str,
) -> None:
    n_bad = pc.sum(bad).as_py() or 0
    if not n_bad:
        return
    first = int(np.argmax(_as_bool(bad)))
    facts: dict[str, object] = {"where": where} if where else {}
    facts |= {"column": field.name, "meaning": field.meaning}
    facts |= {"first": f"row {first}: {column[first].as_py()!r}"}
    raise InputError(
        f"table {table.name}: {n_bad:,} of {len(column):,} values of {field.name} are {what}",
        facts=facts,
    )


def _as_bool(mask: pa.Array | pa.ChunkedArray) -> Mask:
    filled = pc.fill_null(mask, False)
    return np.asarray(filled.to_numpy(zero_copy_only=False) if len(filled) else [], dtype=bool)


def conform(batch: Batch, table: TableSchema, where: str = "") -> pa.Table:
    """Return `batch` as a table of exactly the schema, or raise `InputError`.

    Extra columns are left out; a column is cast only where no value changes (``int32`` to
    ``int64``, ``large_string`` to ``string``). For tables that were made elsewhere.
    """
    missing = [f.name for f in table.fields if f.name not in batch.schema.names]
    absent_ok = {f.name for f in table.fields if f.nullable}
    if set(missing) - absent_ok:
        raise InputError(
            f"table {table.name}: columns are missing",
            facts={
                "where": where,
                "missing": ", ".join(n for n in missing if n not in absent_ok),
                "expected": ", ".join(f.name for f in table.fields if not f.nullable),
                "found": ", ".join(batch.schema.names),
            },
            help="the columns of each table are listed in docs/reference/schemas.md",
        )
    columns = [_conform_column(batch, f, table, where) for f in table.fields]
    result = pa.Table.from_arrays(columns, schema=table.arrow)
    check(result, table, where)
    return result


def _conform_column(batch: Batch, field: Field, table: TableSchema, where: str) -> pa.Array:
    if field.name not in batch.schema.names:
        return pa.nulls(batch.num_rows, field.type)
    column = batch.column(field.name)
    if field.type == column.type:
        return column
    try:
        return pc.cast(column, field.type, safe=not pa.types.is_floating(field.type))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise InputError(
            f"table {table.name}: column {field.name} has the wrong type",
            facts={"where": where, "expected": field.type, "found": column.type, "cause": error},
        ) from error
