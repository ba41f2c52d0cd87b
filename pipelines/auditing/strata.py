"""Strata of the draws: bands of cold scores at first; cells of scores once a run is scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.audits.audits import BAND, CELL, are_strata_of, bands, is_drawn_here
from curation.audits.two_phase import Cells, make_cells, share_above
from curation.pairs.pair_keys import find_pairs
from curation.runs.stage import Stage, current, open_stage
from curation.runs.staging import write_stage
from curation.runs.table_files import read_table, write_table
from curation.scoring.parts import Pool
from labeling.schemas import SCORED
from pipelines.run.config import Config
from pipelines.run.dependencies import settings_of
from pipelines.run.stages import contents
from pipelines.selecting.scores import pool_of

STAGE = "audits-cells"


def read_cells(run_dir: Path, candidates: Stage) -> Cells | None:
    """Return the strata of the second draw of these candidates, if there has been one."""
    if not cells_of(run_dir, candidates):
        return None
    table = read_table(open_stage(run_dir, STAGE).dir, "cells")
    return Cells(table["cell"].to_numpy(), table["asked"].to_numpy())


def cells_of(run_dir: Path, candidates: Stage) -> tuple[Stage, ...]:
    """Return the stage with the strata of the second draw of these candidates, if there is one."""
    cells = current(run_dir, STAGE)
    if cells is None or cells.manifest["inputs"]["candidates"] != candidates.content:
        return ()
    return (cells,)


def cut_cells(
    config: Config, run_dir: Path, candidates: Stage, pool: Pool, judged: pa.Table
) -> Cells | None:
    """Commit the strata of a second draw; None until the candidates are scored by the judgements.

    All further draws of these candidates use the same strata, whatever is judged and scored later:
    inclusion probabilities depend on them.
    """
    scored, audits = current(run_dir, "scored"), current(run_dir, "audits")
    if scored is None or audits is None or not len(judged) or not is_drawn_here(judged, BAND):
        return None
    if scored.manifest["inputs"] != contents(candidates, audits):
        return None
    p_correct = open_stage(run_dir, "scored").table(SCORED)["p_correct"].to_numpy()
    share = config.select.keep
    if config.select.precision is not None:
        share = share_above(p_correct, config.select.precision)
    asked = find_pairs(pool.pairs, judged) >= 0
    cells = make_cells(pool.pairs, p_correct, share, bands(pool.pairs, pool.cold), asked)
    settings = settings_of(STAGE, config) | {"audits": audits.content}
    with write_stage(run_dir, STAGE, inputs=contents(candidates), config=settings) as work:
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
