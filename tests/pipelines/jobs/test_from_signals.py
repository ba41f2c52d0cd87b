"""Signals in memory, and in a Beam pipeline of one's own, become the candidates of `label`."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.runs.run import Run, open_run
from labeling.errors import InputError
from labeling.taxonomy.taxonomy import Taxonomy
from pipelines.jobs.from_signals import candidates_from_signals
from pipelines.jobs.label import label
from pipelines.jobs.transform import CandidatesFromSignals
from pipelines.run.config import SUPPORT_ONLY, read_config


@pytest.fixture(scope="module")
def run(made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return the run of the shop without its links and its feedback."""
    config = read_config(made_once / "shop" / "run.toml", {"label.support_only": SUPPORT_ONLY})
    run_dir = tmp_path_factory.mktemp("run")
    label(config.model_copy(update={"links": (), "feedback": ()}), run_dir)
    return open_run(run_dir)


@pytest.fixture(scope="module")
def shuffled(run: Run) -> pa.Table:
    rows = run.signals.to_arrow()
    return rows.take(pa.array(np.random.default_rng(0).permutation(len(rows))))


def test_candidates_in_memory_are_those_of_label(run: Run, shuffled: pa.Table) -> None:
    expected = run.candidates.to_arrow()
    sources = {item["source"] for row in expected["evidence"].to_pylist() for item in row}
    assert {"alt", "caption", "linked"} <= sources
    assert candidates_from_signals(shuffled, run.taxonomy).equals(expected)
    frame = candidates_from_signals(shuffled.to_pandas(), run.taxonomy)
    assert isinstance(frame, pd.DataFrame)
    assert frame["label_id"].tolist() == expected["label_id"].to_pylist()


def test_sources_that_only_support_make_no_candidate(run: Run, shuffled: pa.Table) -> None:
    table = candidates_from_signals(shuffled, run.taxonomy, support_only=())
    assert len(table) > len(run.candidates.to_arrow()) > 0


def test_no_signals_make_no_candidates(run: Run, shuffled: pa.Table) -> None:
    assert len(candidates_from_signals(shuffled.slice(0, 0), run.taxonomy)) == 0
    with pytest.raises(InputError, match="columns are missing"):
        candidates_from_signals(shuffled.drop_columns("text"), run.taxonomy)


def transformed(tables: list[pa.Table], taxonomy: Taxonomy, folder: Path) -> pa.Table:
    def write(rows: pa.Table) -> None:
        pq.write_table(rows, folder / f"{rows['image_id'][0]}.parquet")

    with beam.Pipeline() as pipeline:
        _ = (
            pipeline
            | beam.Create(tables)
            | CandidatesFromSignals(taxonomy, n_buckets=4)
            | beam.Map(write)
        )
    return pa.concat_tables([pq.read_table(path) for path in sorted(folder.iterdir())])


def test_candidates_of_a_pipeline_of_ones_own_are_those_of_label(
    run: Run, shuffled: pa.Table, tmp_path: Path
) -> None:
    batches = [shuffled.slice(start, 37) for start in range(0, len(shuffled), 37)]
    table = transformed(batches, run.taxonomy, tmp_path)
    assert len(list(tmp_path.iterdir())) == 4
    assert table.equals(run.candidates.to_arrow())
