"""Scores of a run's candidates, read from their files in bounded memory."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curation.runs.stage import Stage
from curation.scoring.parts import N_AT_ONCE, Parts, Pool, pool_of_parts, score_parts
from curation.scoring.scoring import Scores
from labeling.schemas import CANDIDATES
from pipelines.run.stages import taxonomy_of


def score_candidates(
    candidates: Stage, audits: pa.Table, intervals: bool = False
) -> tuple[npt.NDArray[np.float32], Scores, int]:
    """Score all candidates of a stage: see `curation.scoring.parts.score_parts`."""
    return score_parts(parts_of(candidates), taxonomy_of(candidates), audits, intervals)


def pool_of(candidates: Stage) -> Pool:
    """Return what is known of a stage's candidates before any audit."""
    return pool_of_parts(parts_of(candidates), taxonomy_of(candidates))


def parts_of(candidates: Stage) -> Parts:
    """Return the candidates of a stage, to be read in parts."""
    return functools.partial(read_parts, candidate_paths(candidates))


def candidate_paths(candidates: Stage) -> list[Path]:
    """Return the files of a stage's candidates, in order."""
    return candidates.table_paths(CANDIDATES)


def read_parts(paths: list[Path], columns: list[str]) -> Iterator[pa.Table]:
    """Yield columns of Parquet files in the order of their rows, `N_AT_ONCE` rows at a time."""
    for path in paths:
        for batch in pq.ParquetFile(path).iter_batches(N_AT_ONCE, columns=columns):
            yield pa.Table.from_batches([batch])
