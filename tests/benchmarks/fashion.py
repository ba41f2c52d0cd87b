"""Gain of the selection of the fashion recipe over the naive ranking of the same rows.

    python tests/benchmarks/fashion.py runs/fashion

Naive: candidates ranked by the weight of their own title, then by the share of neighbouring pages
that name the label; ties in the order of the ids' digests. Precision and recall are counted against
the shop's own attributes (with the categories above them), recall over all of these, also the ones
that no title names. Pairs that were audited are left out of the second block.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.pairs.pair_keys import find_pairs, pair_hash
from curation.runs.stage import open_stage
from labeling.schemas import AUDITS, CANDIDATES, SELECTED
from pipelines.delivery.truth import read_truth
from pipelines.run.saved_config import load_config
from pipelines.run.stages import taxonomy_of

Floats = npt.NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare a selection with the naive ranking.")
    parser.add_argument("run", type=Path, help="run folder of the fashion recipe, after select")
    run_dir = parser.parse_args().run
    config = load_config(run_dir)
    stage = open_stage(run_dir, "candidates")
    candidates = stage.table(CANDIDATES)
    truth = read_truth(Path(config.base) / str(config.audit.truth), taxonomy_of(stage))
    selected = open_stage(run_dir, "selected").table(SELECTED)
    right = find_pairs(candidates, truth) >= 0
    audited = find_pairs(candidates, open_stage(run_dir, "audits").table(AUDITS)) >= 0
    order = {
        "naive": np.lexsort(
            (pair_hash(candidates), -strength(candidates, "linked"), -strength(candidates, "alt"))
        ),
        "winnow": np.lexsort((pair_hash(candidates), -selected["p_correct"].to_numpy())),
    }
    kept = np.asarray(selected["kept"], bool)
    result: dict[str, float] = {
        "candidates": len(right),
        "precision_of_all": right.mean(),
        "precision_kept": right[kept].mean(),
        "recall_kept": right[kept].sum() / len(truth),
    }
    print(f"{len(right):,} candidates, {right.mean():.3f} right, {len(truth):,} true pairs")
    print(f"{kept.sum():,} kept, {right[kept].mean():.4f} right")
    for name, counted in (("", np.ones(len(right), bool)), ("_unaudited", ~audited)):
        for part, share in (("third", 1 / 3), ("tenth", 0.1)):
            for method, ranked in order.items():
                top = ranked[: round(share * len(ranked))]
                hits = right[top][counted[top]]
                key = f"{method}_{part}{name}"
                result[f"precision_{key}"] = hits.mean()
                print(f"{key:24} precision {hits.mean():.4f}", end="")
                if not name:
                    result[f"recall_{key}"] = hits.sum() / len(truth)
                    print(f"  recall {hits.sum() / len(truth):.4f}", end="")
                print()
    print(json.dumps({key: round(float(value), 4) for key, value in result.items()}))


def strength(candidates: pa.Table, source: str) -> Floats:
    """Return how strongly a source supports each candidate, 0 where it is silent."""
    evidence = candidates["evidence"].combine_chunks()
    candidate = np.asarray(pc.list_parent_indices(evidence), np.int64)
    item = pc.list_flatten(evidence)
    is_of_source = np.asarray(pc.equal(item.field("source"), source), bool)
    result = np.zeros(len(candidates))
    result[candidate[is_of_source]] = np.asarray(item.field("strength"))[is_of_source]
    return result


if __name__ == "__main__":
    main()
