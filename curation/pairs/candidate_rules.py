"""Rules of candidates made elsewhere, beyond those of their schema."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.pairs.pair_keys import PAIR
from labeling.checks import conform, refuse_repeated_columns
from labeling.errors import InputError
from labeling.schemas import CANDIDATES, EVIDENCE_ITEM

HELP = "docs/how-to/elsewhere.md names the columns, their types and values"

BOUNDS = {"strength": (0, 1), "n_pages": (1, np.inf), "n_hosts": (1, np.inf)}
"""Lowest and highest value of the fields of evidence."""

LISTS = (pa.ListType, pa.LargeListType, pa.FixedSizeListType)

Fault = tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], str]
"""Rows, whether each breaks a rule, and the rule that it breaks."""


def refuse_repeated_pairs(pairs: pa.Table, where: str) -> None:
    """Raise `InputError` if a table holds a pair of image and label more than once."""
    n_rows = pairs.group_by(PAIR).aggregate([([], "count_all")])
    twice = n_rows.filter(pc.greater(n_rows["count_all"], 1))
    if len(twice):
        raise InputError(
            f"a pair of image and label occurs twice among the {where}",
            facts={"pairs": f"{len(twice):,}", **twice.select(PAIR).slice(0, 1).to_pylist()[0]},
            help="unite the evidence of the pair in one row",
        )


def conform_candidates(table: pa.Table, where: str, start: int = 0) -> pa.Table:
    """Return candidates of another program in the types of `labeling.schemas.CANDIDATES`.

    Parameters
    ----------
    table
        Rows with the columns of the schema; further ones are left out.
    where
        Its file or argument, for the message.
    start
        Number of the first row, for the message.

    Raises
    ------
    InputError
        For a column that is missing or of a wrong type, and a wrong value, also within the lists.
    """
    after = f"{where}, after row {start:,}" if start else where
    refuse_repeated_columns(table.column_names, CANDIDATES.arrow.names, where)
    types = {field.name: field.type for field in table.schema}
    if all(isinstance(types.get(name), LISTS) for name in ("evidence", "silent")):
        evidence, silent = (_plain_lists(table[name]) for name in ("evidence", "silent"))
        for row, is_bad, message in _faults(evidence, silent):
            if is_bad.any():
                first = start + int(row[np.argmax(is_bad)]) + 1
                facts = {"where": where, "rows": f"{np.sum(is_bad):,}, first {first:,}"}
                raise InputError(message, facts=facts, help=HELP)
        number = table.column_names.index("evidence")
        table = table.set_column(number, "evidence", _sorted_by_source(evidence))
    return conform(table, CANDIDATES, where=after)


def _plain_lists(column: pa.ChunkedArray) -> pa.ListArray:
    lists = column.combine_chunks()
    if isinstance(lists.type, pa.ListType):  # a cast would refuse nulls before a rule names them
        return lists
    return lists.cast(pa.list_(lists.type.value_type))


def _faults(evidence: pa.Array, silent: pa.Array) -> Iterator[Fault]:
    """Yield for each rule the rows that it is about, and whether they break it."""
    row = np.arange(len(evidence))
    yield row, _flags(pc.is_null(evidence)), "a candidate has no list of evidence"
    row, fields = _parents(evidence), _fields(evidence)
    for name, values in fields.items():
        yield row, _flags(pc.is_null(values)), f"{name} of some evidence is missing"
    for name, (low, high) in BOUNDS.items():
        values = np.asarray(fields[name])
        outside = ~((values >= low) & (values <= high))  # so that NaN is outside, too
        bounds = f"from {low} to {high}" if np.isfinite(high) else f"{low} or more"
        yield row, outside, f"{name} of some evidence is not {bounds}"
    silent_row, silent_source = _parents(silent), silent.flatten().cast(pa.string())
    yield silent_row, _flags(pc.is_null(silent_source)), "a silent source has no name"
    votes = pa.table({"row": row, "source": fields["source"]})
    silence = pa.table({"row": silent_row, "source": silent_source})
    silence = silence.group_by(["row", "source"]).aggregate([])  # a name may be repeated in it
    n_votes = pa.concat_tables([votes, silence]).group_by(["row", "source"])
    twice = n_votes.aggregate([([], "count_all")]).sort_by("row")
    message = "a source votes twice for a candidate, or votes and is silent"
    yield np.asarray(twice["row"]), np.asarray(twice["count_all"]) > 1, message


def _fields(evidence: pa.Array) -> dict[str, pa.Array]:
    """Return the fields of all items of the lists, in the types of the schema."""
    items = evidence.flatten()
    return {f.name: pc.struct_field(items, f.name).cast(f.type) for f in EVIDENCE_ITEM}


def _parents(lists: pa.Array) -> npt.NDArray[np.int64]:
    """Return the row of each item of the lists."""
    return np.asarray(pc.list_parent_indices(lists), np.int64)


def _flags(mask: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(mask, bool)


def _sorted_by_source(evidence: pa.Array) -> pa.ListArray:
    """Return lists of evidence with the types and the order of fields and items of the schema."""
    fields = _fields(evidence)
    order = pc.sort_indices(
        pa.table({"row": _parents(evidence), "source": fields["source"]}),
        [("row", "ascending"), ("source", "ascending")],
    )
    items = pa.StructArray.from_arrays(
        [values.take(order) for values in fields.values()], fields=list(EVIDENCE_ITEM)
    )
    n_items = np.asarray(evidence.value_lengths(), np.int64)
    offsets = np.concatenate([[0], np.cumsum(n_items)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), items)
