"""Audited candidates of which people and the network think otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.intervals.judgements import Judgements
from curation.pairs.pair_keys import find_pairs
from curation.runs.stage import current, outdated_by
from labeling.keys.arrays import Ints
from labeling.schemas import VOTES


def disagreements(run_dir: Path, selected: pa.Table, judged: Judgements) -> dict[str, Ints]:
    """Return judged candidates by how much the network contradicts the verdict, most first.

    Parameters
    ----------
    selected
        The candidates, a table with ``image_id`` and ``label_id``.
    judged
        Those of them that were judged.

    Returns
    -------
    dict
        Rows of `selected`: ``doubted_right``, judged right and of little strength by `winnow look`,
        and ``trusted_wrong``, judged wrong and of much strength. Each holds half of these verdicts
        at most. It is empty where no network has looked at these candidates.
    """
    stage = current(run_dir, "look")
    if stage is None or outdated_by(run_dir, stage) is not None:
        return {}
    votes = stage.table(VOTES)
    visual = votes.filter(pc.equal(votes["source"], "visual"))
    known = judged.known
    row = find_pairs(selected.take(pa.array(known.row)), visual)
    seen = row >= 0
    strength = visual["strength"].to_numpy()[row[seen]]
    judged_row, correct = known.row[seen], known.correct[seen]
    order = np.argsort(strength, kind="stable")
    right = judged_row[order][correct[order]]
    wrong = judged_row[order[::-1]][~correct[order[::-1]]]
    return {
        "doubted_right": right[: len(right) // 2],
        "trusted_wrong": wrong[: len(wrong) // 2],
    }
