"""Files of votes: a row for each image, label and source, with any finite strength."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from labeling.errors import InputError
from labeling.evidence.added import Votes
from labeling.keys import ids
from labeling.keys.arrays import Floats, Ints32, Mask
from labeling.readers.table_files.row_values import given, rejects_of, texts_of
from labeling.readers.table_files.tabular import Batch, read_batches
from labeling.schemas import HEX_ID, REJECTS
from labeling.taxonomy.taxonomy import Taxonomy
from labeling.text.words import split_words

COLUMNS = ("image_id", "label_id", "source", "strength")

UNKNOWN, AMBIGUOUS = -1, -2
"""In place of the code of a label."""

MAX_SOURCE, MAX_SOURCES = 64, 256
"""Characters of the name of a source, and sources of a file."""


Keys = npt.NDArray[np.bytes_]
"""``S16[n]``: ids that can be sorted and searched."""


class VotesFile(NamedTuple):
    """The votes of a file as they are there, its number of rows, and the rejected ones."""

    votes: Votes
    n_rows: int
    rejects: pa.Table


class _Labels(NamedTuple):
    """Codes of labels by their ids, and by their normalised names."""

    of_id: Mapping[str, int]
    of_name: Mapping[str, int]


class _Rows(NamedTuple):
    image: ids.Halves
    label: Ints32
    source: list[str]
    strength: Floats


def read_votes_file(path: Path, taxonomy: Taxonomy, images: pa.Array) -> VotesFile:
    """Read votes of labeling sources on images and labels.

    Parameters
    ----------
    path
        Parquet, CSV, TSV or JSON Lines file with the columns `COLUMNS`. ``label_id`` is the id of a
        label, or a name that means one label alone.
    taxonomy
        The labels.
    images
        Ids of the images of the run.

    Returns
    -------
    VotesFile
        Rows of an image that the run does not have (``unknown_image``), of an unknown label
        (``unknown_label``) or a name of several (``ambiguous_name``), without a source
        (``bad_source``), with a strength that is not a finite number (``bad_strength``), and rows
        that cannot be read, are rejects.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, or has more than `MAX_SOURCES` sources.
    """
    labels, known = _label_codes(taxonomy), np.sort(_keys(ids.to_halves(images)))
    rejects, parts, n_rows = [REJECTS.empty()], [], 0
    sources: set[str] = set()
    for batch in read_batches(path, {name: name for name in COLUMNS}, COLUMNS):
        good, rejected, part = _parse(batch, labels, known)
        rejects.append(rejected)
        parts.append(part)
        n_rows += len(good) + len(batch.bad)
        sources |= {*part.source}
        if len(sources) > MAX_SOURCES:
            raise InputError(
                "a file of votes has too many sources",
                facts={"file": path, "some": ", ".join(sorted(sources)[:3]), "limit": MAX_SOURCES},
                help="`source` names the program that votes; each of them has a weight to learn",
            )
    return VotesFile(_joined(parts, sorted(sources)), n_rows, pa.concat_tables(rejects))


def _parse(batch: Batch, labels: _Labels, known: Keys) -> tuple[Mask, pa.Table, _Rows]:
    table = batch.table
    image_id = pc.utf8_lower(pc.fill_null(given(table, "image_id"), "")).combine_chunks()
    is_id = np.asarray(pc.match_substring_regex(image_id, HEX_ID), bool)
    image = ids.to_halves(image_id.filter(pa.array(is_id)))
    is_known = is_id.copy()
    is_known[is_id] = _is_among(_keys(image), known)
    label = _codes(texts_of(table, "label_id"), labels)
    source = [name.strip() for name in texts_of(table, "source")]
    texts = pd.Series(texts_of(table, "strength"), dtype=object)
    strength = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
    bad = {
        "unknown_image": ~is_known,
        "unknown_label": label == UNKNOWN,
        "ambiguous_name": label == AMBIGUOUS,
        "bad_source": np.array([not _is_source(name) for name in source], bool),
        "bad_strength": ~np.isfinite(strength),
    }
    shown = {
        "unknown_image": ("image_id",),
        "unknown_label": ("label_id",),
        "ambiguous_name": ("label_id",),
        "bad_source": ("source",),
        "bad_strength": ("strength",),
    }
    good = ~np.any(list(bad.values()), axis=0)
    kept = [name for name, is_good in zip(source, good, strict=True) if is_good]
    rows = _Rows(image[good[is_id]], label[good], kept, strength[good])
    return good, rejects_of(batch, bad, shown), rows


def _is_source(name: str) -> bool:
    return 0 < len(name) <= MAX_SOURCE and name.isprintable()


def _keys(image: ids.Halves) -> Keys:
    """Return ids as 16 bytes each, in the same order."""
    return np.ascontiguousarray(image.astype(">u8")).view("S16").ravel()


def _is_among(image: Keys, known: Keys) -> Mask:
    """Return whether each id is among some, which are sorted."""
    if not len(known):
        return np.zeros(len(image), bool)
    at = np.minimum(np.searchsorted(known, image), len(known) - 1)
    is_known: Mask = known[at] == image
    return is_known


def _joined(parts: list[_Rows], sources: Sequence[str]) -> Votes:
    code_of = {name: code for code, name in enumerate(sources)}
    names = [code_of[name] for part in parts for name in part.source]
    return Votes(
        np.concatenate([part.image for part in parts]),
        np.concatenate([part.label for part in parts]),
        np.array(names, np.int32),
        np.concatenate([part.strength for part in parts]),
        tuple(sources),
    )


def _label_codes(taxonomy: Taxonomy) -> _Labels:
    """Return the codes of ids, and of normalised names, which may differ from ids in case alone."""
    names = [(name, code) for code, of in enumerate(taxonomy.names) for name, _ in of]
    normalised = _normalised([name for name, _ in names])
    of_name = {(text, code) for text, (_, code) in zip(normalised, names, strict=True) if text}
    n_of_name = Counter(text for text, _ in of_name)
    codes = {text: code if n_of_name[text] == 1 else AMBIGUOUS for text, code in of_name}
    return _Labels({label_id: code for code, label_id in enumerate(taxonomy.label_ids)}, codes)


def _codes(texts: Collection[str], labels: _Labels) -> Ints32:
    distinct = sorted({*texts})
    code_of = {
        text: labels.of_id.get(text, labels.of_name.get(normalised, UNKNOWN))
        for text, normalised in zip(distinct, _normalised(distinct), strict=True)
    }
    return np.array([code_of[text] for text in texts], np.int32)


def _normalised(texts: list[str]) -> list[str]:
    """Return texts as words with spaces between, as names are compared."""
    words = split_words(pa.array(texts, pa.string()))
    of_text: list[list[str]] = [[] for _ in texts]
    order = np.argsort(words.row, kind="stable")
    spelled = words.texts()
    for number in order.tolist():
        of_text[words.row[number]].append(spelled[number])
    return [" ".join(of) for of in of_text]
