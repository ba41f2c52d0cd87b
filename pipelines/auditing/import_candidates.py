"""Candidates made elsewhere, imported into a run folder."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.pairs.candidate_rules import (
    HELP,
    conform_candidates,
    refuse_repeated_pairs,
)
from curation.pairs.pair_keys import PAIR
from curation.runs.durable import file_digest
from curation.runs.stage import Stage, current
from curation.runs.staging import StageWriter
from curation.runs.table_files import file_name, write_parquet, write_table
from labeling.errors import InputError
from labeling.keys.ids import bucket, to_halves
from labeling.schemas import CANDIDATES
from labeling.taxonomy.published import read_taxonomy
from labeling.taxonomy.taxonomy import Label, Taxonomy, build_taxonomy
from pipelines.run.config import Config, TaxonomyInput
from pipelines.run.progress import stage_line
from pipelines.run.saved_config import load_config, save_config
from pipelines.run.stages import make_stage

ROWS_OF_FILE = 1 << 18
"""Approximate rows of a file of the output: as many are held in memory at a time."""

BATCH_ROWS = 1 << 16


def import_candidates(run_dir: Path, source: Path, taxonomy_path: Path | None) -> Stage:
    """Commit candidates that another program made, so that `audit`, `select` and `report` work.

    Parameters
    ----------
    run_dir
        Run folder, created if missing.
    source
        Parquet file of `labeling.schemas.CANDIDATES`, or a folder of such files; rows in any order,
        columns beyond the schema are left out.
    taxonomy_path
        Any taxonomy that winnow reads; without it the labels that occur, without a hierarchy.

    Raises
    ------
    InputError
        For a file that does not follow the schema, a pair that occurs twice, a label that the
        taxonomy lacks, or a run that has candidates of its own.
    """
    if current(run_dir, "signals") is not None:
        raise InputError(
            "the run has candidates of its own",
            facts={"run": run_dir},
            help="give another folder for candidates made elsewhere",
        )
    paths = sorted(source.glob("*.parquet")) if source.is_dir() else [source]
    if not paths:
        raise InputError(
            "the folder holds no Parquet file",
            facts={"folder": source},
            help="name the file of candidates, or the folder of its parts (*.parquet)",
        )
    inputs = {path.name: file_digest(path) for path in paths}
    if taxonomy_path is not None:
        inputs["labels"] = file_digest(taxonomy_path)

    def write(work: StageWriter) -> None:
        taxonomy = None if taxonomy_path is None else read_taxonomy(taxonomy_path)
        labels = _write_sorted(paths, work, source)
        taxonomy = taxonomy or _without_hierarchy(labels)
        taxonomy.codes(pa.array(labels, pa.string()))  # refuses labels that the taxonomy lacks
        write_table(taxonomy.to_table(), work.dir, "taxonomy")

    with stage_line("candidates") as facts:
        stage = make_stage(run_dir, "candidates", write, inputs=inputs, config={})
        base = load_config(run_dir).base if current(run_dir, "images") else "."
        taxonomy = TaxonomyInput(path=str(taxonomy_path or source))
        save_config(Config(base=base, taxonomy=taxonomy), run_dir)
        facts.append(f"{stage.counts['candidates']:,} of {stage.counts['images']:,} images")
    return stage


def _write_sorted(paths: list[Path], work: StageWriter, source: Path) -> list[str]:
    """Write the candidates sorted, in files of about `ROWS_OF_FILE` rows; return their labels.

    The high bits of an image's id choose one of as many scratch files as the output has, so that
    one file is sorted at a time. Ids are digests: the files have about equal sizes.
    """
    n_rows = sum(_open(path).metadata.num_rows for path in paths)
    n_files = 1 << max(0, math.ceil(math.log2(max(n_rows, 1) / ROWS_OF_FILE)))
    work.counts |= {"candidates": n_rows, "images": 0}
    work.scratch.mkdir(parents=True, exist_ok=True)
    parts = [work.scratch / f"{i}.arrow" for i in range(n_files)]
    labels: set[str] = set()
    with ExitStack() as files:
        writers = [
            files.enter_context(pa.ipc.new_file(str(part), CANDIDATES.arrow)) for part in parts
        ]
        for table in chain.from_iterable(map(_read, paths)):
            labels.update(pc.unique(table["label_id"]).to_pylist())
            number = bucket(to_halves(table["image_id"]), n_files)
            for i in np.unique(number):
                writers[i].write_table(table.filter(pa.array(number == i)))
    for i, part in enumerate(parts):
        with pa.memory_map(str(part)) as file:
            table = _sorted(pa.ipc.open_file(file).read_all(), source)
            write_parquet(table, work.dir / file_name("candidates", i, n_files))
            work.counts["images"] += pc.count_distinct(table["image_id"]).as_py()
        part.unlink()
    return sorted(labels)


def _sorted(table: pa.Table, source: Path) -> pa.Table:
    refuse_repeated_pairs(table, f"candidates of {source}")
    return table.sort_by([(name, "ascending") for name in PAIR])


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
            yield conform_candidates(pa.Table.from_batches([batch]), str(path), start)
            start += len(batch)
    except (OSError, pa.ArrowException, KeyError, TypeError) as error:
        raise _unreadable(path, error) from error


def _without_hierarchy(labels: list[str]) -> Taxonomy:
    if not labels:
        raise InputError(
            "the candidates hold no row, and no taxonomy is given", help="give one: `taxonomy=`"
        )
    return build_taxonomy([Label(label_id, (), (), None, 1) for label_id in labels], "candidates")
