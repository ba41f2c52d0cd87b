"""The pool of candidates that audits are drawn from: scored once without any audit, and kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curation.audits.audits import bands
from curation.pairs.pair_keys import PAIR
from curation.runs.stage import Stage
from curation.runs.staging import StageWriter
from curation.runs.table_files import file_name, write_table
from curation.scoring.parts import Pool, pool_of_parts
from labeling.memory import release_memory
from labeling.schemas import CANDIDATES
from pipelines.run.stages import contents, make_stage, taxonomy_of
from pipelines.selecting.scores import parts_of

STAGE, TABLE = "audits-bands", "bands"


def pool_of(run_dir: Path, candidates: Stage) -> Pool:
    """Return the candidates of a run as audits are drawn from them."""
    columns = _read(run_dir, candidates, ["cold", "kind"])
    pairs = candidates.packed(CANDIDATES, PAIR)
    return Pool(pairs, columns["cold"].to_numpy(), columns["kind"].to_numpy())


def bands_of(run_dir: Path, candidates: Stage) -> npt.NDArray[np.int8]:
    """Return the stratum of each candidate in a first draw: see `curation.audits.audits.bands`."""
    band: npt.NDArray[np.int8] = _read(run_dir, candidates, ["band"])["band"].to_numpy()
    return band


def _read(run_dir: Path, candidates: Stage, columns: list[str]) -> pa.Table:
    def write(work: StageWriter) -> None:
        pool = pool_of_parts(parts_of(candidates), taxonomy_of(candidates))
        band = bands(pool.pairs, pool.cold)
        rows = pa.table({"cold": pool.cold, "kind": pool.kind, "band": band})
        write_table(rows, work.dir, TABLE)
        work.counts["candidates"] = len(rows)

    stage = make_stage(run_dir, STAGE, write, inputs=contents(candidates), config={})
    release_memory()
    return pq.read_table(stage.dir / file_name(TABLE), columns=columns)
