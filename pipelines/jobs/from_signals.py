"""Candidates of a table of signals, computed in this process: the passes of `winnow label`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.runs.table_files import parquet_bytes, write_table
from labeling.arguments import Text, checks_arguments
from labeling.frames.frames import Frame, like, to_table
from labeling.schemas import PLACEMENTS, SIGNALS
from labeling.taxonomy.published import TaxonomyFiles
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.passes import inputs
from pipelines.passes.labeling_pass import Pass
from pipelines.passes.plan import plan
from pipelines.passes.tables import tables_of
from pipelines.run.config import SUPPORT_ONLY
from pipelines.shuffle import partition, segments
from pipelines.shuffle.engine import ROWS_AT_ONCE, Split, Tables

TAXONOMY_FILE = "taxonomy.jsonl"


@checks_arguments
def candidates_from_signals(
    signals: Frame, taxonomy: Taxonomy, *, support_only: tuple[Text, ...] = SUPPORT_ONLY
) -> Frame:
    """Label images by the texts about them: `winnow label` on signals alone, in memory.

    Texts are matched with the names of the labels; boilerplate counts less, fixed phrases and
    ambiguous names are read by their context, and pages that show the same images support each
    other. Everything is held in memory: 400,000 signals took 16 s and 1.2 GB on one core. For more
    than some million signals, links, feedback and inputs of other kinds use `winnow label`.

    Parameters
    ----------
    signals
        Table of `labeling.schemas.SIGNALS`, in any order.
    taxonomy
        The labels.
    support_only
        Sources that support a candidate of others but make none by themselves; by default those
        of `winnow label`.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        `labeling.schemas.CANDIDATES`, sorted by image and label, of the kind of `signals`.

    Raises
    ------
    InputError
        For a table that lacks a column or holds a refused value.

    Examples
    --------
    >>> from labeling.frames.signals import signals_from_texts
    >>> from labeling.taxonomy.taxonomy import Label, build_taxonomy
    >>> taxonomy = build_taxonomy([Label("cat", (("cat", "en"),))])
    >>> texts = pa.table({"image": ["https://a.org/1.jpg"], "text": ["two cats"]})
    >>> rows = candidates_from_signals(signals_from_texts(texts), taxonomy)
    >>> rows["label_id"].to_pylist(), rows["evidence"][0][0]["source"].as_py()
    (['cat'], 'alt')
    """
    rows = to_table(signals, SIGNALS, "signals")
    with tempfile.TemporaryDirectory() as folder:
        work_dir = Path(folder)
        (work_dir / TAXONOMY_FILE).write_text(taxonomy_lines(taxonomy), encoding="utf-8")
        tables = {"given": rows}
        for labeling_pass in passes_on_signals(work_dir, support_only, len(rows)):
            tables |= _run_pass(labeling_pass, tables, work_dir / labeling_pass.name)
    return like(tables["candidates"], signals)


def passes_on_signals(
    work_dir: Path, support_only: tuple[str, ...], n_signals: int
) -> tuple[Pass, ...]:
    """Return the passes from a table ``given`` to ``candidates``; `TAXONOMY_FILE` is in the folder.

    A signal is at most one placement, and there are no links and no feedback.
    """
    outputs = {"signals": SIGNALS.arrow, "placements": PLACEMENTS.arrow}
    first = inputs.make_pass(_read_given)._replace(inputs=("given",), outputs=outputs)
    files = TaxonomyFiles(work_dir / TAXONOMY_FILE)
    return first, *plan(files, support_only, n_signals, 0, work_dir, n_edges=n_signals)


def taxonomy_lines(taxonomy: Taxonomy) -> str:
    """Return a taxonomy as JSON Lines that `read_taxonomy` reads."""
    rows = taxonomy.to_table().rename_columns({"label_id": "id"}).to_pylist()
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def _read_given(split: Split) -> Iterator[tuple[str, pa.Table]]:
    rows = pq.read_table(*split.arguments).cast(SIGNALS.arrow)
    yield "signals", rows.filter(pc.not_equal(rows["text"], ""))
    yield "placements", rows.group_by(PLACEMENTS.arrow.names).aggregate([])


def _run_pass(labeling_pass: Pass, tables: Mapping[str, pa.Table], folder: Path) -> Tables:
    """Return the output of a pass, all in one bucket; later passes find its files in `folder`."""
    carried = []
    for table in (name for name in labeling_pass.inputs if name in tables):
        split = split_of(table, parquet_bytes(tables[table]))
        chunks = partition.chunks(labeling_pass.read(split), labeling_pass.keys, 1)
        carried.append(segments.cut(split.split_id, chunks, 0, 1))
    reader = segments.Reader(carried, 0, 1)
    rows = reader.tables(0, labeling_pass.combine, ROWS_AT_ONCE)
    output = tables_of(labeling_pass.reduce(rows) if rows else {}, labeling_pass.outputs)
    if labeling_pass.conclude is not None:
        folder.mkdir()
        for name, table in output.items():
            write_table(table, folder, name)
        labeling_pass.conclude(folder)
    return output


def split_of(table: str, content: bytes | pa.Buffer, number: str = "") -> Split:
    """Return a split that reads a table from the bytes of a Parquet file."""
    return Split(f"{table}-{number}", table, (pa.BufferReader(content),))
