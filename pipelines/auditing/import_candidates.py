"""Candidates and audits made elsewhere, taken into a run folder."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.pairs.pair_keys import find_pairs, image_hash
from curation.runs.durable import file_digest
from curation.runs.stage import Stage, current, open_stage
from curation.runs.staging import StageWriter, reuse, write_stage
from curation.runs.table_files import file_name, write_parquet, write_table
from labeling.checks import conform
from labeling.errors import InputError
from labeling.keys.ids import bucket, to_halves
from labeling.schemas import CANDIDATES, EVIDENCE_ITEM
from labeling.taxonomy.published import read_taxonomy
from labeling.taxonomy.taxonomy import Label, Taxonomy, build_taxonomy
from pipelines.run.config import Config, TaxonomyInput
from pipelines.run.progress import stage_line
from pipelines.run.saved_config import save_config

HELP = "docs/how-to/elsewhere.md names the columns, their types and values"


ROWS_OF_FILE = 1 << 18
"""Rows of a file of the output, about: as many are held at a time."""

BATCH_ROWS = 1 << 16


class Rows(NamedTuple):
    """Some rows of a file, for messages."""

    path: Path
    start: int


def import_candidates(run_dir: Path, source: Path, taxonomy_path: Path | None) -> Stage:
    """Commit candidates that another program made, so that `audit`, `select` and `report` work.

    Parameters
    ----------
    run_dir
        Run folder, made if it is not there.
    source
        Parquet file of `labeling.schemas.CANDIDATES`, or a folder of such files; rows in any order,
        columns beyond the schema are left out.
    taxonomy_path
        Any taxonomy that winnow reads; without it the labels that occur, none a kind of another.

    Raises
    ------
    InputError
        For a file that is not of the schema, a pair that stands twice, a label that the taxonomy
        lacks, or a run that has candidates of its own.
    """
    if current(run_dir, "signals") is not None:
        raise InputError(
            "the run has candidates of its own",
            facts={"run": run_dir},
            help="give another folder for candidates made elsewhere",
        )
    paths = sorted(source.glob("*.parquet")) if source.is_dir() else [source]
    if not paths:
        raise InputError("the folder holds no Parquet file", facts={"folder": source})
    inputs = {path.name: file_digest(path) for path in paths}
    if taxonomy_path is not None:
        inputs["labels"] = file_digest(taxonomy_path)
    with stage_line("candidates") as facts:
        if reuse(run_dir, "candidates", inputs=inputs, config={}) is None:
            taxonomy = None if taxonomy_path is None else read_taxonomy(taxonomy_path)
            with write_stage(run_dir, "candidates", inputs=inputs, config={}) as work:
                counts, labels = _write_in_order(paths, work, source)
                work.counts |= counts
                taxonomy = _flat(labels) if taxonomy is None else taxonomy
                taxonomy.codes(pa.array(labels, pa.string()))
                write_table(taxonomy.to_table(), work.dir, "taxonomy")
        save_config(Config(taxonomy=TaxonomyInput(path=str(taxonomy_path or source))), run_dir)
        stage = open_stage(run_dir, "candidates")
        facts.append(f"{stage.counts['candidates']:,} of {stage.counts['images']:,} images")
    return stage


def _write_in_order(
    paths: list[Path], work: StageWriter, source: Path
) -> tuple[dict[str, int], list[str]]:
    """Write the candidates sorted, in files of about `ROWS_OF_FILE` rows.

    Rows go by the high bits of their image's id into one scratch file for each file of the output,
    so that no more than one is held at a time; ids are digests, so files are about equal.

    Returns
    -------
    counts, labels
        Numbers of candidates and images; the labels that occur.
    """
    n_rows = sum(_open(path).metadata.num_rows for path in paths)
    n_files = 1 << max(0, math.ceil(math.log2(max(n_rows, 1) / ROWS_OF_FILE)))
    work.scratch.mkdir(parents=True, exist_ok=True)
    parts = [work.scratch / f"{i}.arrow" for i in range(n_files)]
    labels: set[str] = set()
    with ExitStack() as files:
        writers = [
            files.enter_context(pa.ipc.new_file(str(part), CANDIDATES.arrow)) for part in parts
        ]
        for table in chain.from_iterable(map(_read, paths)):
            labels.update(pc.unique(table["label_id"]).to_pylist())
            place = bucket(to_halves(table["image_id"]), n_files)
            for i in np.unique(place):
                writers[i].write_table(table.filter(pa.array(place == i)))
    counts = {"candidates": n_rows, "images": 0}
    for i, part in enumerate(parts):
        with pa.memory_map(str(part)) as file:
            table = _in_order(pa.ipc.open_file(file).read_all(), source)
            write_parquet(table, work.dir / file_name("candidates", i, n_files))
        part.unlink()
        counts["images"] += len(np.unique(image_hash(table["image_id"])))
    return counts, sorted(labels)


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError("candidates cannot be read", facts={"file": path, "cause": error}, help=HELP)


def _read(path: Path) -> Iterator[pa.Table]:
    """Yield the rows of a file with the columns of the schema, in its types, checked."""
    start = 0
    file = _open(path)
    known = [name for name in CANDIDATES.arrow.names if name in file.schema_arrow.names]
    try:
        for batch in file.iter_batches(BATCH_ROWS, columns=known):
            yield _checked(pa.Table.from_batches([batch]), path, start)
            start += len(batch)
    except (OSError, pa.ArrowException, KeyError, TypeError) as error:
        raise _unreadable(path, error) from error


def _checked(table: pa.Table, path: Path, start: int) -> pa.Table:
    where = Rows(path, start)
    for name, cast in (("evidence", _evidence), ("silent", _silent)):
        if name in table.column_names:
            column = cast(table[name].combine_chunks(), where)
            table = table.set_column(table.column_names.index(name), name, column)
    table = conform(
        table, CANDIDATES, where=f"{path}, behind row {start:,}" if start else str(path)
    )
    _refuse_two_voices(table, where)
    return table


def _silent(lists: pa.Array, where: Rows) -> pa.ListArray:
    lists = lists.cast(pa.list_(pa.string()))
    _refuse(_parents(lists), pc.is_null(lists.flatten()), "a silent source has no name", where)
    return lists


def _evidence(lists: pa.Array, where: Rows) -> pa.ListArray:
    """Return the lists with their items as the schema has them: types, order of fields and rows."""
    _refuse(np.arange(len(lists)), pc.is_null(lists), "a candidate has no list of evidence", where)
    lists = lists.cast(pa.list_(lists.type.value_type))
    items, row = lists.flatten(), _parents(lists)
    fields = {f.name: pc.struct_field(items, f.name).cast(f.type) for f in EVIDENCE_ITEM}
    for name, values in fields.items():
        _refuse(row, pc.is_null(values), f"{name} of some evidence is missing", where)
    bounds = {"strength": (0, 1), "n_pages": (1, np.inf), "n_hosts": (1, np.inf)}
    for name, (low, high) in bounds.items():
        values = np.asarray(fields[name])
        outside = ~((values >= low) & (values <= high))  # so that NaN is, too
        said = f"from {low} to {high}" if np.isfinite(high) else f"{low} or more"
        _refuse(row, outside, f"{name} of some evidence is not {said}", where)
    order = pc.sort_indices(
        pa.table({"row": row, "source": fields["source"]}),
        [("row", "ascending"), ("source", "ascending")],
    )
    ordered = pa.StructArray.from_arrays(
        [values.take(order) for values in fields.values()], fields=list(EVIDENCE_ITEM)
    )
    source = ordered.field("source")
    same = np.asarray(pc.equal(source[1:], source[:-1]), bool) & (np.diff(row) == 0)
    _refuse(row[1:], same, "a source speaks twice for a candidate", where)
    n_items = np.asarray(lists.value_lengths(), np.int64)
    offsets = np.concatenate([[0], np.cumsum(n_items)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), ordered)


def _refuse_two_voices(table: pa.Table, where: Rows) -> None:
    """Raise if a source both speaks for a candidate and is silent about it."""
    speaking, silent = (table[name].combine_chunks() for name in ("evidence", "silent"))
    voices = [
        pa.table({"row": _parents(speaking), "source": speaking.flatten().field("source")}),
        pa.table({"row": _parents(silent), "source": silent.flatten()}),
    ]
    both = voices[0].join(voices[1], ["row", "source"], join_type="inner")
    if len(both):
        row = np.sort(np.asarray(both["row"]))
        said = "a source speaks for a candidate and is silent about it"
        _refuse(row, np.ones(len(row), bool), said, where)


def _parents(lists: pa.Array) -> npt.NDArray[np.int64]:
    """Return the row of each item of the lists."""
    return np.asarray(pc.list_parent_indices(lists), np.int64)


def _refuse(row: npt.NDArray[np.int64], bad: npt.ArrayLike, message: str, where: Rows) -> None:
    """Raise `InputError` with the first bad row, counted from 1, if there is any."""
    flags = np.asarray(bad, bool)
    if flags.any():
        first = where.start + int(row[np.argmax(flags)]) + 1
        facts = {"file": where.path, "rows": f"{np.sum(flags):,}, first {first:,}"}
        raise InputError(message, facts=facts, help=HELP)


def _in_order(table: pa.Table, source: Path) -> pa.Table:
    keys = table.select(["image_id", "label_id"])
    order = pc.sort_indices(keys, [("image_id", "ascending"), ("label_id", "ascending")])
    first = find_pairs(keys, keys)
    if len(np.unique(first)) != len(first):
        taken = np.bincount(first, minlength=len(first))
        twice = int(np.argmax(taken > 1))
        raise InputError(
            "a pair of image and label stands twice among the candidates",
            facts={
                "where": source,
                **{name: keys[name][twice].as_py() for name in keys.column_names},
            },
            help="unite the evidence of the pair in one row",
        )
    return table.take(order)


def _flat(labels: list[str]) -> Taxonomy:
    """Return the labels that occur, none a kind of another."""
    if not labels:
        raise InputError(
            "the candidates hold no row, and no taxonomy is given", help="give one with --taxonomy"
        )
    return build_taxonomy([Label(label_id, (), (), None, 1) for label_id in labels], "candidates")
