"""Strata of the draws: bands of cold scores at first; cells of scores once a run is scored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.audits.audits import BAND, CELL, are_strata_of, is_drawn_here
from curation.audits.two_phase import FOR_PRECISION, FOR_SHARE, Cells, make_cells, share_above
from curation.intervals.judgements import Judgements
from curation.pairs.pair_keys import find_pairs
from curation.runs.stage import Stage, current, open_stage
from curation.runs.staging import write_stage
from curation.runs.table_files import read_table, write_table
from curation.scoring.parts import Pool
from curation.selection.floors import order_of_keeping
from curation.selection.groups import one_group
from curation.selection.selection import Request
from labeling.keys.arrays import Floats
from labeling.schemas import SCORED
from pipelines.auditing.pool import bands_of
from pipelines.run.config import Config, SelectSettings
from pipelines.run.dependencies import settings_of
from pipelines.run.stages import contents

STAGE = "audits-cells"

DESIGNS = {"share": FOR_SHARE, "precision": FOR_PRECISION}
"""Designs of a second draw, by the fact ``drawn_for`` of its stage."""


def read_cells(run_dir: Path, candidates: Stage) -> Cells | None:
    """Return the strata of the last draw of these candidates by scores, if there has been one."""
    if not cells_of(run_dir, candidates):
        return None
    stage = open_stage(run_dir, STAGE)
    table = read_table(stage.dir, "cells")
    # Stages of earlier versions lack the facts.
    design = DESIGNS[stage.facts.get("drawn_for", "share")]
    n_classes = stage.facts.get("n_classes", 2)
    return Cells(table["cell"].to_numpy(), table["asked"].to_numpy(), design, n_classes)


def cells_of(run_dir: Path, candidates: Stage) -> tuple[Stage, ...]:
    """Return the stage with the strata of the second draw of these candidates, if there is one."""
    cells = current(run_dir, STAGE)
    if cells is None or cells.manifest["inputs"]["candidates"] != candidates.content:
        return ()
    return (cells,)


def cut_cells(
    config: Config, run_dir: Path, candidates: Stage, pool: Pool, judged: pa.Table
) -> Cells | None:
    """Commit the strata of a draw by scores; None until candidates are scored by the judgements.

    For a share all further draws use the same strata. For a precision each draw has its own,
    because better scores keep other pairs, and more: they divide the strata of the one before, so
    that all pairs of a stratum are equally likely in all draws.
    """
    scored, audits = current(run_dir, "scored"), current(run_dir, "audits")
    if scored is None or audits is None or not len(judged):
        return read_cells(run_dir, candidates)
    precision = config.select.precision
    settings = settings_of(STAGE, config) | {"audits": audits.content}
    earlier = cells_of(run_dir, candidates)
    if earlier and _is_drawn_for(earlier[0], settings):
        return read_cells(run_dir, candidates)
    row = find_pairs(judged, pool.pairs)
    first = strata_of(run_dir, candidates, judged, row)
    if first is None or scored.manifest["inputs"] != contents(candidates, audits):
        return read_cells(run_dir, candidates)
    table = open_stage(run_dir, "scored").packed(SCORED)
    share, drawn_for = config.select.keep, "share"
    if precision is not None:
        share, drawn_for = share_above(table["p_correct"].to_numpy(), precision), "precision"
    asked, order = find_pairs(pool.pairs, judged) >= 0, _order_of_keeping(config.select, table)
    cells = make_cells(pool.pairs, order, share, first, asked, DESIGNS[drawn_for])
    with write_stage(run_dir, STAGE, inputs=contents(candidates), config=settings) as work:
        rows = pa.table({"cell": cells.cell, "asked": cells.asked, "before": first})
        write_table(rows, work.dir, "cells")
        work.counts |= {"cells": len(rows), "asked": int(asked.sum())}
        work.facts |= {"drawn_for": drawn_for, "n_classes": cells.n_classes}
    return cells


def _order_of_keeping(settings: SelectSettings, scored: pa.Table) -> Floats:
    """Return the order in which candidates will be kept, with the best of each label in it.

    They are drawn as often as others that may be kept, so that the interval of the whole is narrow.
    """
    request = Request(
        scored,
        Judgements(np.zeros(0, np.int64), np.zeros(0, bool), np.zeros(0)),
        keep=settings.keep,
        precision=settings.precision,
        floor=settings.floor,
        per_image=settings.per_image,
        # What follows has no influence on the order.
        confidence=0.95,
        by=None,
        per_label=None,
        taxonomy=_not_needed,
        evidence=_not_needed,
    )
    return order_of_keeping(request, one_group(len(scored)))


def _not_needed() -> NoReturn:
    raise AssertionError("one group of all needs neither labels nor evidence")


def _is_drawn_for(cells: Stage, settings: Mapping[str, Any]) -> bool:
    """Return whether a draw with some settings uses these strata."""
    if settings["precision"] is None:
        return bool(cells.facts.get("drawn_for", "share") == "share")
    return bool(cells.manifest["config"] == settings)


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
    if is_drawn_here(judged, BAND):
        name, known = BAND, [bands_of(run_dir, candidates)]
    elif is_drawn_here(judged, CELL) and cells_of(run_dir, candidates):
        # Judgements have the strata of the draw before until those of the last draw are imported.
        table = read_table(open_stage(run_dir, STAGE).dir, "cells")
        known = [
            table[name].to_numpy() for name in ("cell", "before") if name in table.column_names
        ]
        name = CELL
    else:
        return None
    fitting = (stratum for stratum in known if are_strata_of(judged, name, stratum, row))
    return next(fitting, None)
