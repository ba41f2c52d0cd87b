"""Promises and intervals where the scores are learnt again from every draw of audits.

    python tests/benchmarks/refitted.py [--draws N --images N --seed S]

`guarantee.py` audits candidates whose scores are fixed. Here everything a user does happens in
each draw: 300 audits by cold scores, scores learnt from them, and for 2,000 audits 1,700 more where
the third ends, and scores learnt from all. Violations count the draws in which what is kept for a
target is less precise than was promised; the oracle keeps the most in the order of the same scores.
Coverage is that of the 95 % interval of the best third, bias the mean error of its estimate. The
last line is JSON.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from correlated_world import CorrelatedWorld, make_correlated_world

from curation.audits.audits import answer, bands, sample
from curation.audits.two_phase import draw_again, make_cells
from curation.intervals.judgements import Judgements, precision_of
from curation.intervals.learn_then_test import prove
from curation.intervals.thresholds import thresholds
from curation.pairs.pair_keys import find_pairs
from curation.scoring.features import FeatureTable, features
from curation.scoring.parts import Pool, parts_of_table, pool_of_parts
from curation.scoring.scoring import score
from labeling.errors import QualityError

TARGETS = (0.7, 0.8, 0.9)
N_FIRST, N_ALL = 300, 2000


def main() -> None:
    parser = argparse.ArgumentParser(description="Hold promises against learnt scores.")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    world = make_correlated_world(arguments.images, arguments.seed)
    table = features(world.candidates, world.taxonomy)
    pool = pool_of_parts(parts_of_table(world.candidates), world.taxonomy)
    truth = table.pairs.filter(pa.array(world.correct))
    measured: dict[str, list[float]] = {}
    for draw in range(arguments.draws):
        for name, value in audit(world, table, pool, truth, draw).items():
            measured.setdefault(name, []).append(value)
    means = {name: round(float(np.mean(values)), 4) for name, values in measured.items()}
    for name, value in means.items():
        print(f"{name:24} {value:.4f}")
    print(json.dumps({"draws": arguments.draws, "candidates": len(table)} | means))


def audit(
    world: CorrelatedWorld,
    table: FeatureTable,
    pool: Pool,
    truth: pa.Table,
    seed: int,
) -> dict[str, float]:
    """Return the measures of one draw, with few audits and with many."""
    cold, kind, first = pool.cold, pool.kind, bands(table.pairs, pool.cold)
    few = answer(sample(table.pairs, cold, N_FIRST, seed, kind=kind), truth)
    p_correct = score(table, few).p_correct
    measured = measure(world, table, few, p_correct, first)
    asked = find_pairs(table.pairs, few) >= 0
    cells = make_cells(table.pairs, p_correct, 1 / 3, first, asked)
    many = answer(draw_again(table.pairs, cells, N_ALL, seed, kind=kind), truth)
    return measured | measure(world, table, many, score(table, many).p_correct, cells.cell)


def measure(
    world: CorrelatedWorld,
    table: FeatureTable,
    audits: pa.Table,
    p_correct: npt.NDArray[np.float32],
    stratum: npt.NDArray[np.int8],
) -> dict[str, float]:
    row, n = find_pairs(audits, table.pairs), len(audits)
    judged = Judgements(row, world.correct[row], audits["p_inclusion"].to_numpy(), stratum)
    cuts = thresholds(judged, p_correct)
    right = world.correct[np.argsort(-p_correct, kind="stable")]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    measured = {}
    for target in TARGETS:
        try:
            n_kept = int(cuts.n_kept[prove(cuts, target)])
        except QualityError:
            n_kept = 0
        oracle = int(np.flatnonzero(precision >= target)[-1]) + 1
        measured[f"violations_{target}_{n}"] = float(n_kept > 0 and precision[n_kept - 1] < target)
        measured[f"kept_vs_oracle_{target}_{n}"] = n_kept / oracle
    kept = np.zeros(len(table), bool)
    kept[np.argsort(-p_correct, kind="stable")[: len(table) // 3]] = True
    interval, true = precision_of(judged, kept, 0.95), world.correct[kept].mean()
    measured[f"coverage_{n}"] = float(interval.low <= true <= interval.high)
    measured[f"bias_{n}"] = interval.estimate - float(true)
    return measured


if __name__ == "__main__":
    main()
