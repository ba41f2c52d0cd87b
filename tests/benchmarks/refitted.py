"""Promises and intervals where the scores are learnt again from every draw of audits.

    python tests/benchmarks/refitted.py [--draws N --images N --seed S --target P --audits N …]

`guarantee.py` audits candidates whose scores are fixed. Here everything a user does happens in
each draw. For a precision: 150 audits by cold scores, then batches that double them up to each of
`--audits`, with scores learnt after every batch, as `winnow audit sample --precision` draws.
Violations count the draws in which what is kept for the target is less precise than was promised;
the oracle keeps the most in the order of the same scores. For a third: 300 audits by cold scores,
and up to the last of `--audits` where the third ends; coverage is that of its 95 % interval, bias
the mean error of its estimate. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from correlated_world import make_correlated_world

from curation.audits.audits import answer, bands, sample
from curation.audits.two_phase import FOR_PRECISION, draw_again, make_cells, share_above
from curation.intervals.judgements import Judgements, precision_of
from curation.intervals.learn_then_test import prove
from curation.intervals.thresholds import thresholds
from curation.pairs.pair_keys import find_pairs
from curation.scoring.features import FeatureTable, features
from curation.scoring.parts import parts_of_table, pool_of_parts
from curation.scoring.scoring import score
from labeling.errors import QualityError
from pipelines.auditing.sample import N_FIRST as N_OF_SHEET

N_FIRST = 300


def main() -> None:
    parser = argparse.ArgumentParser(description="Hold promises against learnt scores.")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0, help="of the first draw")
    parser.add_argument("--target", type=float, default=0.9)
    parser.add_argument("--audits", type=int, nargs="+", default=[500, 2000])
    arguments = parser.parse_args()
    pool = make_pool(arguments.images)
    measured: dict[str, list[float]] = {}
    for draw in range(arguments.seed, arguments.seed + arguments.draws):
        precise = hold_precision(pool, draw, arguments.target, arguments.audits)
        for name, value in (precise | cover_share(pool, draw, arguments.audits[-1])).items():
            measured.setdefault(name, []).append(value)
        print(draw, *(f"{name} {value:.3f}" for name, value in precise.items()), flush=True)
    means = {name: round(float(np.mean(values)), 4) for name, values in measured.items()}
    for name, value in means.items():
        print(f"{name:24} {value:.4f}")
    print(json.dumps({"draws": arguments.draws, "candidates": len(pool.table)} | means))


@dataclass(frozen=True, eq=False)
class Audited:
    """Candidates of a world with known truth, as audits are drawn from them."""

    table: FeatureTable
    correct: npt.NDArray[np.bool_]
    truth: pa.Table
    cold: npt.NDArray[np.float64]
    kind: npt.NDArray[np.uint64]

    def judge(
        self, drawn: pa.Table, stratum: npt.NDArray[np.int8]
    ) -> tuple[Judgements, npt.NDArray[np.float32]]:
        """Return the judgements of a draw, and the scores that are learnt from them."""
        audits = answer(drawn, self.truth)
        row = find_pairs(audits, self.table.pairs)
        p_inclusion = audits["p_inclusion"].to_numpy()
        judged = Judgements(row, self.correct[row], p_inclusion, stratum)
        return judged, score(self.table, audits).p_correct


def make_pool(n_images: int) -> Audited:
    world = make_correlated_world(n_images, 0)
    table = features(world.candidates, world.taxonomy)
    pool = pool_of_parts(parts_of_table(world.candidates), world.taxonomy)
    truth = table.pairs.filter(pa.array(world.correct))
    return Audited(table, world.correct, truth, pool.cold, pool.kind)


def hold_precision(pool: Audited, seed: int, target: float, sizes: list[int]) -> dict[str, float]:
    """Return broken promises, and what is kept as a share of the oracle's, at each size."""
    pairs, stratum = pool.table.pairs, bands(pool.table.pairs, pool.cold)
    drawn = sample(pairs, pool.cold, N_OF_SHEET, seed, kind=pool.kind)
    judged, p_correct = pool.judge(drawn, stratum)
    measured = {}
    for size in sizes:
        while len(drawn) < size:
            asked = np.isin(np.arange(len(p_correct)), judged.row)
            share = share_above(p_correct, target)
            cells = make_cells(pairs, p_correct, share, stratum, asked, FOR_PRECISION)
            stratum = cells.cell
            drawn = draw_again(pairs, cells, min(size, 2 * len(drawn)), seed, kind=pool.kind)
            judged, p_correct = pool.judge(drawn, stratum)
        right = pool.correct[np.argsort(-p_correct, kind="stable")]
        precision = np.cumsum(right) / np.arange(1, len(right) + 1)
        cuts = thresholds(judged, p_correct)
        try:
            n_kept = int(cuts.n_kept[prove(cuts, target)])
        except QualityError:
            n_kept = 0
        oracle = int(np.flatnonzero(precision >= target).max(initial=0)) + 1
        measured[f"violations_{size}"] = float(n_kept > 0 and precision[n_kept - 1] < target)
        measured[f"kept_vs_oracle_{size}"] = n_kept / oracle
        measured[f"oracle_share_{size}"] = oracle / len(right)
    return measured


def cover_share(pool: Audited, seed: int, n: int) -> dict[str, float]:
    """Return coverage and bias of the interval of the best third, with few audits and with `n`."""
    pairs, first = pool.table.pairs, bands(pool.table.pairs, pool.cold)
    judged, p_correct = pool.judge(sample(pairs, pool.cold, N_FIRST, seed, kind=pool.kind), first)
    measured = _measure_third(pool, judged, p_correct)
    if n <= N_FIRST:
        return measured
    asked = np.isin(np.arange(len(p_correct)), judged.row)
    cells = make_cells(pairs, p_correct, 1 / 3, first, asked)
    many = pool.judge(draw_again(pairs, cells, n, seed, kind=pool.kind), cells.cell)
    return measured | _measure_third(pool, *many)


def _measure_third(
    pool: Audited, judged: Judgements, p_correct: npt.NDArray[np.float32]
) -> dict[str, float]:
    kept = np.zeros(len(p_correct), bool)
    kept[np.argsort(-p_correct, kind="stable")[: len(kept) // 3]] = True
    interval, true, n = precision_of(judged, kept, 0.95), pool.correct[kept].mean(), len(judged.row)
    return {
        f"third_{n}": float(true),
        f"coverage_{n}": float(interval.low <= true <= interval.high),
        f"bias_{n}": interval.estimate - float(true),
    }


if __name__ == "__main__":
    main()
