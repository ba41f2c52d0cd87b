"""What pairs are drawn by: first their cold scores, then, once a run is scored, their scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curation.audits.audits import BAND, CELL, are_strata_of, bands, is_drawn_here
from curation.audits.two_phase import Cells, make_cells, share_above
from curation.pairs.pair_keys import find_pairs
from curation.runs.stage import Stage, current, open_stage
from curation.runs.staging import write_stage
from curation.runs.table_files import write_table
from curation.scoring.parts import Pool
from labeling.schemas import SCORED
from pipelines.run.config import Config
from pipelines.run.dependencies import settings_of
from pipelines.selecting.scores import pool_of

STAGE = "audits-cells"


def read_cells(run_dir: Path, candidates: Stage) -> Cells | None:
    """Return what a second draw of these candidates goes by, if there has been one."""
    if not cells_of(run_dir, candidates):
        return None
    paths = open_stage(run_dir, STAGE).paths(".parquet")
    table = pa.concat_tables([pq.read_table(path) for path in paths])
    return Cells(table["cell"].to_numpy(), table["asked"].to_numpy())


def cells_of(run_dir: Path, candidates: Stage) -> tuple[Stage, ...]:
    """Return the stage with the cells of these candidates, if there is one."""
    found = current(run_dir, STAGE)
    if found is None or found.manifest["inputs"]["candidates"] != candidates.content:
        return ()
    return (found,)


def cut_cells(
    config: Config, run_dir: Path, candidates: Stage, pool: Pool, judged: pa.Table
) -> Cells | None:
    """Commit what a second draw goes by; None as long as the judgements were not learnt from.

    It stays as it is for all further draws of these candidates, whatever is judged and scored
    later: inclusion probabilities hang on it.
    """
    scored, audits = current(run_dir, "scored"), current(run_dir, "audits")
    if scored is None or audits is None or not len(judged) or not is_drawn_here(judged, BAND):
        return None
    if scored.manifest["inputs"] != {"candidates": candidates.content, "audits": audits.content}:
        return None
    p_correct = open_stage(run_dir, "scored").table(SCORED)["p_correct"].to_numpy()
    share = config.select.keep
    if config.select.precision is not None:
        share = share_above(p_correct, config.select.precision)
    asked = find_pairs(pool.pairs, judged) >= 0
    cells = make_cells(pool.pairs, p_correct, share, bands(pool.pairs, pool.cold), asked)
    inputs = {"candidates": candidates.content}
    settings = settings_of(STAGE, config) | {"audits": audits.content}
    with write_stage(run_dir, STAGE, inputs=inputs, config=settings) as work:
        rows = pa.table({"cell": cells.cell, "asked": cells.asked})
        write_table(rows, work.dir, "cells")
        work.counts |= {"cells": len(rows), "asked": int(asked.sum())}
    return cells


def strata_of(
    run_dir: Path, candidates: Stage, judged: pa.Table, row: npt.NDArray[np.int64]
) -> npt.NDArray[np.int8] | None:
    """Return the stratum of every candidate by which judgements were drawn; None if it is unknown.

    Parameters
    ----------
    judged
        Table of `labeling.schemas.AUDITS`.
    row
        ``int64[m]``: the candidate of each judgement.
    """
    if is_drawn_here(judged, CELL):
        cells = read_cells(run_dir, candidates)
        if cells is None:
            return None
        name, stratum = CELL, cells.cell
    elif is_drawn_here(judged, BAND):
        pool = pool_of(candidates)
        name, stratum = BAND, bands(pool.pairs, pool.cold)
    else:
        return None
    return stratum if are_strata_of(judged, name, stratum, row) else None
