"""Making, naming and reading stages, as several commands do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from curation.runs.stage import Stage, open_stage
from curation.runs.staging import StageWriter, reuse, write_stage
from labeling.schemas import CANDIDATES, TAXONOMY
from labeling.taxonomy.taxonomy import Taxonomy, from_table


def stage_name(stage: str, label_set: str) -> str:
    """Return the name of a stage for a label set: ``shards``, ``shards-all``, ``shards-random``."""
    return stage if label_set == "selected" else f"{stage}-{label_set}"


def contents(*stages: Stage) -> dict[str, str]:
    """Return the digest of each stage's files by its name, as inputs of another stage."""
    return {stage.name: stage.content for stage in stages}


def make_stage(
    run_dir: Path,
    name: str,
    write: Callable[[StageWriter], None],
    *,
    inputs: Mapping[str, str],
    config: Mapping[str, Any],
    seed: int = 0,
    resume: bool = False,
    is_complete: Callable[[Stage], bool] = lambda earlier: True,
) -> Stage:
    """Return the output of a stage; `write` is called unless it was made from the same before.

    Parameters
    ----------
    run_dir, name, inputs, config, seed, resume
        See `curation.runs.staging.write_stage`.
    write
        Writes the files, the counts and the facts.
    is_complete
        Whether an earlier output from the same can be returned.
    """
    earlier = reuse(run_dir, name, inputs=inputs, config=config)
    if earlier is None or not is_complete(earlier):
        with write_stage(
            run_dir, name, inputs=inputs, config=config, seed=seed, resume=resume
        ) as work:
            write(work)
    return open_stage(run_dir, name)


def taxonomy_of(candidates: Stage) -> Taxonomy:
    """Return the taxonomy that a stage's candidates refer to."""
    return from_table(candidates.table(TAXONOMY))


def labels_of(candidates: Stage) -> list[str]:
    """Return every label that a candidate names: the logits of the run's networks."""
    pairs = candidates.table(CANDIDATES, columns=["label_id"])
    labels: list[str] = pc.unique(pairs["label_id"]).sort().to_pylist()
    return labels
