"""Proofs of a precision by several methods, on the same candidates and as many audits.

    python tests/benchmarks/rivals.py [--draws N --seed S --scores usual|none|little|much]
        [--intervals]

The candidates are those of `tests/benchmarks/guarantee.py`, in the order of their scores. All
methods but winnow's draw uniformly among all candidates:

- ``winnow``: the draw of `winnow audit sample --precision` and its proof;
- ``uniform``: exact binomial tests (Clopper & Pearson 1934) of nested sets in a fixed order, from
  the best tenth (or as many as hold enough audits) to all;
- ``uniform, several starts``: winnow's proof from a uniform draw;
- ``MAPIE …``: `BinaryClassificationController` of the package mapie (extra ``bench``) at a hundred
  thresholds that divide these sets evenly, with Holm's correction (its default), by a fixed
  sequence, and by a sequence whose order half of the audits decide;
- ``PAC labeling``: an upper bound of the wrong ones among the kept as a share of all candidates
  (Candès, Ilyas & Zrnic 2025, "Probably Approximately Correct Labels"), here the exact one;
- ``PPI++``: the mean score of the kept and a multiple of the mean error of scores, tuned for power
  (Angelopoulos, Duchi & Zrnic 2023, "PPI++: Efficient Prediction-Powered Inference").

``kept`` is the mean number of kept candidates as a share of the oracle's, ``broken`` the share of
draws in which the kept are less precise than was promised with 95 % confidence, ``silent`` that of
draws which prove nothing. The last line is JSON.

With --intervals the interval of the best third is compared with one whose estimate is corrected by
scores, calibrated by the audits of other folds (``width`` and ``coverage``), in all worlds.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betainc
from scipy.stats import binom, norm

from curation.intervals.judgements import Judgements, precision_of
from curation.intervals.learn_then_test import MIN_OF_START, largest_proved
from curation.intervals.precision import MIN_OF_STRATUM, Interval, clopper_pearson
from curation.intervals.thresholds import thresholds
from curation.scoring.calibration import fit_calibration
from tests.benchmarks.guarantee import (
    MORE_AUDITS,
    SCORES,
    Audits,
    Scored,
    audit,
    make_scored,
    measure,
)

TARGETS = (0.8, 0.9)
ERROR = 0.05
N_SETS = 1000
FIRST = 0.1
N_PARAMETERS = 100
N_FOLDS = 5

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Method = Callable[[Scored, Rows, float], int]


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare proofs of a precision.")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scores", choices=[*SCORES], default="usual")
    parser.add_argument("--intervals", action="store_true")
    arguments = parser.parse_args()
    if arguments.intervals:
        cells = compare_intervals(arguments.draws, arguments.seed)
    else:
        world = make_scored(arguments.seed, scores=arguments.scores)
        cells = compare_proofs(world, arguments.draws)
    print(json.dumps(cells))


def compare_proofs(world: Scored, n_draws: int) -> dict[str, dict[str, float]]:
    """Return what each method keeps and breaks, for each target and number of audits."""
    methods = UNIFORM | mapie_methods()
    cells = {}
    for n in MORE_AUDITS:
        for target in TARGETS:
            kept: dict[str, list[int]] = {name: [] for name in ("winnow", *methods)}
            for draw in range(n_draws):
                kept["winnow"].append(keep_by_winnow(world, n, draw, target))
                row = draw_uniformly(world, n, draw)
                for name, method in methods.items():
                    kept[name].append(method(world, row, target))
            for name, sizes in kept.items():
                cells[f"{target}/{n}/{name}"] = cell = summary(world, target, sizes)
                show(f"{target}/{n}/{name}", cell)
    return cells


def summary(world: Scored, target: float, sizes: list[int]) -> dict[str, float]:
    cell = measure(world, target, sizes)
    names = {"kept": "kept_vs_oracle", "broken": "violations", "silent": "unproved"}
    return {new: round(cell[old], 4) for new, old in names.items()}


def show(name: str, cell: dict[str, float]) -> None:
    print(f"{name:36}", *(f"{key} {value:.4f}" for key, value in cell.items()), flush=True)


def keep_by_winnow(world: Scored, n: int, draw: int, target: float) -> int:
    """Return how many candidates are kept by the draw and the proof of winnow."""
    return _proved(judge(world, audit(world, n, draw, target)), world, target)


def judge(world: Scored, audits: Audits) -> Judgements:
    stratum = audits.stratum.astype(np.int8)
    return Judgements(audits.row, world.correct[audits.row], audits.p_inclusion, stratum)


def _proved(judged: Judgements, world: Scored, target: float) -> int:
    cuts = thresholds(judged, world.p_correct)
    row = largest_proved(cuts, target, ERROR)
    return 0 if row is None else int(cuts.n_kept[row])


def draw_uniformly(world: Scored, n: int, draw: int) -> Rows:
    """Return the audited rows, in order."""
    row = np.random.default_rng((draw, 3)).choice(len(world.correct), n, replace=False)
    return np.sort(row)


@dataclass(frozen=True, eq=False)
class Sets:
    """The nested sets and the sums over audits in each."""

    size: Rows
    n: Rows
    right: Floats

    def largest(self, p_value: Floats, target: float) -> int:
        """Return the size of the last set that is rejected before the first that is not."""
        start = int(np.searchsorted(self.size, first_size(self.size[-1], self.n[-1], target)))
        failed = np.flatnonzero(p_value[start:] > ERROR)
        end = start + int(failed[0]) if len(failed) else len(p_value)
        return int(self.size[end - 1]) if end > start else 0


def first_size(n_candidates: int, n: int, target: float) -> float:
    """Return the size of the first set that is tested: a tenth, or more if audits are few.

    A set in which fewer audits are expected than prove the target, even by the weakest of the
    tests, would end every sequence.
    """
    return n_candidates * min(max(FIRST, MIN_OF_START * -np.log(ERROR) / (1 - target) / n), 1)


def nested(world: Scored, row: Rows) -> Sets:
    size = np.ceil(np.arange(1, N_SETS + 1) * len(world.correct) / N_SETS).astype(np.int64)
    n = np.searchsorted(row, size)
    return Sets(size, n, sums(world.correct[row], n))


def sums(values: npt.NDArray[np.generic], n: Rows) -> Floats:
    """Return the sums of the first `n` values, for each of several `n`."""
    total: Floats = np.concatenate([[0], np.cumsum(values, dtype=np.float64)])[n]
    return total


def keep_by_uniform(world: Scored, row: Rows, target: float) -> int:
    """Return how many candidates are kept by exact tests of a uniform draw."""
    sets = nested(world, row)
    p_value = np.ones(N_SETS)
    some = sets.right > 0
    right, wrong = sets.right[some], (sets.n - sets.right)[some]
    p_value[some] = betainc(right, wrong + 1, target)
    return sets.largest(p_value, target)


def keep_by_several_starts(world: Scored, row: Rows, target: float) -> int:
    p_inclusion = np.full(len(row), len(row) / len(world.correct))
    return _proved(Judgements(row, world.correct[row], p_inclusion), world, target)


def keep_by_pac(world: Scored, row: Rows, target: float) -> int:
    """Return how many candidates PAC labeling keeps, by an exact bound of the wrong ones."""
    sets = nested(world, row)
    allowed = (1 - target) * sets.size / len(world.correct)
    return sets.largest(binom.cdf(sets.n - sets.right, len(row), allowed), target)


def keep_by_ppi(world: Scored, row: Rows, target: float) -> int:
    """Return how many candidates PPI++ keeps, by tests on the normal distribution."""
    sets, score = nested(world, row), world.p_correct.astype(np.float64)
    n = np.maximum(sets.n, 2)
    y, f = sets.right / n, sums(score[row], sets.n) / n
    products, squares = score[row] * world.correct[row], score[row] ** 2
    covariance = sums(products, sets.n) / n - y * f
    variance = np.maximum(sums(squares, sets.n) / n - f**2, 1e-12)
    tuned = covariance / variance / (1 + n / sets.size)
    estimate = y + tuned * (sums(score, sets.size) / sets.size - f)
    spread = y * (1 - y) - 2 * tuned * covariance + tuned**2 * variance * (1 + n / sets.size)
    error = np.sqrt(np.maximum(spread, 1e-12) / (n - 1))
    return sets.largest(norm.cdf((target - estimate) / error), target)


UNIFORM: dict[str, Method] = {
    "uniform": keep_by_uniform,
    "uniform, several starts": keep_by_several_starts,
    "PAC labeling": keep_by_pac,
    "PPI++": keep_by_ppi,
}


def mapie_methods() -> dict[str, Method]:
    """Return a method for each correction of MAPIE; none if it is not installed."""
    if importlib.util.find_spec("mapie") is None:
        print("MAPIE is left out: it is not installed (pip install 'winnow[bench]')")
        return {}
    names = {
        "MAPIE, Holm": "bonferroni_holm",
        "MAPIE, sequence": "fixed_sequence",
        "MAPIE, split sequence": "split_fixed_sequence",
    }
    return {name: _keep_by_mapie(correction) for name, correction in names.items()}


def _keep_by_mapie(correction: str) -> Method:
    from mapie.risk_control import BinaryClassificationController

    def keep(world: Scored, row: Rows, target: float) -> int:
        score = world.p_correct.astype(np.float64)
        first = first_size(len(score), len(row), target)
        last = np.linspace(first, len(score), N_PARAMETERS).astype(int) - 1
        controller = BinaryClassificationController(
            lambda x: np.column_stack([1 - x, x]),
            "precision",
            target,
            confidence_level=1 - ERROR,
            list_predict_params=score[last][::-1],
            fwer_method=correction,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if correction == "split_fixed_sequence":
                learnt, row = row[::2], row[1::2]
                x, y = score[learnt], world.correct[learnt].astype(int)
                controller.learn_fixed_sequence_order(x, y, np.logspace(-25, 0, 200), binary=True)
            controller.calibrate(score[row], world.correct[row].astype(int))
        best = controller.best_predict_param
        return 0 if best is None else int(np.sum(score >= best))

    return keep


def compare_intervals(n_draws: int, seed: int) -> dict[str, dict[str, float]]:
    """Return widths and coverage with and without the scores as a control variate."""
    cells = {}
    for scores in SCORES:
        world = make_scored(seed, scores=scores)
        third = np.arange(len(world.correct)) < len(world.correct) // 3
        truth = world.correct[third].mean()
        for n in MORE_AUDITS:
            draws = (audit(world, n, draw, None) for draw in range(n_draws))
            bounds = [intervals(world, audits, third) for audits in draws]
            cells[f"{scores}/{n}"] = cell = compare(np.array(bounds), float(truth))
            show(f"{scores}/{n}", cell)
    return cells


def compare(bounds: Floats, truth: float) -> dict[str, float]:
    """Return the means over draws of ``float64[n_draws, 2, 2]``: interval, low and high."""
    width = (bounds[:, :, 1] - bounds[:, :, 0]).mean(axis=0)
    covered = ((bounds[:, :, 0] <= truth) & (truth <= bounds[:, :, 1])).mean(axis=0)
    return {
        "width": round(float(width[0]), 4),
        "coverage": round(float(covered[0]), 4),
        "width_corrected": round(float(width[1]), 4),
        "coverage_corrected": round(float(covered[1]), 4),
        "ratio": round(float(width[1] / width[0]), 4),
    }


def intervals(world: Scored, audits: Audits, kept: npt.NDArray[np.bool_]) -> list[list[float]]:
    plain = precision_of(judge(world, audits), kept, 1 - ERROR)
    return [[plain.low, plain.high], corrected(world, audits, kept, plain)]


def corrected(
    world: Scored, audits: Audits, kept: npt.NDArray[np.bool_], plain: Interval
) -> list[float]:
    """Return the bounds after the difference estimator with cross-fitted scores.

    In each stratum the estimate is moved by the mean score of its kept candidates less that of its
    audits, times one slope for all, the one of the least variance. The variance of the plain
    interval is reduced by the part of it that the scores explain.
    """
    score = cross_fitted(world, audits)
    row = audits.row[kept[audits.row]]
    group = merged(audits.stratum, kept, row)
    size = np.bincount(group[kept]).astype(np.float64)
    n = np.bincount(group[row], minlength=len(size))
    share = size / size.sum()
    mean = np.bincount(group[row], score[row], len(size)) / np.maximum(n, 1)
    right = np.bincount(group[row], world.correct[row], len(size)) / np.maximum(n, 1)
    factor = (share**2 * (1 - n / np.maximum(size, 1)) / np.maximum(n * (n - 1), 1))[group[row]]
    x, y = score[row] - mean[group[row]], world.correct[row] - right[group[row]]
    xx, xy, yy = (float(np.sum(factor * a * b)) for a, b in ((x, x), (x, y), (y, y)))
    slope = xy / xx if xx > 0 else 0.0
    moved = np.bincount(group[kept], score[kept], len(size)) / np.maximum(size, 1) - mean
    estimate = float(np.clip(plain.estimate + slope * np.sum(share * moved), 0, 1))
    explained = min(xy**2 / (xx * yy), 0.99) if xx * yy > 0 else 0.0
    n_effective = plain.n_effective / (1 - explained)
    low, high = clopper_pearson(estimate * n_effective, n_effective, 1 - ERROR)
    return [float(low), float(high)]


def cross_fitted(world: Scored, audits: Audits) -> Floats:
    """Return the scores of each fold, calibrated by the audits of the others."""
    fold = np.random.default_rng(5).integers(0, N_FOLDS, len(world.correct))
    score = world.p_correct.astype(np.float64)
    calibrated = np.empty_like(score)
    right, weight = world.correct[audits.row].astype(np.float64), 1 / audits.p_inclusion
    for i in range(N_FOLDS):
        others = fold[audits.row] != i
        fitted = fit_calibration(score[audits.row][others], right[others], weight[others])
        calibrated[fold == i] = fitted.apply(score[fold == i])
    return calibrated


def merged(stratum: Rows, kept: npt.NDArray[np.bool_], row: Rows) -> Rows:
    """Return the group of every candidate: as the strata are merged for the plain interval."""
    n = np.bincount(stratum[row], minlength=int(stratum.max()) + 1)
    group, current, n_in_group = np.zeros(len(n), np.int64), 0, 0
    for i in range(len(n) - 1, -1, -1):
        group[i] = current
        n_in_group += n[i]
        if n_in_group >= MIN_OF_STRATUM:
            current, n_in_group = current + 1, 0
    return np.minimum(group, max(current, 1) - 1)[stratum]


if __name__ == "__main__":
    main()
