"""Scores of a run's candidates, which are read from their files in bounded memory."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.audits.verdicts import count_doubtful, usable_audits
from curation.pairs.pair_keys import PAIR
from curation.runs.stage import Stage
from curation.runs.staging import StageWriter
from curation.runs.table_files import write_packed
from curation.scoring.parts import N_AT_ONCE, Parts, score_parts
from labeling.schemas import AUDITS, CANDIDATES, INTERVALS, SCORED
from pipelines.evidence.added import with_added
from pipelines.run.config import Config
from pipelines.run.dependencies import settings_of
from pipelines.run.progress import stage_line
from pipelines.run.stages import contents, make_stage, taxonomy_of


def score(config: Config, run_dir: Path, candidates: Stage, audits: Stage) -> Stage:
    """Commit the score of every candidate, with its bounds if the settings ask for them."""
    supported = with_added(candidates)
    with stage_line("scored") as facts:
        stage = make_stage(
            run_dir,
            "scored",
            functools.partial(
                _write, candidates, supported, audits.table(AUDITS), config.select.venn_abers
            ),
            inputs=contents(candidates, audits, supported),
            config=settings_of("scored", config),
        )
        trained = stage.facts
        facts.append(f"from {trained['n_audits']:,} audits, {trained['n_features']} features")
        facts.append("boosted" if trained["folds_boosted"] else "logistic")
    return stage


def _write(
    candidates: Stage, supported: Stage, audits: pa.Table, intervals: bool, work: StageWriter
) -> None:
    parts, taxonomy = parts_of(supported), taxonomy_of(candidates)
    p_correct, scores, n_fitted = score_parts(parts, taxonomy, audits, intervals)
    columns = candidates.packed(CANDIDATES, PAIR)
    names = ("p_correct", "p_low", "p_high")
    for name, values in zip(names, np.atleast_2d(p_correct), strict=False):
        columns = columns.append_column(name, pa.array(values))
    for table in (SCORED, INTERVALS) if intervals else (SCORED,):
        write_packed(columns, work.dir, table)
    n_unsure, n_contradictory = count_doubtful(audits)
    work.counts["scored"] = len(columns)
    work.facts |= {
        "n_audits": scores.n_audits,
        "n_unsure": n_unsure,
        "n_contradictory": n_contradictory,
        "n_unknown": len(usable_audits(audits)) - scores.n_audits,
        "n_features": scores.n_features,
        "n_fitted": n_fitted,
        "folds_boosted": scores.n_boosted,
        "log_loss": scores.losses,
    }


def parts_of(candidates: Stage) -> Parts:
    """Return the candidates of a stage, to be read in parts."""
    return functools.partial(_read_parts, candidates.table_paths(CANDIDATES))


def _read_parts(paths: list[Path], columns: list[str]) -> Iterator[pa.Table]:
    """Yield columns of Parquet files in the order of their rows, `N_AT_ONCE` rows at a time."""
    for path in paths:
        for batch in pq.ParquetFile(path).iter_batches(N_AT_ONCE, columns=columns):
            yield pa.Table.from_batches([batch])
