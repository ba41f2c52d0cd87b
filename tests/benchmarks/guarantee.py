"""Rates of broken promises of precision, of kept candidates, and of intervals with the truth.

    python tests/benchmarks/guarantee.py [--draws N --seed S]
        [--scores usual|none|little|much | --by | --floor | --auditor-error]

A world of 60,000 scored candidates whose truth is known is audited again and again, as
`winnow audit sample --precision` draws: 150 by cold scores, then batches that double the audits, by
the scores. For the interval of the third 500 are drawn by cold scores, the rest by scores.
Violations count the draws in which the kept candidates are less
precise than was promised; draws that can prove nothing keep nothing. The oracle knows all verdicts
and keeps the most candidates, in the order of the same scores, that are as precise as asked.
Coverage is that of the 95 % interval of the best third. The last line is JSON.

With --scores they hold no information on what is right, little or much.

With --by the candidates are in six groups, of which some are less right than their scores claim,
and each group is held to the promise (`curation.selection.per_group.prove_groups`). Then violations
count the draws in which any group is less precise, and the oracle keeps of each group what it can.

With --auditor-error auditors call wrong pairs right at the rates `ERROR_RATES`, and right ones
wrong at the same rate or never. The rate is given, estimated from the audits that are judged twice
(`TWICE` of them), or verdicts are taken as the truth. Outside counts the draws in which the
interval of the best third does not contain its precision.

With --floor the candidates have a thousand labels, most of them rare and less right, and the best
20 of each are kept if that can be proved. Kept candidates are compared with those without a floor;
``labels`` is the share of labels of which anything is kept, with it and without.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import expit

from curation.audits.auditor_errors import rates_by_repeats
from curation.audits.audits import bands, sample
from curation.audits.two_phase import FOR_PRECISION, FOR_SHARE, draw_again, make_cells, share_above
from curation.intervals.error_rates import NO_ERRORS, ErrorRates
from curation.intervals.judgements import Judgements, precision_of
from curation.intervals.learn_then_test import prove
from curation.intervals.precision import precision_interval
from curation.intervals.thresholds import thresholds
from curation.pairs.pair_keys import find_pairs
from curation.scoring.calibration import fit_calibration
from curation.selection.choose import choose
from curation.selection.groups import Partition, find_groups
from curation.selection.per_group import prove_groups
from labeling.errors import QualityError
from labeling.keys.ids import digest
from labeling.schemas import SCORED
from pipelines.auditing.sample import N_FIRST as N_OF_SHEET
from tests.curation.selection.requests import request_of

N_CANDIDATES = 60_000
TARGETS = (0.7, 0.8, 0.9)
N_AUDITS = (300, 2000)
MORE_AUDITS = (300, 500, 1000, 2000)
N_FIRST = 500
SCORES = {"usual": (2.2, 1.5), "none": (0.0, 1.5), "little": (0.8, 1.5), "much": (2.2, 0.5)}
"""Slope of the scores' log-odds over those of being right, and the deviation of their errors."""

ERROR_RATES = (0.02, 0.05, 0.1)
TWICE = 0.2
N_LABELS, FLOOR = 1000, 20
GROUP_SHARES = (0.4, 0.25, 0.15, 0.1, 0.06, 0.04)
GROUP_IS_HARD = (0.0, 1.0, 0.0, 2.0, 0.5, 0.0)
"""What is taken off the log-odds of each group's candidates to be right."""


@dataclass(frozen=True, eq=False)
class Scored:
    """Candidates in the order of their scores, the best first."""

    pairs: pa.Table
    correct: npt.NDArray[np.bool_]
    p_correct: npt.NDArray[np.float32]
    cold: npt.NDArray[np.float64]
    band: npt.NDArray[np.int64]
    group: npt.NDArray[np.int64]

    @property
    def precision(self) -> npt.NDArray[np.float64]:
        """Return the precision of the first 1, 2, … candidates."""
        return np.cumsum(self.correct) / np.arange(1, len(self.correct) + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Hold promises against simulated audits.")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scores", choices=[*SCORES], default="usual")
    parser.add_argument("--by", action="store_true")
    parser.add_argument("--auditor-error", action="store_true")
    parser.add_argument("--floor", action="store_true")
    arguments = parser.parse_args()
    if arguments.floor:
        hold_floors(arguments.draws, arguments.seed)
        return
    if arguments.auditor_error:
        hold_although_auditors_err(arguments.draws, arguments.seed)
        return
    if arguments.by:
        hold_groups(arguments.draws, arguments.seed)
        return
    world = make_scored(arguments.seed, scores=arguments.scores)
    cells: dict[str, dict[str, float]] = {}
    coverage = {}
    for n in MORE_AUDITS:
        shares, covered = simulate(world, n, arguments.draws)
        coverage[n] = covered
        for target in TARGETS:
            cells[f"{target}/{n}"] = measure(world, target, shares[target])
    for name, cell in cells.items():
        print(f"{name:10}", *(f"{key} {value:.3f}" for key, value in cell.items()))
    print("coverage", coverage)
    kept = {name: cell["kept_vs_oracle"] for name, cell in cells.items()}
    print(
        json.dumps(
            {
                "violations": max(cell["violations"] for cell in cells.values()),
                "kept_vs_oracle": min(v for k, v in kept.items() if k.endswith("/2000")),
                "coverage": coverage,
                "cells": {n: {k: round(v, 4) for k, v in c.items()} for n, c in cells.items()},
            }
        )
    )


def hold_groups(n_draws: int, seed: int) -> None:
    """Hold the promise of each group, and print how often any is broken."""
    world = make_scored(seed, GROUP_IS_HARD, GROUP_SHARES)
    cells = {}
    for n in N_AUDITS:
        for target in TARGETS:
            cells[f"{target}/{n}"] = cell = measure_groups(world, n, target, n_draws)
            print(f"{target}/{n:<6}", *(f"{key} {value:.3f}" for key, value in cell.items()))
    print(json.dumps({"violations": max(c["violations"] for c in cells.values()), "cells": cells}))


def hold_floors(n_draws: int, seed: int) -> None:
    """Hold the promise with a floor, and print what it costs and keeps."""
    size = 1 / np.arange(1, N_LABELS + 1) ** 1.2
    hard = tuple(np.linspace(0, 2, N_LABELS))
    world = make_scored(seed, hard, tuple(size / size.sum()))
    calibrated = fit_calibration(
        world.p_correct.astype(np.float64), world.correct.astype(np.float64), np.ones(N_CANDIDATES)
    )
    p = calibrated.apply(world.p_correct.astype(np.float64)).astype(np.float32)
    scored = world.pairs.set_column(1, "label_id", pa.array([f"l{x}" for x in world.group]))
    scored = scored.append_column("p_correct", pa.array(p)).cast(SCORED.arrow)
    cells = {}
    for n in N_AUDITS:
        for target in TARGETS:
            cells[f"{target}/{n}"] = cell = measure_floor(world, scored, n, target, n_draws)
            print(f"{target}/{n:<6}", *(f"{key} {value:.3f}" for key, value in cell.items()))
    print(json.dumps({"violations": max(c["violations"] for c in cells.values()), "cells": cells}))


def measure_floor(
    world: Scored, scored: pa.Table, n: int, target: float, n_draws: int
) -> dict[str, float]:
    n_broken, n_kept, labels = 0, np.zeros(2), np.zeros(2)
    for draw in range(n_draws):
        audits = audit(world, n, draw, target)
        stratum = audits.stratum.astype(np.int8)
        verdicts = world.correct[audits.row]
        judged = Judgements(audits.row, verdicts, audits.p_inclusion, stratum)
        plain = request_of(scored, judged, precision=target)
        for i, request in enumerate((plain, replace(plain, floor=FLOOR))):
            try:
                kept = np.asarray(choose(request).table["kept"], bool)
            except QualityError:
                continue
            n_kept[i] += kept.sum()
            labels[i] += len(np.unique(world.group[kept]))
            n_broken += i == 1 and world.correct[kept].mean() < target
    return {
        "violations": n_broken / n_draws,
        "kept_vs_no_floor": n_kept[1] / max(n_kept[0], 1),
        "labels": labels[1] / n_draws / N_LABELS,
        "labels_without": labels[0] / n_draws / N_LABELS,
    }


def measure_groups(world: Scored, n: int, target: float, n_draws: int) -> dict[str, float]:
    code = Partition(world.group, tuple(f"group {i}" for i in range(len(GROUP_SHARES))))
    n_broken, shares, n_groups, n_silent = 0, [], 0, 0
    for draw in range(n_draws):
        audits = audit(world, n, draw, target)
        verdicts = world.correct[audits.row]
        stratum = audits.stratum.astype(np.int8)
        judged = Judgements(audits.row, verdicts, audits.p_inclusion, stratum)
        groups = find_groups([code], audits.row)
        members = [groups.code == i for i in range(len(groups.names))]
        cuts = [thresholds(judged, world.p_correct, inside) for inside in members]
        n_kept = [
            0 if row is None else int(cut.n_kept[row])
            for cut, row in zip(cuts, prove_groups(cuts, target), strict=True)
        ]
        right = [np.cumsum(world.correct[inside]) for inside in members]
        n_broken += any(k and r[k - 1] / k < target for k, r in zip(n_kept, right, strict=True))
        possible = [np.flatnonzero(r / np.arange(1, len(r) + 1) >= target) for r in right]
        shares.append(sum(n_kept) / sum(int(rows[-1]) + 1 for rows in possible if len(rows)))
        n_groups, n_silent = n_groups + len(n_kept), n_silent + n_kept.count(0)
    return {
        "violations": n_broken / n_draws,
        "groups": n_groups / n_draws,
        "unproved": n_silent / n_groups,
        "kept_vs_oracle": float(np.mean(shares)),
    }


def hold_although_auditors_err(n_draws: int, seed: int) -> None:
    """Print how often promises are broken if auditors err, for each knowledge of the rate."""
    world, n, target = make_scored(seed), N_AUDITS[-1], 0.8
    kept: dict[str, list[int]] = {}
    outside: dict[str, int] = {}
    for draw in range(n_draws):
        audits = audit(world, n, draw, target)
        for rate in ERROR_RATES:
            for of_right in (0.0, rate):
                called = call_twice(world.correct[audits.row], rate, of_right, draw)
                twice = called[np.random.default_rng(draw).random(n) < TWICE]
                for errors in (
                    ErrorRates(rate, rate, "given"),
                    rates_by_repeats(twice, 0.95) or NO_ERRORS,
                    NO_ERRORS,
                ):
                    name = f"{rate} {'both ways' if of_right else 'one way'}, {errors.basis}"
                    n_kept, is_outside = hold(world, audits, called[:, 0], errors, target)
                    kept.setdefault(name, []).append(n_kept)
                    outside[name] = outside.get(name, 0) + is_outside
    cells = {
        name: {**measure(world, target, sizes), "outside": outside[name] / n_draws}
        for name, sizes in kept.items()
    }
    for name, cell in cells.items():
        print(f"{name:24}", *(f"{key} {value:.3f}" for key, value in cell.items()))
    print(json.dumps(cells))


def call_twice(
    right: npt.NDArray[np.bool_], of_wrong: float, of_right: float, seed: int
) -> npt.NDArray[np.bool_]:
    """Return whether each pair is called right, by two independent auditors who err."""
    draw = np.random.default_rng((seed, 2)).random((len(right), 2))
    called: npt.NDArray[np.bool_] = np.where(right[:, None], draw >= of_right, draw < of_wrong)
    return called


def hold(
    world: Scored,
    audits: Audits,
    called: npt.NDArray[np.bool_],
    errors: ErrorRates,
    target: float,
) -> tuple[int, bool]:
    """Return how many candidates are kept, and whether the interval of a third is wrong."""
    stratum = audits.stratum.astype(np.int8)
    judged = Judgements(audits.row, called, audits.p_inclusion, stratum, errors=errors)
    cuts = thresholds(judged, world.p_correct)
    third = np.arange(N_CANDIDATES) < N_CANDIDATES // 3
    interval = precision_of(judged, third, 0.95)
    is_outside = not interval.low <= world.correct[third].mean() <= interval.high
    try:
        return int(cuts.n_kept[prove(cuts, target)]), is_outside
    except QualityError:
        return 0, is_outside


def make_scored(
    seed: int,
    hard: tuple[float, ...] = (0.0,),
    shares: tuple[float, ...] = (1.0,),
    scores: str = "usual",
    n: int = N_CANDIDATES,
) -> Scored:
    """Make candidates whose scores, and more so their cold scores, are off by chance."""
    group = np.zeros(n, np.int64)
    if len(hard) > 1:
        drawn = np.random.default_rng((seed, 1)).choice(len(hard), n, p=shares)
        group = drawn.astype(np.int64)
    rng = np.random.default_rng(seed)
    z = rng.normal(-0.2, 1.6, n)
    correct = rng.random(n) < expit(2.2 * z - np.array(hard)[group])
    slope, deviation = SCORES[scores]
    noise = rng.normal(0, 1.5, n) * (deviation / 1.5)
    p_correct = expit(slope * z + noise).astype(np.float32)
    cold = z + rng.normal(0, 2, n)
    order = np.argsort(-p_correct, kind="stable")
    images = pa.array([digest(f"{seed}/{i}") for i in range(n)])
    pairs = pa.table({"image_id": images, "label_id": ["thing"] * n})
    band = bands(pairs, cold[order]).astype(np.int64)
    return Scored(pairs, correct[order], p_correct[order], cold[order], band, group[order])


def simulate(world: Scored, n: int, n_draws: int) -> tuple[dict[float, list[int]], float]:
    """Return how many candidates each draw keeps for each target, and the interval's coverage."""
    kept: dict[float, list[int]] = {target: [] for target in TARGETS}
    third = N_CANDIDATES // 3
    covered = 0
    for draw in range(n_draws):
        for target in TARGETS:
            audits = audit(world, n, draw, target)
            judged = Judgements(
                audits.row,
                world.correct[audits.row],
                audits.p_inclusion,
                audits.stratum.astype(np.int8),
            )
            cuts = thresholds(judged, world.p_correct)
            try:
                kept[target].append(int(cuts.n_kept[prove(cuts, target)]))
            except QualityError:
                kept[target].append(0)
        audits = audit(world, n, draw, None)
        inside = audits.row < third
        interval = precision_interval(
            world.correct[audits.row][inside],
            audits.p_inclusion[inside],
            stratum=audits.stratum[audits.row][inside],
            n_kept=np.bincount(audits.stratum[:third], minlength=audits.stratum.max() + 1),
        )
        covered += interval.low <= world.precision[third - 1] <= interval.high
    return kept, covered / n_draws


@dataclass(frozen=True, eq=False)
class Audits:
    """Audited rows, their inclusion probabilities, and the stratum of every candidate."""

    row: npt.NDArray[np.int64]
    p_inclusion: npt.NDArray[np.float64]
    stratum: npt.NDArray[np.int64]


def audit(world: Scored, n: int, seed: int, target: float | None) -> Audits:
    """Draw by cold scores, and further pairs by scores that the earlier ones calibrate."""
    n_candidates = len(world.correct)
    first = min(n, N_FIRST if target is None else N_OF_SHEET)
    drawn = sample(world.pairs, world.cold, first, seed)
    stratum, kind = world.band.astype(np.int8), np.zeros(n_candidates, np.uint64)
    while True:
        row, p_inclusion = find_pairs(drawn, world.pairs), drawn["p_inclusion"].to_numpy()
        if len(row) >= n:
            return Audits(row, p_inclusion, stratum.astype(np.int64))
        p, right = world.p_correct.astype(np.float64), world.correct[row].astype(np.float64)
        p = fit_calibration(p[row], right, 1 / p_inclusion).apply(p)
        share, design = (1 / 3, FOR_SHARE)
        if target is not None:
            share, design = share_above(p, target), FOR_PRECISION
        asked = np.zeros(n_candidates, bool)
        asked[row] = True
        cells = make_cells(world.pairs, p, share, stratum, asked, design)
        stratum = cells.cell
        n_next = n if target is None else min(n, 2 * len(row))
        drawn = draw_again(world.pairs, cells, n_next, seed, kind=kind)


def measure(world: Scored, target: float, kept: list[int]) -> dict[str, float]:
    oracle = int(np.flatnonzero(world.precision >= target).max(initial=0)) + 1
    n_kept = np.array(kept)
    some = n_kept > 0
    return {
        "violations": float(np.sum(world.precision[n_kept[some] - 1] < target)) / len(kept),
        "unproved": float(np.mean(~some)),
        "kept_vs_oracle": float(n_kept.mean()) / oracle,
    }


if __name__ == "__main__":
    main()
