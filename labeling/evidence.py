"""Mentions to evidence: what each source says about each (image, label)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling import ids
from labeling.compact import HOST, SOURCE, compact
from labeling.matching import Matcher, match_texts
from labeling.schemas import CANDIDATES, EVIDENCE_ITEM
from labeling.taxonomy import Codes, Taxonomy

MENTIONS = pa.schema(
    [
        ("image_id", ids.BINARY),
        ("page_id", ids.BINARY),
        ("host", HOST),
        ("label", pa.int32()),
        ("source", SOURCE),
        ("name", pa.int32()),
        ("strength", pa.float32()),
        ("ambiguity", pa.int16()),
    ]
)
"""One label named in one text about one image; ``label`` is the taxonomy's code, ``name`` the
matcher's number of the name."""

EVIDENCE_ROWS = pa.schema(
    [
        ("image_id", ids.BINARY),
        ("label", pa.int32()),
        ("source", SOURCE),
        ("strength", pa.float32()),
        ("n_pages", pa.int32()),
        ("n_hosts", pa.int32()),
        ("ambiguity", pa.int16()),
    ]
)
"""`labeling.schemas.EVIDENCE` with the label's code, on its way to the merge."""

COVERAGE = pa.schema([("image_id", ids.BINARY), ("source", SOURCE)])
"""One source that could have spoken about an image."""


def mentions(signals: pa.Table, matcher: Matcher) -> pa.Table:
    """Return the labels that the texts of `signals` name, as `MENTIONS` in the order of the rows.

    Strength is that of the match times the signal's weight.
    """
    found = match_texts(matcher, signals["text"])
    rows = pa.array(found.row)
    weight = signals["weight"].to_numpy()[found.row]
    named = compact(signals.select(["image_id", "page_id", "host", "source"])).take(rows)
    columns = [named[name] for name in ("image_id", "page_id", "host")]
    columns += [pa.array(found.label), named["source"], pa.array(found.name)]
    columns += [pa.array(found.strength * weight, pa.float32()), pa.array(found.ambiguity)]
    return pa.Table.from_arrays(columns, schema=MENTIONS)


def coverage(signals: pa.Table) -> pa.Table:
    """Return which sources could have spoken about each image: those that gave it a text."""
    return compact(signals.group_by(COVERAGE.names).aggregate([])).cast(COVERAGE)


def from_mentions(found: pa.Table) -> pa.Table:
    """Unite the mentions of each (image, label, source).

    Strength is the largest, ``n_pages`` and ``n_hosts`` count distinct ones, and ambiguity is the
    smallest. Returns `EVIDENCE_ROWS`, in no particular order.
    """
    united = found.group_by(["image_id", "label", "source"]).aggregate(
        [
            ("strength", "max"),
            ("page_id", "count_distinct"),
            ("host", "count_distinct"),
            ("ambiguity", "min"),
        ]
    )
    by_name = {
        "image_id": "image_id",
        "label": "label",
        "source": "source",
        "strength": "strength_max",
        "n_pages": "page_id_count_distinct",
        "n_hosts": "host_count_distinct",
        "ambiguity": "ambiguity_min",
    }
    columns = [united[by_name[f.name]].cast(f.type) for f in EVIDENCE_ROWS]
    return pa.Table.from_arrays(columns, schema=EVIDENCE_ROWS)


def merge(
    evidence: pa.Table,
    covered: pa.Table,
    taxonomy: Taxonomy,
    support_only: Collection[str] = (),
) -> pa.Table:
    """Merge all evidence of some images into their candidates.

    Parameters
    ----------
    evidence
        `EVIDENCE_ROWS`, at most one row for each (image, label, source), in any order.
    covered
        `COVERAGE` of the same images, in any order, rows may repeat.
    taxonomy
        What the label codes mean.
    support_only
        Sources that support a candidate but do not open one: a pair for which only they speak is
        left out.

    Returns
    -------
    Table
        `labeling.schemas.CANDIDATES`, sorted by image and label: the same whatever the order of
        the rows.
    """
    evidence, covered = _named(evidence), _named(covered)
    evidence = evidence.sort_by([(n, "ascending") for n in ("image_id", "label", "source")])
    evidence = _opened(evidence, support_only)
    words, label, starts = _pairs(evidence)
    offsets = pa.array(np.append(starts, len(label)).astype(np.int32))
    items = pa.StructArray.from_arrays(
        [evidence[f.name].combine_chunks() for f in EVIDENCE_ITEM], fields=list(EVIDENCE_ITEM)
    )
    ambiguity = evidence["ambiguity"].to_numpy()
    least = np.minimum.reduceat(ambiguity, starts) if len(starts) else ambiguity
    columns = [
        ids.from_words(words[starts]),
        taxonomy.ids_of(label[starts]),
        pa.ListArray.from_arrays(offsets, items),
        _silent(words, starts, evidence["source"], covered),
        pa.array(least, pa.int16()),
    ]
    return pa.Table.from_arrays(columns, schema=CANDIDATES.arrow)


def _named(rows: pa.Table) -> pa.Table:
    place = rows.column_names.index("source")
    return rows.set_column(place, "source", rows["source"].cast(pa.string()))


def _pairs(evidence: pa.Table) -> tuple[ids.Words, Codes, npt.NDArray[np.int64]]:
    """Return image and label of sorted rows, and the first row of each (image, label)."""
    words = ids.to_words(evidence["image_id"])
    label: Codes = evidence["label"].to_numpy()
    new = np.ones(len(label), bool)
    new[1:] = (words[1:] != words[:-1]).any(axis=1) | (label[1:] != label[:-1])
    return words, label, np.flatnonzero(new)


def _opened(evidence: pa.Table, support_only: Collection[str]) -> pa.Table:
    """Return the rows of pairs that some source opens."""
    _, label, starts = _pairs(evidence)
    if not len(starts):
        return evidence
    supports = pc.is_in(evidence["source"], value_set=pa.array(sorted(support_only), pa.string()))
    opens = np.logical_or.reduceat(~np.asarray(supports, bool), starts)
    return evidence.filter(pa.array(np.repeat(opens, np.diff(np.append(starts, len(label))))))


def _silent(
    words: ids.Words,
    starts: npt.NDArray[np.int64],
    spoke: pa.ChunkedArray,
    covered: pa.Table,
) -> pa.ListArray:
    """Return for each candidate the sources that cover its image and do not speak."""
    names = sorted(set(spoke.unique().to_pylist()) | set(covered["source"].unique().to_pylist()))
    value_set = pa.array(names, pa.string())
    candidate = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(words))))
    quiet = _covered_by_image(words[starts], covered, value_set)
    quiet[candidate, _index(spoke, value_set)] = False
    n_quiet = quiet.sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(n_quiet)]).astype(np.int32)
    _, source = np.nonzero(quiet)
    return pa.ListArray.from_arrays(pa.array(offsets), value_set.take(pa.array(source)))


def _covered_by_image(
    images: ids.Words, covered: pa.Table, value_set: pa.Array
) -> npt.NDArray[np.bool_]:
    """Return ``bool[n_candidates, n_sources]``: whether the source covers the image."""
    keys = ids.to_words(covered["image_id"])
    both = np.concatenate([images, keys])
    _, dense = np.unique(both, axis=0, return_inverse=True)
    table = np.zeros((dense.max(initial=-1) + 1, len(value_set)), bool)
    table[dense[len(images) :], _index(covered["source"], value_set)] = True
    return table[dense[: len(images)]]


def _index(column: pa.ChunkedArray, value_set: pa.Array) -> npt.NDArray[np.int64]:
    return np.asarray(pc.index_in(column, value_set=value_set), dtype=np.int64)
