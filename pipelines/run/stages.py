"""Names and tables of stages that several commands share."""

from __future__ import annotations

import pyarrow.compute as pc

from curation.runs.stage import Stage
from labeling.schemas import CANDIDATES, TAXONOMY
from labeling.taxonomy.taxonomy import Taxonomy, from_table


def stage_name(stage: str, label_set: str) -> str:
    """Return the name of a stage for a label set: ``shards``, ``shards-all``, ``shards-random``."""
    return stage if label_set == "selected" else f"{stage}-{label_set}"


def taxonomy_of(candidates: Stage) -> Taxonomy:
    """Return the taxonomy that a stage's candidates refer to."""
    return from_table(candidates.table(TAXONOMY))


def labels_of(candidates: Stage) -> list[str]:
    """Return every label that a candidate names: the logits of the run's networks."""
    pairs = candidates.table(CANDIDATES, columns=["label_id"])
    labels: list[str] = pc.unique(pairs["label_id"]).sort().to_pylist()
    return labels
